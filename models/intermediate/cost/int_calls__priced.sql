{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='call_id',
    on_schema_change='fail',
    order_by=['usage_date', 'team_id', 'model_id', 'call_id'],
    partition_by='toYYYYMM(usage_date)',
    sharding_key='sipHash64(assumeNotNull(call_id))'
) }}

{#
  Whose each call is, and what it costs: name to model, prompt to band, day to price, what was served, contract; then
  what its passes cost. A left join at every step: a call without a price stays, with a null cost. A run
  prices new calls, and those for which the price book, or their passes, say something else now.
#}
{% set of_passes = [
    'pass_tokens', 'unpriced_passes', 'pass_list_cost_usd', 'pass_total_cost_usd',
    'pass_upper_bound_cost_usd'
] %}
{# one by one, as ClickHouse loses the names of `calls.*` in several joins #}
{% set of_calls = [
    'call_id', 'identity', 'source', 'source_count', 'observation_count', 'session_id', 'org_id',
    'api_key_id', 'project', 'user_id', 'workspace_id', 'vendor', 'requested_model',
    'input_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens',
    'output_tokens', 'cache_write_assumed_tokens', 'web_search_requests', 'service_tier', 'speed',
    'inference_geo', 'region', 'user_region', 'data_classification', 'status', 'latency_ms',
    'is_sidechain', 'reported_cost_usd', 'reported_cost_basis', 'dedup_hash', 'first_load_id',
    'merged_into_call_id', 'called_at'
] %}
with

calls as (
    select * from {{ ref('int_calls__deduplicated') }}
),

aliases as (
    select * from {{ ref('model_aliases') }}
),

passes as (
    select
        call_id,
        sum(total_tokens) as pass_tokens,
        sum(cache_write_assumed_tokens) as assumed_tokens,
        sum(case when list_cost_usd is null then 1 else 0 end) as unpriced_passes,
        min(case when list_cost_usd is null then requested_model end) as unpriced_model,
        sum(list_cost_usd) as pass_list_cost_usd,
        sum(total_cost_usd) as pass_total_cost_usd,
        sum(upper_bound_cost_usd) as pass_upper_bound_cost_usd
    from {{ ref('int_call_passes__priced') }}
    group by call_id
),

{% if is_incremental() %}
    prices as (
        select * from {{ ref('int_prices__in_force') }}
    ),

    outdated as (
        select calls.call_id
        from calls
        where {{ newer_than_this('calls.processed_at') }}

        union

        -- a tool call went to another model call, which has an earlier record of it
        select tool_calls.previous_call_id as call_id
        from {{ ref('int_tool_calls__deduplicated') }} as tool_calls
        where
            tool_calls.previous_call_id is not null
            and {{ newer_than_this('tool_calls.processed_at') }}

        union

        -- its name leads to another model, another price is in force, it is of others than it was
        -- known to be, or its passes are or cost others
        select priced.call_id
        from {{ this }} as priced
        left join aliases
            on priced.requested_model = aliases.alias
        left join prices
            on {{ is_priced_by('priced', 'prices') }}
        left join passes
            on priced.call_id = passes.call_id
        {{ join_identities('priced', 'reported_user_id', 'reported_workspace_id') }}
        where
            priced.model_id != coalesce(aliases.model_id, priced.requested_model)
            or coalesce(priced.price_region, '') != coalesce(aliases.price_region, '')
            or coalesce(priced.price_version, '') != coalesce(prices.price_version, '')
            or coalesce(priced.attributed_by, '') != coalesce({{ attributed_by() }}, '')
            {% for column in of_passes %}
            or coalesce(priced.{{ column }}, 0) != coalesce(passes.{{ column }}, 0)
            {% endfor %}
    ),
{% endif %}

named as (
    select
        {% for column in of_calls %}
        calls.{{ column }} as {{ column }},
        {% endfor %}
        coalesce(aliases.model_id, calls.requested_model) as model_id,
        nullif(aliases.price_region, '') as price_region,
        {{ local_date('calls.called_at') }} as usage_date,
        {{ local_date('calls.last_observed_at') }} as last_usage_date,
        coalesce(of_user.person_id, calls.user_id, of_key.person_id) as person_id,
        coalesce(calls.team_id, of_user.team_id, of_key.team_id, of_workspace.team_id)
            as paying_team_id,
        coalesce(calls.workspace_id, of_key.parent_id) as known_workspace_id,
        {{ attributed_by() }} as attributed_by
    from calls
    left join aliases
        on calls.requested_model = aliases.alias
    {{ join_identities('calls') }}
    {% if is_incremental() %}
        where calls.call_id in (select outdated.call_id from outdated)
    {% endif %}
),

with_price as (
    {{ with_price('named') }}
),

listed as (
    select
        *,
        {{ list_cost_usd() }} as own_list_usd,
        {{ uncertain_cost_usd() }} as own_uncertain_usd
    from with_price
),

contracted as (
    select
        *,
        {{ contracted_usd('own_list_usd') }} as own_total_usd,
        {{ contracted_usd('own_list_usd + own_uncertain_usd') }} as own_upper_bound_usd
    from listed
),

-- one operation: unknown as a whole where what it costs itself is, or what a pass does
costed as (
    select
        contracted.*,
        {% for cost in ['list', 'total', 'upper_bound'] %}
        cast(coalesce(passes.pass_{{ cost }}_cost_usd, 0) as {{ type_usd() }})
            as pass_{{ cost }}_cost_usd,
        cast(
            case
                when coalesce(passes.unpriced_passes, 0) = 0
                    then
                        contracted.own_{{ cost }}_usd
                        + coalesce(passes.pass_{{ cost }}_cost_usd, 0)
            end
            as {{ type_usd() }}
        ) as {{ cost }}_cost_usd,
        {% endfor %}
        coalesce(passes.pass_tokens, 0) as pass_tokens,
        coalesce(passes.unpriced_passes, 0) as unpriced_passes,
        contracted.cache_write_assumed_tokens
        + coalesce(passes.assumed_tokens, 0) as all_assumed_tokens,
        case
            when contracted.own_list_usd is null then contracted.requested_model
            else passes.unpriced_model
        end as unpriced_model
    from contracted
    left join passes
        on contracted.call_id = passes.call_id
),

tool_calls as (
    select
        call_id,
        mcp_name,
        row_number() over (
            partition by call_id
            order by called_at asc, file_id asc, line_number asc, block_index asc
        ) as call_position
    from {{ ref('int_tool_calls__deduplicated') }}
    {% if is_incremental() %}
        where call_id in (select outdated.call_id from outdated)
    {% endif %}
),

servers as (
    select
        call_id,
        max(case when call_position = 1 then mcp_name end) as mcp_name,
        count(*) as mcp_call_count
    from tool_calls
    group by call_id
)

select
    costed.call_id,
    costed.identity,
    costed.source,
    costed.source_count,
    costed.observation_count,
    costed.session_id,
    costed.project,
    costed.paying_team_id as team_id,
    costed.person_id as user_id,
    costed.org_id,
    costed.known_workspace_id as workspace_id,
    costed.api_key_id,
    costed.user_id as reported_user_id,
    costed.workspace_id as reported_workspace_id,
    costed.attributed_by,
    costed.vendor,
    costed.model_id,
    costed.requested_model,
    servers.mcp_name,
    coalesce(servers.mcp_call_count, 0) as mcp_call_count,
    costed.input_tokens,
    costed.cache_write_5m_tokens,
    costed.cache_write_1h_tokens,
    costed.cache_read_tokens,
    costed.output_tokens,
    costed.cache_write_assumed_tokens,
    costed.pass_tokens,
    costed.web_search_requests,
    costed.service_tier,
    costed.speed,
    costed.inference_geo,
    costed.region,
    costed.user_region,
    costed.data_classification,
    costed.status,
    costed.latency_ms,
    costed.is_sidechain,
    costed.list_cost_usd,
    costed.total_cost_usd,
    costed.upper_bound_cost_usd,
    costed.reported_cost_usd,
    costed.reported_cost_basis,
    costed.dedup_hash,
    case when costed.list_cost_usd is null then 'unpriced' else 'priced' end as pricing_status,
    case
        when costed.all_assumed_tokens > 0 and costed.speed is null
            then 'cache_write_split, speed'
        when costed.all_assumed_tokens > 0 then 'cache_write_split'
        when costed.speed is null then 'speed'
    end as pricing_assumptions,
    costed.unpriced_passes,
    costed.unpriced_model,
    costed.pass_list_cost_usd,
    costed.pass_total_cost_usd,
    costed.pass_upper_bound_cost_usd,
    costed.price_version,
    costed.price_region,
    costed.first_load_id,
    costed.merged_into_call_id,
    costed.called_at,
    costed.usage_date,
    costed.last_usage_date,
    {{ current_run_at() }} as processed_at
from costed
left join servers
    on costed.call_id = servers.call_id
