with

priced_models as (
    select
        vendor,
        model_id
    from {{ ref('model_prices') }}
    where input_usd_per_mtok is not null
    group by vendor, model_id
)

select
    model_aliases.vendor,
    model_aliases.alias,
    model_aliases.model_id
from {{ ref('model_aliases') }} as model_aliases
left join priced_models
    on model_aliases.vendor = priced_models.vendor
    and model_aliases.model_id = priced_models.model_id
where priced_models.model_id is null
