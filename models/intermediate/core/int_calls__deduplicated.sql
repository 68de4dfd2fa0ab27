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
        min(case when is_sidechain then 1 else 0 end) = 1 as is_sidechain,
        max(case when load_rank = 1 then load_id end) as first_load_id
    from ranked
    group by call_id
),

final as (
    select
        merged.call_id,
        merged.identity,
        merged.vendor,
        merged.request_id,
        merged.observation_count,
        merged.source_count,
        merged.reported_cost_usd,
        merged.called_at,
        merged.last_observed_at,
        merged.processed_at,
        merged.is_sidechain,
        merged.first_load_id,

        usage.source,
        usage.requested_model,
        usage.service_tier,
        usage.speed,
        usage.inference_geo,
        usage.status,
        usage.input_tokens,
        usage.cache_write_5m_tokens,
        usage.cache_write_1h_tokens,
        usage.cache_read_tokens,
        usage.output_tokens,
        usage.cache_write_assumed_tokens,
        usage.web_search_requests,

        labels.session_id,
        labels.project,
        labels.team_id,
        labels.user_id
    from merged
    inner join ranked as usage
        on merged.call_id = usage.call_id
        and usage.usage_rank = 1
    inner join ranked as labels
        on merged.call_id = labels.call_id
        and labels.label_rank = 1
)

select * from final
