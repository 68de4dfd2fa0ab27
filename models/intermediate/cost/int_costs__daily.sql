{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='usage_date',
    on_schema_change='fail',
    order_by=['usage_date', 'team_id', 'project', 'model_id', 'mcp_name'],
    partition_by='toYYYYMM(usage_date)'
) }}

{#
  The finest cost table; every cost mart sums it. A run replaces the days that a changed call is on,
  or was on: its day can only be that of one of its observations. A day that lost its last call keeps
  one row without calls, so that the old rows go; marts leave it out.
#}
with

tool_calls as (
    select * from {{ ref('int_tool_calls__deduplicated') }}
),

{% if is_incremental() %}
    changed as (
        select
            usage_date,
            last_usage_date,
            max(processed_at) as processed_at
        from {{ ref('int_calls__priced') }}
        where {{ newer_than_this() }}
        group by usage_date, last_usage_date
    ),

    changed_days as (
        select changed.usage_date
        from changed
        union
        select held.usage_date
        from (select distinct usage_date from {{ this }}) as held
        inner join changed
            on held.usage_date > changed.usage_date
            and held.usage_date <= changed.last_usage_date
    ),
{% endif %}

-- The calls are read once more below, as callers: a CTE that is used twice is first kept whole, in
-- memory by DuckDB and on disk by PostgreSQL.
calls as (
    select
        usage_date,
        coalesce(team_id, 'unallocated') as team_id,
        coalesce(project, 'unallocated') as project,
        model_id,
        coalesce(mcp_name, 'unallocated') as mcp_name,
        input_tokens,
        cache_write_5m_tokens,
        cache_write_1h_tokens,
        cache_read_tokens,
        output_tokens,
        total_cost_usd,
        pricing_status
    from {{ ref('int_calls__priced') }}
    {% if is_incremental() %}
        where
            usage_date in (select changed_days.usage_date from changed_days)
            -- the range says no more, but lets a database skip what lies outside it
            and usage_date >= (select min(changed_days.usage_date) from changed_days)
            and usage_date <= (select max(changed_days.usage_date) from changed_days)
    {% endif %}
),

callers as (
    select
        call_id,
        usage_date,
        coalesce(team_id, 'unallocated') as team_id,
        coalesce(project, 'unallocated') as project,
        model_id
    from {{ ref('int_calls__priced') }}
    where
        mcp_call_count > 0
    {% if is_incremental() %}
            and usage_date in (select changed_days.usage_date from changed_days)
            and usage_date >= (select min(changed_days.usage_date) from changed_days)
            and usage_date <= (select max(changed_days.usage_date) from changed_days)
    {% endif %}
),

call_measures as (
    select
        usage_date,
        team_id,
        project,
        model_id,
        mcp_name,
        count(*) as total_calls,
        sum(input_tokens) as input_tokens,
        sum(cache_write_5m_tokens) as cache_write_5m_tokens,
        sum(cache_write_1h_tokens) as cache_write_1h_tokens,
        sum(cache_read_tokens) as cache_read_tokens,
        sum(output_tokens) as output_tokens,
        sum(total_cost_usd) as total_cost_usd,
        sum(case when pricing_status = 'unpriced' then 1 else 0 end) as unpriced_calls,
        0 as mcp_tool_calls
    from calls
    group by usage_date, team_id, project, model_id, mcp_name
),

-- a call may use several servers: its cost goes to the first, its tool calls to each
tool_call_measures as (
    select
        callers.usage_date,
        callers.team_id,
        callers.project,
        callers.model_id,
        tool_calls.mcp_name,
        0 as total_calls,
        0 as input_tokens,
        0 as cache_write_5m_tokens,
        0 as cache_write_1h_tokens,
        0 as cache_read_tokens,
        0 as output_tokens,
        cast(null as {{ type_usd() }}) as total_cost_usd,
        0 as unpriced_calls,
        count(*) as mcp_tool_calls
    from tool_calls
    inner join callers
        on tool_calls.call_id = callers.call_id
    group by
        callers.usage_date,
        callers.team_id,
        callers.project,
        callers.model_id,
        tool_calls.mcp_name
),

measures as (
    select * from call_measures
    union all
    select * from tool_call_measures
    {% if is_incremental() %}
        union all
        select
            changed_days.usage_date,
            'unallocated' as team_id,
            'unallocated' as project,
            'none' as model_id,
            'unallocated' as mcp_name,
            0 as total_calls,
            0 as input_tokens,
            0 as cache_write_5m_tokens,
            0 as cache_write_1h_tokens,
            0 as cache_read_tokens,
            0 as output_tokens,
            cast(null as {{ type_usd() }}) as total_cost_usd,
            0 as unpriced_calls,
            0 as mcp_tool_calls
        from changed_days
        where changed_days.usage_date not in (select call_measures.usage_date from call_measures)
    {% endif %}
),

summed as (
    select
        usage_date,
        team_id,
        project,
        model_id,
        mcp_name,
        cast(sum(total_calls) as bigint) as total_calls,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(cache_write_5m_tokens) as bigint) as cache_write_5m_tokens,
        cast(sum(cache_write_1h_tokens) as bigint) as cache_write_1h_tokens,
        cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(total_cost_usd) as {{ type_usd() }}) as total_cost_usd,
        -- unknown until a detection of similar work has looked
        cast(null as bigint) as duplicate_calls,
        cast(null as {{ type_usd() }}) as duplicate_cost_usd,
        cast(sum(unpriced_calls) as bigint) as unpriced_calls,
        cast(sum(mcp_tool_calls) as bigint) as mcp_tool_calls
    from measures
    group by usage_date, team_id, project, model_id, mcp_name
),

newest as (
    select max(processed_at) as processed_at
    from {% if is_incremental() %} changed {% else %} {{ ref('int_calls__priced') }} {% endif %}
)

select
    *,
    (select newest.processed_at from newest) as processed_at
from summed
