{#
  Claude Code's input_tokens exclude the cache, as Anthropic's do. A cache write comes without its
  split, so all of it is taken as a 5-minute write. Where an event knows the request's id and a span
  only the client's, the two ids lead to one another.
#}
with

source as (
    select * from {{ source('claude_code_otel', 'claude_code_otel_requests') }}
    -- what is not known yet must not tell what is known whose it is
    where load_id in (select loads.load_id from {{ ref('stg_mindweave__loads') }} as loads)
),

renamed as (
    select
        -- ids
        load_id,
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        coalesce(
            request_id,
            case
                when client_request_id is not null
                    then max(request_id) over (partition by client_request_id)
            end,
            client_request_id
        ) as request_id,
        client_request_id,
        -- a span has an id of its own; the sequence of events starts again with every process
        case
            when trace_id is not null and span_id is not null and event_name = 'llm_request'
                then 'span/' || trace_id || '/' || span_id
            else
                coalesce(session_id, '')
                || '/' || coalesce(cast(event_sequence as {{ dbt.type_string() }}), '')
                || '/' || event_name
                || '/' || cast(ended_at as {{ dbt.type_string() }})
        end as record_uuid,
        session_id,
        org_id,
        team_id,
        user_id,

        -- strings
        project,
        event_name,
        coalesce(model, 'unknown') as requested_model,
        case when speed = 'normal' then 'standard' else speed end as speed,
        case
            when is_error and status_code = 429 then 'rate_limited'
            when is_error then 'error'
            else 'success'
        end as status,
        query_source,

        -- quantities
        coalesce(input_tokens, 0) as input_tokens,
        coalesce(cache_creation_tokens, 0) as cache_write_5m_tokens,
        coalesce(cache_read_tokens, 0) as cache_read_tokens,
        coalesce(output_tokens, 0) as output_tokens,
        duration_ms as latency_ms,

        -- money
        cost_usd as reported_cost_usd,

        -- timestamps
        started_at as observed_at,
        ended_at
    from source
)

select * from renamed
