{#
  What the vendor's own count costs by our price book: each kind of token of the buckets that the
  reconciliation goes by. A bucket says nothing of single prompts. Where a model has a price for small
  and one for large prompts, the bucket's context window may say which; else there is no cost, but
  what it would be all in the one and all in the other.
#}
{% set kinds = ['input', 'cache_write_5m', 'cache_write_1h', 'cache_read', 'output'] %}
{% set columns = [
    'usage_date', 'vendor', 'workspace_id', 'requested_model', 'service_tier', 'context_window',
    'inference_geo', 'speed', 'web_search_requests'
] %}
{% for kind in kinds %}
{% do columns.append(kind ~ '_tokens') %}
{% endfor %}
with

buckets as (
    select * from {{ ref('int_usage_buckets__observations') }}
    where
        is_reconciled
        and not is_empty
),

aliases as (
    select * from {{ ref('model_aliases') }}
),

prices as (
    select
        *,
        count(*) over (partition by vendor, model_id, valid_from_date) as band_count
    from {{ ref('int_prices__in_force') }}
),

named as (
    select
        {% for column in columns %}
        buckets.{{ column }} as {{ column }},
        {% endfor %}
        coalesce(aliases.model_id, buckets.requested_model, 'unknown') as model_id,
        nullif(aliases.price_region, '') as price_region
    from buckets
    left join aliases
        on buckets.requested_model = aliases.alias
),

with_prices as (
    select
        {% for column in columns + ['model_id', 'price_region'] %}
        named.{{ column }} as {{ column }},
        {% endfor %}
        low.price_version as price_version,
        low.web_search_usd as web_search_usd,
        low.contract_multiplier as contract_multiplier,
        {% for name in ['batch', 'fast', 'us_inference', 'regional_endpoint'] %}
        low.{{ name }}_multiplier as {{ name }}_multiplier,
        {% endfor %}
        {% for kind in kinds %}
        low.{{ kind }}_usd as low_{{ kind }}_usd,
        high.{{ kind }}_usd as high_{{ kind }}_usd,
        {% endfor %}
        case
            when low.band_count = 1 then 'low'
            when named.context_window = '0-200k' and low.prompt_tokens_up_to = 200000
                then 'low'
            when named.context_window = '200k-1M' and high.prompt_tokens_above = 200000
                then 'high'
        end as band
    from named
    left join prices as low
        on named.vendor = low.vendor
        and named.model_id = low.model_id
        and named.usage_date >= low.valid_from_date
        and named.usage_date < low.valid_to_date
        and low.prompt_tokens_above = -1
    left join prices as high
        on named.vendor = high.vendor
        and named.model_id = high.model_id
        and named.usage_date >= high.valid_from_date
        and named.usage_date < high.valid_to_date
        and high.prompt_tokens_up_to = 9000000000000000000
),

served as (
    select
        *,
        {{ served_multiplier() }} as multiplier
    from with_prices
),

by_kind as (
    {% for kind in kinds + ['web_search'] %}
    {% set tokens = 'web_search_requests' if kind == 'web_search' else kind ~ '_tokens' %}
    select
        usage_date,
        vendor,
        workspace_id,
        model_id,
        '{{ kind }}' as token_type,
        service_tier,
        {{ tokens }} as tokens,
        price_version,
        contract_multiplier,
        {% if kind == 'web_search' %}
        'low' as band,
        1 as multiplier,
        web_search_usd as low_usd,
        web_search_usd as high_usd
        {% else %}
        band,
        multiplier,
        low_{{ kind }}_usd as low_usd,
        high_{{ kind }}_usd as high_usd
        {% endif %}
    from served
    where {{ tokens }} != 0
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

costed as (
    select
        *,
        {{ kind_cost_usd('tokens', 'low_usd', 'multiplier') }} as low_cost_usd,
        {{ kind_cost_usd('tokens', 'high_usd', 'multiplier') }} as high_cost_usd,
        cast(
            price_version is not null
            and band is null
            and low_usd is not null
            and high_usd is not null as boolean
        ) as is_of_unknown_band
    from by_kind
),

listed as (
    select
        *,
        cast(
            case band when 'low' then low_cost_usd when 'high' then high_cost_usd end
            as {{ type_usd() }}
        ) as list_cost_usd
    from costed
),

-- what it costs at least and at most is the same where the band is known
final as (
    select
        usage_date,
        vendor,
        coalesce(workspace_id, 'unknown') as workspace_id,
        model_id,
        token_type,
        service_tier,
        tokens,
        {% for bound in ['least', 'greatest'] %}
        cast(
            case
                when is_of_unknown_band then {{ bound }}(low_cost_usd, high_cost_usd)
                else list_cost_usd
            end
            as {{ type_usd() }}
        ) as {{ bound }}_cost_usd,
        {% endfor %}
        list_cost_usd,
        {{ contracted_usd('list_cost_usd') }} as contracted_cost_usd,
        is_of_unknown_band
    from listed
)

select * from final
