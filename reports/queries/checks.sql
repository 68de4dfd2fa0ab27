-- Failed checks first, then the newest.
select
    case when is_success then '✓ passed' else '✗ failed' end as outcome,
    source,
    table_name,
    column_name,
    replace(regexp_replace(expectation, '^expect_(column_values_)?', ''), '_', ' ') as expectation,
    unexpected_count,
    observed_value,
    strftime(checked_at, '%Y-%m-%d %H:%M') as checked
from marts.landing_checks
order by is_success, checked_at desc, source, table_name, column_name, landing_checks.expectation
