{{ config(materialized='table', order_by=['vendor', 'model_id']) }}

{#
  The price book as it is to be used: for every model, period and range of prompts one row, that says
  what everything costs. Rows of the book are never edited: of those that are in force on a day, the one
  known last counts. Days on which any of a model's rows begins or ends cut its time into periods.

  `price_version` names a price and everything that it says: where any of it changes, so does the
  version. In whole numbers, as databases differ in how they write a decimal.
#}
-- depends_on: {{ ref('vendors') }}
{#- so that dbt stops here where a vendor is unknown -#}
{% set multipliers = ['batch', 'fast', 'us_inference', 'regional_endpoint', 'contract'] %}
{% set token_kinds = ['input', 'cache_write_5m', 'cache_write_1h', 'cache_read', 'output'] %}
{% set what_it_says = [] %}
{% for kind in token_kinds + ['web_search'] %}
{% do what_it_says.append(kind ~ '_usd') %}
{% endfor %}
{% for name in multipliers %}
{% do what_it_says.append(name ~ '_multiplier') %}
{% endfor %}
{% set first_day = "cast('1970-01-01' as date)" %}
{% set last_day = "cast('2100-01-01' as date)" %}
with

bands as (
    select * from {{ ref('price_bands') }}
),

known_prices as (
    select * from {{ ref('model_prices') }}
    {{ where_known() }}
),

prices as (
    select
        known_prices.vendor as vendor,
        known_prices.model_id as model_id,
        known_prices.price_band as price_band,
        bands.prompt_tokens_above as prompt_tokens_above,
        {% for kind in token_kinds %}
        {{ unit_price_usd('known_prices.' ~ kind ~ '_usd_per_mtok', '0.000001') }}
            as {{ kind }}_usd,
        {% endfor %}
        coalesce(known_prices.valid_from_date, {{ first_day }}) as valid_from_date,
        coalesce(known_prices.valid_to_date, {{ last_day }}) as valid_to_date,
        known_prices.known_from_date as known_from_date
    from known_prices
    inner join bands
        on known_prices.price_band = bands.price_band
),

models as (
    select distinct
        vendor,
        model_id
    from prices
),

-- what comes on top of the prices of tokens, of one model or of all of a vendor's
terms as (
    select
        vendor,
        model_id,
        modifier as applied,
        cast(multiplier as numeric(18, 12)) as amount,
        valid_from_date,
        valid_to_date,
        known_from_date,
        case when model_id is null then 0 else 1 end as precedence
    from {{ ref('price_modifiers') }}
    {{ where_known() }}

    union all

    select
        vendor,
        cast(null as {{ dbt.type_string() }}) as model_id,
        tool as applied,
        {{ unit_price_usd('usd_per_1k', '0.001') }} as amount,
        valid_from_date,
        valid_to_date,
        known_from_date,
        0 as precedence
    from {{ ref('server_tool_prices') }}
    {{ where_known() }}

    union all

    select
        vendor,
        model_id,
        'contract' as applied,
        cast(multiplier as numeric(18, 12)) as amount,
        valid_from_date,
        valid_to_date,
        known_from_date,
        case when customer_id is null then 0 else 2 end
        + case when model_id is null then 0 else 1 end as precedence
    from (
        select * from {{ ref('contract_discounts') }}
        {{ where_known() }}
    ) as discounts
    where
        customer_id is null
        or customer_id = '{{ customer() }}'
),

terms_of_models as (
    select
        models.vendor as vendor,
        models.model_id as model_id,
        terms.applied as applied,
        terms.amount as amount,
        coalesce(terms.valid_from_date, {{ first_day }}) as valid_from_date,
        coalesce(terms.valid_to_date, {{ last_day }}) as valid_to_date,
        terms.known_from_date as known_from_date,
        terms.precedence as precedence
    from models
    inner join terms
        on models.vendor = terms.vendor
    where
        terms.model_id is null
        or terms.model_id = models.model_id
),

-- the days on which something begins or ends, and the periods between them
days as (
    {% for relation in ['prices', 'terms_of_models'] %}
    {% for day in ['valid_from_date', 'valid_to_date'] %}
    select
        vendor,
        model_id,
        {{ day }} as cut_date
    from {{ relation }}
    {% if not loop.last %}
    union
    {% endif %}
    {% endfor %}
    {% if not loop.last %}
    union
    {% endif %}
    {% endfor %}
),

numbered_days as (
    select
        vendor,
        model_id,
        cut_date,
        row_number() over (partition by vendor, model_id order by cut_date asc) as day_number
    from days
),

periods as (
    select
        these_days.vendor as vendor,
        these_days.model_id as model_id,
        these_days.cut_date as valid_from_date,
        next_days.cut_date as valid_to_date
    from numbered_days as these_days
    inner join numbered_days as next_days
        on these_days.vendor = next_days.vendor
        and these_days.model_id = next_days.model_id
        and these_days.day_number + 1 = next_days.day_number
),

ranked_prices as (
    select
        periods.vendor as vendor,
        periods.model_id as model_id,
        periods.valid_from_date as valid_from_date,
        periods.valid_to_date as valid_to_date,
        prices.price_band as price_band,
        prices.prompt_tokens_above as prompt_tokens_above,
        prices.valid_from_date as price_from_date,
        {% for kind in token_kinds %}
        prices.{{ kind }}_usd as {{ kind }}_usd,
        {% endfor %}
        row_number() over (
            partition by
                periods.vendor,
                periods.model_id,
                periods.valid_from_date,
                prices.prompt_tokens_above
            order by prices.known_from_date desc nulls last
        ) as knowledge_rank
    from periods
    inner join prices
        on periods.vendor = prices.vendor
        and periods.model_id = prices.model_id
        and periods.valid_from_date >= prices.valid_from_date
        and periods.valid_from_date < prices.valid_to_date
),

-- a model that is known without a price stays unpriced
prices_of_periods as (
    select
        *,
        row_number() over (
            partition by vendor, model_id, valid_from_date
            order by prompt_tokens_above asc
        ) as band_number
    from ranked_prices
    where
        knowledge_rank = 1
        and input_usd is not null
),

ranked_terms as (
    select
        periods.vendor as vendor,
        periods.model_id as model_id,
        periods.valid_from_date as valid_from_date,
        terms_of_models.applied as applied,
        terms_of_models.amount as amount,
        row_number() over (
            partition by
                periods.vendor, periods.model_id, periods.valid_from_date, terms_of_models.applied
            order by
                terms_of_models.precedence desc,
                terms_of_models.known_from_date desc nulls last
        ) as term_rank
    from periods
    inner join terms_of_models
        on periods.vendor = terms_of_models.vendor
        and periods.model_id = terms_of_models.model_id
        and periods.valid_from_date >= terms_of_models.valid_from_date
        and periods.valid_from_date < terms_of_models.valid_to_date
),

-- a multiplier that is not named is 1; one that is named without a number is unknown
terms_of_periods as (
    select
        vendor,
        model_id,
        valid_from_date,
        {% for name in multipliers %}
        case
            when max(case when applied = '{{ name }}' then 1 else 0 end) = 0 then 1
            else max(case when applied = '{{ name }}' then amount end)
        end as {{ name }}_multiplier,
        {% endfor %}
        max(case when applied = 'web_search' then amount end) as web_search_usd
    from ranked_terms
    where term_rank = 1
    group by vendor, model_id, valid_from_date
),

joined as (
    select
        these.vendor as vendor,
        these.model_id as model_id,
        these.price_band as price_band,
        these.valid_from_date as valid_from_date,
        these.valid_to_date as valid_to_date,
        these.price_from_date as price_from_date,
        these.prompt_tokens_above as prompt_tokens_above,
        coalesce(next_band.prompt_tokens_above, 9000000000000000000) as prompt_tokens_up_to,
        {% for kind in token_kinds %}
        these.{{ kind }}_usd as {{ kind }}_usd,
        {% endfor %}
        {% for name in multipliers %}
        case
            when terms_of_periods.vendor is null then 1
            else cast(terms_of_periods.{{ name }}_multiplier as numeric(18, 6))
        end as {{ name }}_multiplier,
        {% endfor %}
        terms_of_periods.web_search_usd as web_search_usd
    from prices_of_periods as these
    left join prices_of_periods as next_band
        on these.vendor = next_band.vendor
        and these.model_id = next_band.model_id
        and these.valid_from_date = next_band.valid_from_date
        and these.band_number + 1 = next_band.band_number
    left join terms_of_periods
        on these.vendor = terms_of_periods.vendor
        and these.model_id = terms_of_periods.model_id
        and these.valid_from_date = terms_of_periods.valid_from_date
),

final as (
    select
        vendor,
        model_id,
        price_band,
        valid_from_date,
        valid_to_date,
        prompt_tokens_above,
        prompt_tokens_up_to,
        {% for kind in token_kinds %}
        {{ kind }}_usd,
        {% endfor %}
        cast(web_search_usd as numeric(18, 12)) as web_search_usd,
        cast(contract_multiplier as numeric(9, 6)) as contract_multiplier,
        {% for name in multipliers if name != 'contract' %}
        cast({{ name }}_multiplier as numeric(18, 4)) as {{ name }}_multiplier,
        {% endfor %}
        model_id || '/' || price_band || '/'
        || cast(price_from_date as {{ dbt.type_string() }}) || '/'
        || substr(
            {% set values = [] %}
            {% for column in what_it_says %}
            {% do values.append(
                "coalesce(cast(cast(cast(" ~ column
                ~ " as numeric(38, 12)) * 1000000000000 as bigint) as " ~ dbt.type_string()
                ~ "), '')"
            ) %}
            {% endfor %}
            {{ sha256_hex(values | join(" || '|' || ")) }}, 1, 8
        ) as price_version
    from joined
)

select * from final
