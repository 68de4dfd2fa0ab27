{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='usage_date',
    on_schema_change='fail',
    order_by=['usage_date', 'vendor', 'model_id'],
    partition_by='toYYYYMM(usage_date)'
) }}

{#
  The calls by the days of the vendors' reports, which are UTC, and by all that a price goes by; the
  passes beside a call under their own model. A run replaces the days of changed calls. A day that
  lost its last call keeps one row without calls, so that the old rows go.
#}
{% set kinds = ['input', 'cache_write_5m', 'cache_write_1h', 'cache_read', 'output'] %}
{% set dimensions = [
    'usage_date', 'vendor', 'workspace_id', 'model_id', 'service_tier', 'speed',
    'inference_geo', 'price_region', 'price_version'
] %}
{% set counts = ['calls', 'cache_write_assumed_tokens', 'web_search_requests'] %}
with

{% if is_incremental() %}
    changed as (
        select
            cast(called_at as date) as usage_date,
            -- that of its last observation; time zones are a day apart at most
            cast({{ dbt.dateadd('day', 1, 'max(last_usage_date)') }} as date) as last_possible_date
        from {{ ref('int_calls__priced') }}
        where {{ newer_than_this() }}
        group by cast(called_at as date)
    ),

    changed_days as (
        select changed.usage_date
        from changed

        union

        select held.usage_date
        from (select distinct usage_date from {{ this }}) as held
        inner join changed
            on held.usage_date > changed.usage_date
            and held.usage_date <= changed.last_possible_date
    ),
{% endif %}

calls as (
    select
        *,
        cast(called_at as date) as report_date
    from {{ ref('int_calls__priced') }}
    {% if is_incremental() %}
        where
            cast(called_at as date) in (select changed_days.usage_date from changed_days)
    {% endif %}
),

requests as (
    select
        report_date as usage_date,
        vendor,
        workspace_id,
        model_id,
        service_tier,
        speed,
        inference_geo,
        price_region,
        price_version,
        case when status in ('error', 'rate_limited') then 0 else 1 end as calls,
        {% for kind in kinds %}
        {{ kind }}_tokens,
        {% endfor %}
        cache_write_assumed_tokens,
        web_search_requests
    from calls
    where merged_into_call_id is null

    union all

    select
        calls.report_date as usage_date,
        passes.vendor as vendor,
        calls.workspace_id as workspace_id,
        passes.model_id as model_id,
        calls.service_tier as service_tier,
        calls.speed as speed,
        calls.inference_geo as inference_geo,
        passes.price_region as price_region,
        passes.price_version as price_version,
        0 as calls,
        {% for kind in kinds %}
        passes.{{ kind }}_tokens as {{ kind }}_tokens,
        {% endfor %}
        passes.cache_write_assumed_tokens as cache_write_assumed_tokens,
        0 as web_search_requests
    from calls
    inner join {{ ref('int_call_passes__priced') }} as passes
        on calls.call_id = passes.call_id
    where
        calls.merged_into_call_id is null
        and calls.pass_tokens > 0
),

summed as (
    select
        {% for dimension in dimensions %}
        {{ dimension }},
        {% endfor %}
        cast(sum(calls) as bigint) as calls,
        {% for kind in kinds %}
        cast(sum({{ kind }}_tokens) as bigint) as {{ kind }}_tokens,
        {% endfor %}
        cast(sum(cache_write_assumed_tokens) as bigint) as cache_write_assumed_tokens,
        cast(sum(web_search_requests) as bigint) as web_search_requests
    from requests
    group by {{ dimensions | join(', ') }}
),

with_prices as (
    select
        {% for column in dimensions + counts %}
        summed.{{ column }} as {{ column }},
        {% endfor %}
        {% for kind in kinds %}
        summed.{{ kind }}_tokens as {{ kind }}_tokens,
        {% endfor %}
        {% for kind in kinds + ['web_search'] %}
        prices.{{ kind }}_usd as {{ kind }}_usd,
        {% endfor %}
        prices.batch_multiplier as batch_multiplier,
        prices.fast_multiplier as fast_multiplier,
        prices.us_inference_multiplier as us_inference_multiplier,
        prices.regional_endpoint_multiplier as regional_endpoint_multiplier
    from summed
    left join {{ ref('int_prices__in_force') }} as prices
        on summed.vendor = prices.vendor
        and summed.model_id = prices.model_id
        and summed.price_version = prices.price_version
        and summed.usage_date >= prices.valid_from_date
        and summed.usage_date < prices.valid_to_date
),

served as (
    select
        *,
        {{ served_multiplier() }} as multiplier
    from with_prices
),

-- each kind of token by itself
costed as (
    select
        {% for dimension in dimensions %}
        {{ dimension }},
        {% endfor %}
        calls,
        {% for kind in kinds %}
        {{ kind }}_tokens,
        {{ kind_cost_usd(kind ~ '_tokens', kind ~ '_usd', 'multiplier') }} as {{ kind }}_cost_usd,
        {% endfor %}
        cache_write_assumed_tokens,
        web_search_requests,
        {{ kind_cost_usd('web_search_requests', 'web_search_usd', '1') }} as web_search_cost_usd
    from served
),

all_days as (
    select * from costed
    {% if is_incremental() %}
        union all
        select
            changed_days.usage_date,
            {% for dimension in dimensions[1:] %}
            cast(null as {{ dbt.type_string() }}) as {{ dimension }},
            {% endfor %}
            0 as calls,
            {% for kind in kinds %}
            0 as {{ kind }}_tokens,
            cast(null as {{ type_usd() }}) as {{ kind }}_cost_usd,
            {% endfor %}
            0 as cache_write_assumed_tokens,
            0 as web_search_requests,
            cast(null as {{ type_usd() }}) as web_search_cost_usd
        from changed_days
        where changed_days.usage_date not in (select summed.usage_date from summed)
    {% endif %}
)

select
    *,
    (
        select max(priced.processed_at)
        from {{ ref('int_calls__priced') }} as priced
        {% if is_incremental() %}
            where {{ newer_than_this('priced.processed_at') }}
        {% endif %}
    ) as processed_at
from all_days
