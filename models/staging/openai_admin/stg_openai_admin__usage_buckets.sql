{#
  OpenAI's input_tokens hold what was read from and written to the cache, which is taken out here. It
  says nothing of 5 minutes or an hour: a write counts as a 5-minute one. Reports on web and file
  searches count requests that other reports count, too.
#}
with

source as (
    select * from {{ source('openai_admin', 'openai_admin_usage') }}
),

renamed as (
    select
        -- ids
        'openai_admin' as source,
        load_id,
        report,
        'openai' as vendor,
        org_id,
        bucket_key,

        -- timestamps
        bucket_start_at,
        bucket_end_at,

        -- dimensions
        bucket_width,
        project_id as workspace_id,
        api_key_id,
        user_id,
        cast(null as {{ dbt.type_string() }}) as product,
        model as requested_model,
        case
            when is_batch then 'batch'
            when lower(service_tier) = 'default' then 'standard'
            else lower(service_tier)
        end as service_tier,
        cast(null as {{ dbt.type_string() }}) as context_window,
        cast(null as {{ dbt.type_string() }}) as inference_geo,
        cast(null as {{ dbt.type_string() }}) as speed,

        -- quantities
        coalesce(
            input_uncached_tokens,
            input_tokens
            - coalesce(input_cached_tokens, 0)
            - coalesce(input_cache_write_tokens, 0),
            0
        ) as input_tokens,
        coalesce(input_cache_write_tokens, 0) as cache_write_5m_tokens,
        cast(0 as {{ dbt.type_bigint() }}) as cache_write_1h_tokens,
        coalesce(input_cached_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        case
            when report = 'usage_web_search_calls'
                then coalesce(num_requests, num_model_requests, 0)
            else 0
        end as web_search_requests,
        case
            when report in ('usage_web_search_calls', 'usage_file_search_calls') then null
            else num_model_requests
        end as request_count,

        -- money
        cast(null as {{ type_usd() }}) as reported_cost_usd,

        -- booleans
        coalesce(is_empty, false) as is_empty,

        -- timestamps of the report itself
        cast(null as {{ dbt.type_timestamp() }}) as data_refreshed_at
    from source
)

select * from renamed
