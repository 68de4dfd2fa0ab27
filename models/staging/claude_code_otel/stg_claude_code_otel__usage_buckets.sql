{#
  The counters of tokens and cost, a minute a bucket, in the columns that all sources share. They are
  another account of the same calls: a check, never a fact to add.
#}
with

increments as (
    select
        *,
        coalesce(org_id, '')
        || '/' || coalesce(user_id, '')
        || '/' || requested_model
        || '/' || speed
        || '/' || cast(bucket_start_at as {{ dbt.type_string() }}) as bucket_key
    from {{ ref('stg_claude_code_otel__metric_increments') }}
    where metric_name in ('token.usage', 'cost.usage')
),

ranked as (
    select
        *,
        row_number() over (
            partition by bucket_key
            order by loaded_at desc, load_id desc
        ) as load_rank
    from increments
),

final as (
    select
        'claude_code_otel' as source,
        max(case when load_rank = 1 then load_id end) as load_id,
        'claude_code_metrics' as report,
        'anthropic' as vendor,
        max(org_id) as org_id,
        bucket_key,
        max(bucket_start_at) as bucket_start_at,
        max(bucket_end_at) as bucket_end_at,
        '1m' as bucket_width,
        cast(null as {{ dbt.type_string() }}) as workspace_id,
        cast(null as {{ dbt.type_string() }}) as api_key_id,
        max(user_id) as user_id,
        'claude_code' as product,
        max(requested_model) as requested_model,
        cast(null as {{ dbt.type_string() }}) as service_tier,
        cast(null as {{ dbt.type_string() }}) as context_window,
        cast(null as {{ dbt.type_string() }}) as inference_geo,
        max(speed) as speed,
        {% for kind, column in [
            ('input', 'input_tokens'),
            ('cacheCreation', 'cache_write_5m_tokens'),
            ('none', 'cache_write_1h_tokens'),
            ('cacheRead', 'cache_read_tokens'),
            ('output', 'output_tokens')
        ] %}
        cast(
            sum(
                case
                    when metric_name = 'token.usage' and metric_type = '{{ kind }}'
                        then increment_value
                    else cast(0 as {{ type_usd() }})
                end
            ) as {{ dbt.type_bigint() }}
        ) as {{ column }},
        {% endfor %}
        cast(0 as {{ dbt.type_bigint() }}) as web_search_requests,
        cast(null as {{ dbt.type_bigint() }}) as request_count,
        cast(
            sum(case when metric_name = 'cost.usage' then increment_value end)
            as {{ type_usd() }}
        ) as reported_cost_usd,
        cast(false as boolean) as is_empty,
        max(observed_at) as data_refreshed_at
    from ranked
    group by bucket_key
)

select * from final
