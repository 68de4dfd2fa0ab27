{# Lines of a bill that a source tells in our own words. #}
with

source as (
    select * from {{ source('mindweave', 'cost_events') }}
),

renamed as (
    select
        source,
        load_id,
        report,
        vendor,
        org_id,
        bucket_key,
        bucket_start_at,
        bucket_end_at,
        workspace_id,
        api_key_id,
        requested_model,
        coalesce(cost_type, 'other') as cost_type,
        token_type,
        service_tier,
        context_window,
        inference_geo,
        description,
        quantity,
        quantity_unit,
        net_cost_usd,
        list_cost_usd,
        coalesce(currency, 'USD') as currency,
        coalesce(is_empty, false) as is_empty,
        data_refreshed_at
    from source
)

select * from renamed
