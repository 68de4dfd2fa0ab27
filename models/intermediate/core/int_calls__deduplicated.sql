{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='call_id',
    on_schema_change='fail'
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

        max(case when usage_rank = 1 then source end) as source,
        max(case when usage_rank = 1 then requested_model end) as requested_model,
        max(case when usage_rank = 1 then service_tier end) as service_tier,
        max(case when usage_rank = 1 then speed end) as speed,
        max(case when usage_rank = 1 then inference_geo end) as inference_geo,
        max(case when usage_rank = 1 then status end) as status,
        max(case when usage_rank = 1 then input_tokens end) as input_tokens,
        max(case when usage_rank = 1 then cache_write_5m_tokens end) as cache_write_5m_tokens,
        max(case when usage_rank = 1 then cache_write_1h_tokens end) as cache_write_1h_tokens,
        max(case when usage_rank = 1 then cache_read_tokens end) as cache_read_tokens,
        max(case when usage_rank = 1 then output_tokens end) as output_tokens,
        max(case when usage_rank = 1 then cache_write_assumed_tokens end)
            as cache_write_assumed_tokens,
        max(case when usage_rank = 1 then web_search_requests end) as web_search_requests,

        max(case when label_rank = 1 then session_id end) as session_id,
        max(case when label_rank = 1 then project end) as project,
        max(case when label_rank = 1 then team_id end) as team_id,
        max(case when label_rank = 1 then user_id end) as user_id,
        min(case when is_sidechain then 1 else 0 end) = 1 as is_sidechain,

        max(case when load_rank = 1 then load_id end) as first_load_id
    from ranked
    group by call_id
)

select * from merged
