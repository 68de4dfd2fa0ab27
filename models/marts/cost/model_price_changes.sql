{{ config(order_by=['model_id', 'valid_from_date']) }}

{#
  The days on which a model that was called costs another price. A range of prompts that has a price of
  its own for a while only is followed over all the time: before and after it, it costs what any
  prompt does.
#}
{% set kinds = ['input', 'cache_write_5m', 'cache_write_1h', 'cache_read', 'output'] %}
with

prices as (
    select * from {{ ref('int_prices__in_force') }}
),

models as (
    select
        model_id,
        min(usage_date) as first_date
    from {{ ref('int_costs__daily') }}
    where total_calls > 0
    group by model_id
),

ranges as (
    select distinct
        vendor,
        model_id,
        prompt_tokens_above
    from prices
),

by_kind as (
    {% for kind in kinds %}
    select
        ranges.vendor as vendor,
        ranges.model_id as model_id,
        ranges.prompt_tokens_above as prompt_tokens_above,
        prices.prompt_tokens_above as price_above,
        '{{ kind }}' as token_type,
        prices.valid_from_date as valid_from_date,
        cast(prices.{{ kind }}_usd as numeric(38, 12)) * 1000000 as list_usd,
        prices.contract_multiplier as contract_multiplier
    from ranges
    inner join prices
        on ranges.vendor = prices.vendor
        and ranges.model_id = prices.model_id
    where
        prices.prompt_tokens_above <= ranges.prompt_tokens_above
        and prices.prompt_tokens_up_to > ranges.prompt_tokens_above
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

costed as (
    select
        *,
        cast(list_usd * contract_multiplier as {{ type_usd() }}) as price_usd
    from by_kind
),

compared as (
    select
        *,
        lag(price_above) over of_the_kind as previous_above,
        lag(list_usd) over of_the_kind as previous_list_usd,
        lag(contract_multiplier) over of_the_kind as previous_multiplier,
        lag(price_usd) over of_the_kind as previous_price_usd,
        row_number() over of_the_kind as period_number
    from costed
    window
        of_the_kind as (
            partition by vendor, model_id, prompt_tokens_above, token_type
            order by valid_from_date asc
        )
),

final as (
    select
        '{{ customer() }}' as customer_id,
        compared.vendor as vendor,
        compared.model_id as model_id,
        cast(compared.prompt_tokens_above as {{ dbt.type_bigint() }}) as prompt_tokens_above,
        compared.token_type as token_type,
        compared.valid_from_date as valid_from_date,
        case
            when compared.contract_multiplier = compared.previous_multiplier then 'list price'
            when coalesce(compared.list_usd, -1) = coalesce(compared.previous_list_usd, -1)
                then 'contract'
            else 'list price and contract'
        end as reason,
        cast(compared.previous_price_usd as {{ type_usd() }}) as previous_price_usd,
        cast(compared.price_usd as {{ type_usd() }}) as price_usd
    from compared
    inner join models
        on compared.model_id = models.model_id
    where
        compared.period_number > 1
        and compared.valid_from_date > models.first_date
        and coalesce(compared.price_usd, -1) != coalesce(compared.previous_price_usd, -1)
        -- a range is told apart from any prompt only where it has, or had, a price of its own
        and (
            compared.prompt_tokens_above = compared.price_above
            or compared.prompt_tokens_above = compared.previous_above
        )
)

select * from final
