{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='usage_date',
    on_schema_change='fail',
    order_by=['usage_date', 'team_id', 'project', 'model_id', 'mcp_name'],
    partition_by='toYYYYMM(usage_date)'
) }}

{#
  The finest cost table; every cost mart sums it. A run replaces the days of changed calls. A day
  that lost its last call keeps one row without calls, so that the old rows go; marts leave it out.
#}
with

{% if is_incremental() %}
    {{ changed_days() }},
{% endif %}

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
        list_cost_usd,
        total_cost_usd,
        pricing_status
    from {{ ref('int_calls__priced') }}
    where
        merged_into_call_id is null
    {% if is_incremental() %}
            and {{ on_a_changed_day() }}
    {% endif %}
),

summed as (
    select
        usage_date,
        team_id,
        project,
        model_id,
        mcp_name,
        cast(count(*) as bigint) as total_calls,
        cast(sum(input_tokens) as bigint) as input_tokens,
        cast(sum(cache_write_5m_tokens) as bigint) as cache_write_5m_tokens,
        cast(sum(cache_write_1h_tokens) as bigint) as cache_write_1h_tokens,
        cast(sum(cache_read_tokens) as bigint) as cache_read_tokens,
        cast(sum(output_tokens) as bigint) as output_tokens,
        cast(sum(list_cost_usd) as {{ type_usd() }}) as list_cost_usd,
        cast(sum(total_cost_usd) as {{ type_usd() }}) as total_cost_usd,
        cast(sum(case when pricing_status = 'unpriced' then 1 else 0 end) as bigint)
            as unpriced_calls
    from calls
    group by usage_date, team_id, project, model_id, mcp_name
),

all_days as (
    select * from summed
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
            cast(null as {{ type_usd() }}) as list_cost_usd,
            cast(null as {{ type_usd() }}) as total_cost_usd,
            0 as unpriced_calls
        from changed_days
        where changed_days.usage_date not in (select summed.usage_date from summed)
    {% endif %}
)

select
    *,
    {{ newest_processed_at() }} as processed_at
from all_days
