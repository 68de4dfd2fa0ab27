{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='usage_date',
    on_schema_change='fail',
    order_by=['usage_date', 'mcp_name', 'model_id'],
    partition_by='toYYYYMM(usage_date)'
) }}

{#
  The tool calls of each MCP server, on the day of the model call that made them; on their own day
  where no source knows that call. A run replaces the days of changed calls; one without tool calls
  keeps a row that says so.
#}
with

tool_calls as (
    select
        *,
        {{ local_date('called_at') }} as own_date
    from {{ ref('int_tool_calls__deduplicated') }}
),

{% if is_incremental() %}
    {{ changed_days(
        also='select tool_calls.own_date as usage_date from tool_calls where '
        ~ newer_than_this('tool_calls.processed_at')
    ) }},
{% endif %}

callers as (
    select
        call_id,
        usage_date,
        model_id
    from {{ ref('int_calls__priced') }}
    where
        mcp_call_count > 0
    {% if is_incremental() %}
            and {{ on_a_changed_day() }}
    {% endif %}
),

on_their_day as (
    select
        callers.usage_date as usage_date,
        tool_calls.mcp_name as mcp_name,
        callers.model_id as model_id
    from tool_calls
    inner join callers
        on tool_calls.call_id = callers.call_id

    union all

    select
        own_date as usage_date,
        mcp_name,
        'unallocated' as model_id
    from tool_calls
    where
        call_id is null
    {% if is_incremental() %}
            and own_date in (select changed_days.usage_date from changed_days)
    {% endif %}
),

summed as (
    select
        usage_date,
        mcp_name,
        model_id,
        cast(count(*) as bigint) as mcp_tool_calls
    from on_their_day
    group by usage_date, mcp_name, model_id
),

all_days as (
    select * from summed
    {% if is_incremental() %}
        union all
        select
            changed_days.usage_date,
            'unallocated' as mcp_name,
            'none' as model_id,
            0 as mcp_tool_calls
        from changed_days
        where changed_days.usage_date not in (select summed.usage_date from summed)
    {% endif %}
)

select
    *,
    coalesce({{ newest_processed_at() }}, {{ current_run_at() }}) as processed_at
from all_days
