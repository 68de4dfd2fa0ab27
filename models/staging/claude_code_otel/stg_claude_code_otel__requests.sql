{#
  Claude Code's input_tokens exclude the cache, as Anthropic's do. A cache write comes without its
  split, so all of it is taken as a 5-minute write. Where an event knows the request's id and a span
  only the client's, the two ids lead to one another.

  An event is of the span in which it was written, by OpenTelemetry's trace and span id: where that
  is a request's, the two are one call even if one of them names no id, or both. An event that was
  written in a span of another kind, such as the interaction's, says so of no request.
#}
with

source as (
    select * from {{ source('claude_code_otel', 'claude_code_otel_requests') }}
    -- what is not known yet must not tell what is known whose it is
    where load_id in (select loads.load_id from {{ ref('stg_mindweave__loads') }} as loads)
),

-- what the records of a request's span know of its ids, where they agree
spans as (
    select
        trace_id,
        span_id,
        case when min(request_id) = max(request_id) then max(request_id) end
            as span_request_id,
        case when min(client_request_id) = max(client_request_id) then max(client_request_id) end
            as span_client_request_id
    from source
    where trace_id is not null and span_id is not null
    group by trace_id, span_id
    having max(case when event_name = 'llm_request' then 1 else 0 end) = 1
),

placed as (
    select
        source.*,
        coalesce(source.request_id, spans.span_request_id) as known_request_id,
        coalesce(source.client_request_id, spans.span_client_request_id)
            as known_client_request_id,
        source.request_id is null and source.client_request_id is null as is_nameless,
        'span/' || spans.trace_id || '/' || spans.span_id as span_place,
        -- the sequence of events starts again with every process
        coalesce(source.session_id, '')
        || '/' || coalesce(cast(source.event_sequence as {{ dbt.type_string() }}), '')
        || '/' || source.event_name
        || '/' || cast(source.ended_at as {{ dbt.type_string() }}) as place_in_session
    from source
    left join spans
        on source.trace_id = spans.trace_id
        and source.span_id = spans.span_id
),

renamed as (
    select
        -- ids
        load_id,
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        coalesce(
            known_request_id,
            case
                when known_client_request_id is not null
                    then max(known_request_id) over (partition by known_client_request_id)
            end,
            known_client_request_id
        ) as request_id,
        known_client_request_id as client_request_id,
        coalesce(span_place, place_in_session) as record_uuid,
        case
            when is_nameless and event_name != 'llm_request' then place_in_session
            when is_nameless then coalesce(span_place, place_in_session)
        end as lone_record_uuid,
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
    from placed
)

select * from renamed
