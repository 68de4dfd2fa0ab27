-- Tests of the models by the last build: those that found something first.
select
    case outcome when 'pass' then '✓ passed' when 'warn' then '! warned' else '✗ ' || outcome end as outcome,
    relation,
    rule,
    columns,
    failures,
    strftime(tested_at, '%Y-%m-%d %H:%M') as tested
from marts.model_tests as tests
order by tests.outcome = 'pass', relation, rule, columns
