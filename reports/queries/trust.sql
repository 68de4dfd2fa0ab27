-- How far the numbers can be trusted: always one row. Checks and lines of each source's last load.
select
    any_value(site.rows_quarantined) as quarantined,
    any_value(site.rows_read) as rows_read,
    any_value(site.loads) as loads,
    count(checks.checked_at) as checks,
    count(checks.checked_at) filter (not checks.is_success) as failed_checks
from marts.site as site
left join (
    select *
    from marts.landing_checks
    qualify checked_at = max(checked_at) over (partition by source)
) as checks on true
