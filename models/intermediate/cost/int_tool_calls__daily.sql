{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='usage_date',
    on_schema_change='fail',
    order_by=['usage_date', 'mcp_name', 'model_id'],
    partition_by='toYYYYMM(usage_date)'
) }}

{#
  The tool calls of each MCP server, on the day of the model call that made them. A run replaces the
  days of changed calls; one without tool calls keeps a row that says so.
#}
with

{% if is_incremental() %}
    {{ changed_days() }},
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

tool_calls as (
    select * from {{ ref('int_tool_calls__deduplicated') }}
),

summed as (
    select
        callers.usage_date,
        tool_calls.mcp_name,
        callers.model_id,
        cast(count(*) as bigint) as mcp_tool_calls
    from tool_calls
    inner join callers
        on tool_calls.call_id = callers.call_id
    group by callers.usage_date, tool_calls.mcp_name, callers.model_id
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
    {{ newest_processed_at() }} as processed_at
from all_days
