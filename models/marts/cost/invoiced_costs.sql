{{ config(order_by=['vendor', 'usage_date', 'source', 'report']) }}

with

observations as (
    select * from {{ ref('int_invoiced_costs__observations') }}
    where
        is_newest
        and not is_empty
),

numbered as (
    select
        *,
        row_number() over (
            partition by source, report, bucket_key
            order by
                bucket_start_at asc,
                {{ texts_hash([
                    'workspace_id', 'api_key_id', 'requested_model', 'cost_type', 'token_type',
                    'service_tier', 'context_window', 'inference_geo', 'description', 'quantity_unit'
                ]) }} asc,
                quantity asc,
                net_cost_usd asc,
                list_cost_usd asc
        ) as line_number
    from observations
),

aliases as (
    select * from {{ ref('model_aliases') }}
),

final as (
    select
        -- ids
        numbered.bucket_key as bucket_key,
        cast(numbered.line_number as bigint) as line_number,
        '{{ customer() }}' as customer_id,
        numbered.source as source,
        numbered.report as report,
        numbered.org_id as org_id,
        numbered.workspace_id as workspace_id,
        numbered.api_key_id as api_key_id,

        -- times
        numbered.usage_date as usage_date,
        numbered.bucket_start_at as bucket_start_at,
        numbered.bucket_end_at as bucket_end_at,

        -- what it is for
        numbered.vendor as vendor,
        coalesce(aliases.model_id, numbered.requested_model) as model_id,
        numbered.requested_model as requested_model,
        numbered.cost_type as cost_type,
        numbered.token_type as token_type,
        numbered.service_tier as service_tier,
        numbered.context_window as context_window,
        numbered.inference_geo as inference_geo,
        numbered.description as description,

        -- quantities and money
        cast(numbered.quantity as {{ type_usd() }}) as quantity,
        numbered.quantity_unit as quantity_unit,
        cast(numbered.net_cost_usd as {{ type_usd() }}) as net_cost_usd,
        cast(numbered.list_cost_usd as {{ type_usd() }}) as list_cost_usd,
        numbered.currency as currency,

        -- lineage
        numbered.is_reconciled as is_reconciled,
        numbered.data_refreshed_at as data_refreshed_at,
        numbered.load_id as load_id
    from numbered
    left join aliases
        on numbered.requested_model = aliases.alias
)

select * from final
