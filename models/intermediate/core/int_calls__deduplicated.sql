-- depends_on: {{ ref('int_calls__links') }}
-- depends_on: {{ ref('int_calls__withdrawn') }}
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
  labels of the first record that is no replay. A side chain's replay never wins over its parent.
  Ties are broken by the record's own place, so that the order of loading never matters. Where
  several sources saw a call, the seed `source_precedence` says whose word counts, column by column.

  A row with `merged_into_call_id` was a call until a source told that it is one with another, or
  `none` until it was withdrawn: it holds nothing any more, and is there so that what was made of it
  goes.
#}
{% set usage_columns = [
    'input_tokens', 'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens',
    'output_tokens', 'cache_write_assumed_tokens'
] %}
{# of the record with the most tokens #}
{% set served_columns = [
    'requested_model', 'service_tier', 'speed', 'inference_geo', 'region', 'status',
    'web_search_requests', 'latency_ms'
] %}
{# of the first record #}
{% set label_columns = [
    'session_id', 'org_id', 'workspace_id', 'api_key_id', 'project', 'team_id', 'user_id',
    'user_region', 'data_classification', 'dedup_hash'
] %}
{% set chosen_columns = served_columns + label_columns + ['reported_cost_usd'] %}
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
            or call_id in (
                select withdrawn.call_id
                from {{ ref('int_calls__withdrawn') }} as withdrawn
                where {{ newer_than_this('withdrawn.processed_at') }}
            )
    {% endif %}
),

-- each with its own columns alone: a sort of whole observations is what takes memory here
usage_records as (
    select
        call_id,
        source,
        {{ (usage_columns + served_columns) | join(',\n        ') }}
    from (
        select
            call_id,
            source,
            {{ (usage_columns + served_columns) | join(',\n            ') }},
            row_number() over (
                partition by call_id
                order by
                    is_sidechain asc nulls last,
                    total_tokens desc,
                    case when speed is null then 1 else 0 end asc,
                    observed_at asc,
                    observation_id asc
            ) as usage_rank
        from observations
    ) as ranked
    where usage_rank = 1
),

label_records as (
    select
        call_id,
        {{ label_columns | join(',\n        ') }}
    from (
        select
            call_id,
            {{ label_columns | join(',\n            ') }},
            row_number() over (
                partition by call_id
                order by is_sidechain asc nulls last, observed_at asc, observation_id asc
            ) as label_rank
        from observations
    ) as ranked
    where label_rank = 1
),

merged as (
    select
        call_id,
        max(identity) as identity,
        max(vendor) as vendor,
        max(request_id) as request_id,
        max(message_id) as message_id,
        count(*) as observation_count,
        count(distinct source) as source_count,
        min(observed_at) as called_at,
        max(observed_at) as last_observed_at,
        max(processed_at) as processed_at,
        cast(
            min(case when is_sidechain then 1 when not is_sidechain then 0 end) = 1 as boolean
        ) as is_sidechain,
        substr(min(load_place), 13) as first_load_id,
        max(reported_cost_usd) as reported_cost_usd,
        max(reported_cost_basis) as reported_cost_basis
    from observations
    group by call_id
),

precedence as (
    select
        source,
        {% for column in chosen_columns + ['usage'] %}
        min(case when column_name = '{{ column }}' then priority end) as {{ column }}_priority
        {%- if not loop.last %},{% endif %}

        {% endfor %}
    from {{ ref('source_precedence') }}
    group by source
),

-- calls that several sources saw, which most did not: the rest takes no part in what follows
of_several as (
    select
        observations.*,
        max(case when not observations.is_sidechain then 1 else 0 end) over (
            partition by observations.call_id
        ) as is_told_outside_a_side_chain,
        {% for column in chosen_columns + ['usage'] %}
        coalesce(precedence.{{ column }}_priority, 1000) as {{ column }}_priority
        {%- if not loop.last %},{% endif %}

        {% endfor %}
    from observations
    left join precedence
        on observations.source = precedence.source
    where
        observations.call_id in (
            select merged.call_id
            from merged
            where merged.source_count > 1
        )
),

ranked_of_several as (
    select
        *,
        row_number() over (
            partition by call_id
            order by
                case when is_sidechain then is_told_outside_a_side_chain else 0 end asc,
                total_tokens desc,
                usage_priority asc,
                case when speed is null then 1 else 0 end asc,
                observed_at asc,
                observation_id asc
        ) as usage_rank,
        row_number() over (
            partition by call_id, source
            order by
                is_sidechain asc nulls last,
                total_tokens desc,
                case when speed is null then 1 else 0 end asc,
                observed_at asc,
                observation_id asc
        ) as served_rank,
        row_number() over (
            partition by call_id, source
            order by is_sidechain asc nulls last, observed_at asc, observation_id asc
        ) as label_rank
    from of_several
),

by_source as (
    select
        call_id,
        source,
        max(case when usage_rank = 1 then source end) as usage_source,
        {% for column in usage_columns %}
        max(case when usage_rank = 1 then {{ column }} end) as {{ column }},
        {% endfor %}
        {% for column in served_columns %}
        max(case when served_rank = 1 then {{ column }} end) as {{ column }},
        {% endfor %}
        {% for column in label_columns %}
        max(case when label_rank = 1 then {{ column }} end) as {{ column }},
        {% endfor %}
        max(reported_cost_usd) as reported_cost_usd,
        max(reported_cost_basis) as reported_cost_basis,
        {% for column in chosen_columns %}
        min({{ column }}_priority) as {{ column }}_priority
        {%- if not loop.last %},{% endif %}

        {% endfor %}
    from ranked_of_several
    group by call_id, source
),

compared as (
    select
        {% for column in chosen_columns %}
        min(case when {{ column }} is not null then {{ column }}_priority end)
            over (partition by call_id) as best_{{ column }},
        {% endfor %}
        *
    from by_source
),

chosen as (
    select
        call_id,
        max(usage_source) as source,
        {% for column in usage_columns %}
        max({{ column }}) as {{ column }},
        {% endfor %}
        {% for column in chosen_columns %}
        max(case when {{ column }}_priority = best_{{ column }} then {{ column }} end)
            as {{ column }},
        {% endfor %}
        max(
            case
                when reported_cost_usd_priority = best_reported_cost_usd
                    then reported_cost_basis
            end
        ) as reported_cost_basis
    from compared
    group by call_id
),

calls as (
    select
        merged.call_id as call_id,
        merged.identity as identity,
        merged.vendor as vendor,
        merged.request_id as request_id,
        merged.message_id as message_id,
        merged.observation_count as observation_count,
        merged.source_count as source_count,
        merged.called_at as called_at,
        merged.last_observed_at as last_observed_at,
        merged.processed_at as processed_at,
        coalesce(merged.is_sidechain, false) as is_sidechain,
        merged.first_load_id as first_load_id,
        coalesce(chosen.source, usage_records.source) as source,
        {% for column in usage_columns + served_columns %}
        coalesce(chosen.{{ column }}, usage_records.{{ column }}) as {{ column }},
        {% endfor %}
        {% for column in label_columns %}
        coalesce(chosen.{{ column }}, label_records.{{ column }}) as {{ column }},
        {% endfor %}
        cast(
            coalesce(chosen.reported_cost_usd, merged.reported_cost_usd) as {{ type_usd() }}
        ) as reported_cost_usd,
        coalesce(chosen.reported_cost_basis, merged.reported_cost_basis) as reported_cost_basis,
        cast(null as {{ dbt.type_string() }}) as merged_into_call_id
    from merged
    inner join usage_records
        on merged.call_id = usage_records.call_id
    inner join label_records
        on merged.call_id = label_records.call_id
    left join chosen
        on merged.call_id = chosen.call_id
)

select * from calls
{% if is_incremental() %}

    union all

    select
        held.call_id as call_id,
        held.identity as identity,
        held.vendor as vendor,
        held.request_id as request_id,
        held.message_id as message_id,
        0 as observation_count,
        0 as source_count,
        held.called_at as called_at,
        held.last_observed_at as last_observed_at,
        {{ current_run_at() }} as processed_at,
        held.is_sidechain as is_sidechain,
        held.first_load_id as first_load_id,
        held.source as source,
        {% for column in usage_columns %}
        0 as {{ column }},
        {% endfor %}
        {% for column in chosen_columns + ['reported_cost_basis'] %}
        held.{{ column }} as {{ column }},
        {% endfor %}
        coalesce(links.vendor || '/' || links.message_id, 'none') as merged_into_call_id
    from {{ this }} as held
    left join {{ ref('int_calls__links') }} as links
        on held.call_id = links.vendor || '/' || links.request_id
    where
        held.merged_into_call_id is null
        and (
            links.message_id is not null
            or (
                held.call_id in (
                    select withdrawn.call_id
                    from {{ ref('int_calls__withdrawn') }} as withdrawn
                )
                and held.call_id not in (
                    select observed.call_id
                    from {{ ref('int_calls__observations') }} as observed
                )
            )
        )
{% endif %}
