-- How far the numbers can be trusted: always one row. Checks and lines of each source's last load.
select
    (
        select coalesce(sum(rows_quarantined), 0)
        from marts.load_report
    ) as quarantined,
    (select coalesce(sum(rows_read), 0) from marts.load_report) as rows_read,
    (select count(*) from marts.load_report) as loads,
    count(checks.checked_at) as checks,
    count(checks.checked_at) filter (not checks.is_success) as failed_checks
from (select 1) as one_row
left join (
    select *
    from marts.landing_checks
    qualify checked_at = max(checked_at) over (partition by source)
) as checks on true
