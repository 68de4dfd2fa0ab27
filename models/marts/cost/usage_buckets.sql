{{ config(order_by=['vendor', 'bucket_start_at', 'source', 'report']) }}

with

observations as (
    select * from {{ ref('int_usage_buckets__observations') }}
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
                    'workspace_id', 'api_key_id', 'user_id', 'product', 'requested_model',
                    'service_tier', 'context_window', 'inference_geo', 'speed'
                ]) }} asc,
                input_tokens asc,
                cache_write_5m_tokens asc,
                cache_write_1h_tokens asc,
                cache_read_tokens asc,
                output_tokens asc,
                web_search_requests asc,
                request_count asc
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
        numbered.user_id as user_id,

        -- times
        numbered.usage_date as usage_date,
        numbered.bucket_start_at as bucket_start_at,
        numbered.bucket_end_at as bucket_end_at,
        numbered.bucket_width as bucket_width,

        -- what was used, and how it was served
        numbered.vendor as vendor,
        coalesce(aliases.model_id, numbered.requested_model) as model_id,
        numbered.requested_model as requested_model,
        numbered.product as product,
        numbered.service_tier as service_tier,
        numbered.context_window as context_window,
        numbered.inference_geo as inference_geo,
        numbered.speed as speed,

        -- quantities
        cast(numbered.input_tokens as bigint) as input_tokens,
        cast(numbered.cache_write_5m_tokens as bigint) as cache_write_5m_tokens,
        cast(numbered.cache_write_1h_tokens as bigint) as cache_write_1h_tokens,
        cast(numbered.cache_read_tokens as bigint) as cache_read_tokens,
        cast(numbered.output_tokens as bigint) as output_tokens,
        cast(numbered.web_search_requests as bigint) as web_search_requests,
        cast(numbered.request_count as bigint) as request_count,
        cast(numbered.reported_cost_usd as {{ type_usd() }}) as reported_cost_usd,

        -- lineage
        numbered.is_reconciled as is_reconciled,
        numbered.data_refreshed_at as data_refreshed_at,
        numbered.load_id as load_id
    from numbered
    left join aliases
        on numbered.requested_model = aliases.alias
)

select * from final
