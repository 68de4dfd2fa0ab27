{# Every sight of a bucket of usage. A source joins by `usage_bucket_sources`. #}
{% set columns = [
    'source', 'load_id', 'report', 'vendor', 'org_id', 'bucket_key', 'bucket_start_at',
    'bucket_end_at', 'bucket_width', 'workspace_id', 'api_key_id', 'user_id', 'product',
    'requested_model', 'service_tier', 'context_window', 'inference_geo', 'speed', 'input_tokens',
    'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens', 'output_tokens',
    'web_search_requests', 'request_count', 'reported_cost_usd', 'is_empty', 'data_refreshed_at'
] %}
{#- a change of the width leaves buckets of both: the widest hold the whole day -#}
{% set width_rank = "case located.bucket_width when '1d' then 1 when '1h' then 2 else 3 end" %}
with

observed as (
    {% for source in usage_bucket_sources() %}
    select
        {{ columns | join(', ') }}
    from {{ ref('stg_' ~ source ~ '__usage_buckets') }}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

{{ newest_buckets(columns, 'usage', width_rank) }}

select * from final
