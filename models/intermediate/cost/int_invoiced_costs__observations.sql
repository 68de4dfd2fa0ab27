{# Every sight of a line of a vendor's bill. A source joins by `cost_sources`. #}
{% set columns = [
    'source', 'load_id', 'report', 'vendor', 'org_id', 'bucket_key', 'bucket_start_at',
    'bucket_end_at', 'workspace_id', 'api_key_id', 'requested_model', 'cost_type', 'token_type',
    'service_tier', 'context_window', 'inference_geo', 'description', 'quantity', 'quantity_unit',
    'net_cost_usd', 'list_cost_usd', 'currency', 'is_empty', 'data_refreshed_at'
] %}
with

observed as (
    {% for source in cost_sources() %}
    select
        {{ columns | join(', ') }}
    from {{ ref('stg_' ~ source ~ '__costs') }}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

{{ newest_buckets(columns, 'cost') }}

select * from final
