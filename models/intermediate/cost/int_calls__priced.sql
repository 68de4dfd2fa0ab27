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
  What each call costs: name to model, prompt to band, day to price, modifiers, sum. A left join at
  every step: a call without a price stays, with a null cost. A run prices new calls, and those for
  which the price book says something else now.
#}
with

calls as (
    select * from {{ ref('int_calls__deduplicated') }}
),

aliases as (
    select * from {{ ref('model_aliases') }}
),

prices as (
    select * from {{ ref('int_prices__per_token') }}
),

{% if is_incremental() %}
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

        -- the price or the alias is gone or another one, or there is a price where none was, or one
        -- of a dearer band
        select priced.call_id
        from {{ this }} as priced
        left join prices
            on priced.price_version = prices.price_version
        left join aliases
            on priced.requested_model = aliases.alias
        left join prices as candidates
            on priced.vendor = candidates.vendor
            and priced.model_id = candidates.model_id
            and cast(priced.called_at as date) >= candidates.valid_from_date
            and cast(priced.called_at as date) < candidates.valid_to_date
            and priced.input_tokens
            + priced.cache_write_5m_tokens
            + priced.cache_write_1h_tokens
            + priced.cache_read_tokens > candidates.prompt_tokens_above
        where
            (priced.price_version is not null and prices.price_version is null)
            or priced.model_id != coalesce(aliases.model_id, priced.requested_model)
            or candidates.prompt_tokens_above > coalesce(prices.prompt_tokens_above, -2)
    ),
{% endif %}

named as (
    select
        calls.*,
        coalesce(aliases.model_id, calls.requested_model) as model_id,
        cast(calls.called_at as date) as called_on_utc_date,
        {{ local_date('calls.called_at') }} as usage_date,
        {{ local_date('calls.last_observed_at') }} as last_usage_date,
        -- the band goes by the whole prompt of the request
        calls.input_tokens
        + calls.cache_write_5m_tokens
        + calls.cache_write_1h_tokens
        + calls.cache_read_tokens as prompt_tokens
    from calls
    left join aliases
        on calls.requested_model = aliases.alias
    {% if is_incremental() %}
        where calls.call_id in (select outdated.call_id from outdated)
    {% endif %}
),

-- the dearest band that the prompt reaches; a model without bands has one that starts below 0
banded as (
    select
        named.*,
        prices.price_version,
        prices.input_usd,
        prices.cache_write_5m_usd,
        prices.cache_write_1h_usd,
        prices.cache_read_usd,
        prices.output_usd,
        prices.web_search_usd,
        case
            when named.service_tier = 'batch' then cast('0.5' as numeric(18, 4))
            -- what was served at standard speed, or outside its time, costs the standard price
            when
                named.speed = 'fast'
                and named.called_on_utc_date >= prices.fast_from_date
                and named.called_on_utc_date < prices.fast_to_date
                then coalesce(prices.fast_multiplier, 1)
            else 1
        end as speed_multiplier,
        case
            when named.inference_geo = 'us' then prices.us_inference_multiplier
            else 1
        end as region_multiplier,
        row_number() over (
            partition by named.call_id
            order by prices.prompt_tokens_above desc nulls last
        ) as band_rank
    from named
    left join prices
        on named.vendor = prices.vendor
        and named.model_id = prices.model_id
        and named.called_on_utc_date >= prices.valid_from_date
        and named.called_on_utc_date < prices.valid_to_date
        and named.prompt_tokens > prices.prompt_tokens_above
),

costed as (
    select
        *,
        cast(
            case
                -- without a price even no tokens cost null, not 0
                when price_version is null then null
                else
                    -- rounded by name: a cast to fewer decimals cuts on ClickHouse
                    round(
                        cast(
                            {{ token_cost_usd('input_tokens', 'input_usd') }}
                            + {{ token_cost_usd('cache_write_5m_tokens', 'cache_write_5m_usd') }}
                            + {{ token_cost_usd('cache_write_1h_tokens', 'cache_write_1h_usd') }}
                            + {{ token_cost_usd('cache_read_tokens', 'cache_read_usd') }}
                            + {{ token_cost_usd('output_tokens', 'output_usd') }}
                            as numeric(28, 12)
                        )
                        * cast(round(speed_multiplier * region_multiplier, 4) as numeric(9, 4))
                        + cast(
                            {{ token_cost_usd('web_search_requests', 'web_search_usd') }}
                            as numeric(28, 12)
                        ),
                        15
                    )
            end
            as {{ type_usd() }}
        ) as list_cost_usd
    from banded
    where band_rank = 1
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
    costed.team_id,
    costed.user_id,
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
    costed.web_search_requests,
    costed.service_tier,
    costed.speed,
    costed.inference_geo,
    costed.status,
    costed.is_sidechain,
    costed.list_cost_usd,
    -- no contract is known yet, so what is paid is the list price
    costed.list_cost_usd as total_cost_usd,
    costed.reported_cost_usd,
    case when costed.list_cost_usd is null then 'unpriced' else 'priced' end as pricing_status,
    case when costed.list_cost_usd is not null then costed.price_version end as price_version,
    costed.first_load_id,
    costed.called_at,
    costed.usage_date,
    costed.last_usage_date,
    {{ current_run_at() }} as processed_at
from costed
left join servers
    on costed.call_id = servers.call_id
