-- an alias, a modifier or a discount of a model that is not there would never be used
with

named as (
    {% for seed in ['model_aliases', 'price_modifiers', 'contract_discounts'] %}
    select
        '{{ seed }}' as seed,
        vendor,
        model_id
    from {{ ref(seed) }}
    where model_id is not null
    {% if not loop.last %}

    union

    {% endif %}
    {% endfor %}
),

models as (
    select distinct
        vendor,
        model_id
    from {{ ref('model_prices') }}
)

select
    named.seed,
    named.vendor,
    named.model_id
from named
left join models
    on named.vendor = models.vendor
    and named.model_id = models.model_id
where models.model_id is null
