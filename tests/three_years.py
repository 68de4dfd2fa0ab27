"""The marts of a customer of 50 teams after three years: what its site is built from."""

from pathlib import Path

import duckdb

from tests.e2e.test_site import EMPTY_MARTS

LAST_DAY = "2026-11-22"
DAYS, TEAMS, MODELS, PROJECTS, SERVERS, TOOLS = 1096, 50, 14, 120, 30, 8
MODELS_OF_A_TEAM = 6
LOADS_A_DAY, CHECKS_OF_A_LOAD = 20, 25

# the same numbers from every run: each is a hash of what it belongs to
CALLS = f"""
    create temp macro pick(day, n, salt, size) as 1 + cast(hash(day, n, salt) % size as bigint);

    create temp table priced as
    with numbers as (
        select
            days.range as day,
            numbers.range as n,
            1000 + pick(day, n, 'tokens', 90000) as some_tokens,
            pick(day, n, 'model', {MODELS}) as model_number
        from range({DAYS}) as days
        cross join range({TEAMS * MODELS_OF_A_TEAM}) as numbers
    )
    select
        date '{LAST_DAY}' - cast({DAYS} - 1 - day as integer) as usage_date,
        if(n % 97 = 0, 'unallocated', 'team-' || (1 + n // {MODELS_OF_A_TEAM})) as team_id,
        'model-' || model_number as model_id,
        if(n % 89 = 0, 'unallocated', 'project-' || pick(day, n, 'project', {PROJECTS})) as project,
        if(n % 3 = 0, 'server-' || pick(day, n, 'server', {SERVERS}), 'unallocated') as mcp_name,
        'tool-' || pick(day, n, 'tool', {TOOLS}) as tool_name,
        1 + pick(day, n, 'calls', 400) as call_count,
        some_tokens,
        if(
            model_number < {MODELS},
            cast(some_tokens * model_number * 0.00000137 as decimal(38, 15)),
            null
        ) as cost_usd
    from numbers;
"""

MEASURES = """
    sum(call_count), sum(some_tokens), sum(some_tokens) * 2, 0, sum(some_tokens) * 9,
    sum(some_tokens) * 3, sum(cost_usd), null, null, null,
    coalesce(sum(call_count) filter (cost_usd is null), 0)
"""

COSTS = "".join(
    f"""
    insert into {{schema}}.{mart}
    select {day}, '{{customer}}', {thing}, model_id, {MEASURES} {more}
    from priced
    group by {day}, {thing}, model_id;
    """
    for mart, day, thing, more in (
        ("cost_by_team_daily", "usage_date", "team_id", ""),
        ("cost_by_team", "date_trunc('month', usage_date)", "team_id", ""),
        ("cost_by_project_daily", "usage_date", "project", ""),
        ("cost_by_mcp_daily", "usage_date", "mcp_name", ", sum(call_count)"),
    )
)

OTHERS = f"""
    insert into {{schema}}.cost_month_to_date
    select
        date '2026-11-01', date '2026-11-21', true, '{{customer}}', team_id, model_id,
        sum(total_calls) filter (usage_date >= '2026-11-01'),
        sum(total_cost_usd) filter (usage_date >= '2026-11-01'),
        sum(unpriced_calls) filter (usage_date >= '2026-11-01'),
        sum(total_calls) filter (usage_date between '2026-10-01' and '2026-10-21'),
        sum(total_cost_usd) filter (usage_date between '2026-10-01' and '2026-10-21'),
        sum(total_cost_usd) filter (usage_date < '2026-11-01'),
        coalesce(sum(total_cost_usd) filter (usage_date >= '2026-11-01'), 0) * 1.4
    from {{schema}}.cost_by_team_daily
    where usage_date between '2026-10-01' and '2026-11-21'
    group by team_id, model_id;

    insert into {{schema}}.mcp_tools_daily
    select
        usage_date, '{{customer}}', mcp_name, tool_name, sum(call_count), count(*) // 3,
        count(*), sum(some_tokens), max(some_tokens), sum(cost_usd)
    from priced
    where mcp_name <> 'unallocated'
    group by usage_date, mcp_name, tool_name;

    insert into {{schema}}.mcp_servers
    select
        mcp_name, '{{customer}}', mcp_name, null, 'not_in_registry', null,
        sum(mcp_tool_calls), sum(failed_tool_calls), min(usage_date), max(usage_date)
    from {{schema}}.mcp_tools_daily
    group by mcp_name;

    insert into {{schema}}.hivemind_patterns
    select
        'pattern' || range, '{{customer}}', if(range % 3 = 0, 'tool_call', 'prompt'), 2 + range % 9,
        3 + range % 9, 2 + range % 7, 2 + range % 9, 0.8, 0.05, timestamp '2026-01-02 08:00:00',
        timestamp '2026-11-20 08:00:00', 1.25 * range, 0.755 * range, 0,
        if(range % 3 = 0, 'server-1', null), if(range % 3 = 0, 'tool-1', null),
        if(range % 3 = 0, 'cached_tool_result', 'shared_prompt'), 'why'
    from range(1, 1500);

    insert into {{schema}}.invoice_ladder
    select
        months.usage_date, '{{customer}}', vendors.vendor, steps.number, steps.step, steps.kind,
        steps.amount, 100
    from (select distinct date_trunc('month', usage_date) as usage_date from priced) as months
    cross join (values ('anthropic'), ('openai')) as vendors (vendor)
    cross join (
        values (1, 'computed', 'start', 100), (9, 'list', 'total', 0), (11, 'invoiced', 'total', 0)
    ) as steps (number, step, kind, amount);

    insert into {{schema}}.reconciliation_daily
    select distinct
        usage_date, '{{customer}}', vendor, 'matched', 'none', 3, 90.255, 90.255, 0, 0, 0
    from priced
    cross join (values ('anthropic'), ('openai')) as vendors (vendor);

    insert into {{schema}}.load_report
    select
        'load-' || range, '{{customer}}', 'claude_code',
        timestamp '{LAST_DAY} 09:00:03' - to_minutes(72 * range),
        timestamp '{LAST_DAY} 09:00:05' - to_minutes(72 * range), 1.9, 4, 1200, 1100, 80, 0, 17,
        if(range % 100 = 0, 3, 0), 4500000
    from range({DAYS * LOADS_A_DAY});

    insert into {{schema}}.landing_checks
    select
        loads.load_id || '-' || checks.range, '{{customer}}', 'claude_code', loads.load_id,
        'model_calls', 'column_' || checks.range, 'expect_column_values_to_not_be_null',
        loads.rows_quarantined = 0 or checks.range > 0, loads.rows_quarantined, null,
        loads.finished_at
    from {{schema}}.load_report as loads
    cross join range({CHECKS_OF_A_LOAD}) as checks;

    insert into {{schema}}.data_freshness values (
        '{{customer}}', 'claude_code', 'Europe/Berlin', 'USD', timestamp '2023-11-23 07:12:00',
        timestamp '{LAST_DAY} 08:41:00', timestamp '{LAST_DAY} 09:00:05', date '{LAST_DAY}',
        date '2026-11-21'
    );
"""


def make_warehouse(path: Path, customer: str) -> duckdb.DuckDBPyConnection:
    """Make the marts of the customer in a new file."""
    schema = f"customer_{customer}"
    connection = duckdb.connect(str(path))
    connection.execute("set enable_progress_bar = false")
    connection.execute(f"create schema {schema};" + EMPTY_MARTS.format(schema=schema))
    connection.execute(CALLS)
    connection.execute((COSTS + OTHERS).format(schema=schema, customer=customer))
    return connection
