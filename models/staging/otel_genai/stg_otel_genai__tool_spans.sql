with

source as (
    select * from {{ source('otel_genai', 'otel_genai_tool_spans') }}
),

renamed as (
    select
        -- ids
        load_id,
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        'span/' || trace_id || '/' || span_id as record_uuid,
        trace_id,
        span_id,
        parent_span_id,
        tool_use_id,
        jsonrpc_request_id,
        session_id,
        team_id,
        user_id,

        -- strings
        coalesce(project, case when span_role != 'server' then service_name end) as project,
        span_role,
        -- mcp__<server>__<tool>: the server ends at the first double underscore
        case
            when substr(tool_name, 1, 5) = 'mcp__' and position('__' in substr(tool_name, 6)) > 1
                then
                    substr(
                        substr(tool_name, 6), position('__' in substr(tool_name, 6)) + 2
                    )
            else tool_name
        end as tool_name,
        coalesce(
            server_name,
            case
                when
                    substr(tool_name, 1, 5) = 'mcp__'
                    and position('__' in substr(tool_name, 6)) > 1
                    then
                        substr(
                            substr(tool_name, 6), 1, position('__' in substr(tool_name, 6)) - 1
                        )
            end,
            case when span_role = 'client' then server_address end,
            case when span_role = 'server' then coalesce(service_name, server_address) end
        ) as mcp_name,
        input_fingerprint,
        case
            when provider = 'anthropic' or substr(tool_use_id, 1, 6) = 'toolu_' then 'anthropic'
            when provider = 'openai' then 'openai'
        end as vendor,
        case when is_error then 'error' else 'success' end as status,
        error_type,

        -- quantities
        {{ milliseconds_between('started_at', 'ended_at') }} as latency_ms,

        -- timestamps
        started_at,
        ended_at
    from source
)

select * from renamed
