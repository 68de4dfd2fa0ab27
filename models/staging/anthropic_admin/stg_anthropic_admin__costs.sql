{# The bill by day and group, in dollars since it landed; a classic report tells no list amount. #}
with

source as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_costs') }}
),

renamed as (
    select
        'anthropic_admin' as source,
        load_id,
        report,
        'anthropic' as vendor,
        org_id,
        org_id || '/' || bucket_key as bucket_key,
        bucket_start_at,
        bucket_end_at,
        {{ workspace_or_default() }} as workspace_id,
        {{ api_key_or_console() }} as api_key_id,
        model as requested_model,
        case
            when is_empty then cast(null as {{ dbt.type_string() }})
            when cost_type in ('tokens', 'web_search', 'code_execution', 'session_usage')
                then cost_type
            when cost_type is null and token_type is not null then 'tokens'
            else 'other'
        end as cost_type,
        case token_type
            when 'uncached_input_tokens' then 'input'
            when 'cache_creation.ephemeral_5m_input_tokens' then 'cache_write_5m'
            when 'cache_creation.ephemeral_1h_input_tokens' then 'cache_write_1h'
            when 'cache_read_input_tokens' then 'cache_read'
            when 'output_tokens' then 'output'
        end as token_type,
        service_tier,
        context_window,
        inference_geo,
        description,
        cast(null as {{ type_usd() }}) as quantity,
        cast(null as {{ dbt.type_string() }}) as quantity_unit,
        amount_usd as net_cost_usd,
        list_amount_usd as list_cost_usd,
        coalesce(currency, 'USD') as currency,
        is_empty,
        data_refreshed_at
    from source
)

select * from renamed
