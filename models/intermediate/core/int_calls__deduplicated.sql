{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='call_id',
    on_schema_change='fail',
    order_by=['call_id'],
    partition_by='toYYYYMM(called_at)',
    sharding_key='sipHash64(assumeNotNull(call_id))'
) }}

{#
  One row a call. Of all its observations: the earliest time; the usage with the most tokens; the
  labels of the first record that is no side chain. A side chain's replay never wins over its parent.
  Ties are broken by the record's own place, so that the order of loading never matters.
#}
with

observations as (
    select * from {{ ref('int_calls__observations') }}
    {% if is_incremental() %}
        where
            call_id in (
                select changed.call_id
                from {{ ref('int_calls__observations') }} as changed
                where {{ newer_than_this('changed.processed_at') }}
            )
    {% endif %}
),

ranked as (
    select
        *,
        row_number() over (
            partition by call_id
            order by
                is_sidechain asc,
                total_tokens desc,
                case when speed is null then 1 else 0 end asc,
                observed_at asc,
                observation_id asc
        ) as usage_rank,
        row_number() over (
            partition by call_id
            order by is_sidechain asc, observed_at asc, observation_id asc
        ) as label_rank,
        row_number() over (
            partition by call_id
            order by loaded_at asc, load_id asc
        ) as load_rank
    from observations
),

merged as (
    select
        call_id,
        max(identity) as identity,
        max(vendor) as vendor,
        max(request_id) as request_id,
        count(*) as observation_count,
        count(distinct source) as source_count,
        max(reported_cost_usd) as reported_cost_usd,
        min(observed_at) as called_at,
        max(observed_at) as last_observed_at,
        max(processed_at) as processed_at,
        cast(min(case when is_sidechain then 1 else 0 end) = 1 as boolean) as is_sidechain,
        max(case when load_rank = 1 then load_id end) as first_load_id,

        {% for column in [
            'source', 'requested_model', 'service_tier', 'speed', 'inference_geo', 'status',
            'input_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens',
            'output_tokens', 'cache_write_assumed_tokens', 'web_search_requests'
        ] %}
        max(case when usage_rank = 1 then {{ column }} end) as {{ column }},
        {% endfor %}

        max(case when label_rank = 1 then session_id end) as session_id,
        max(case when label_rank = 1 then project end) as project,
        max(case when label_rank = 1 then team_id end) as team_id,
        max(case when label_rank = 1 then user_id end) as user_id
    from ranked
    group by call_id
)

select * from merged
