with

source as (
    select * from {{ source('otel_genai', 'otel_genai_mcp_requests') }}
),

renamed as (
    select
        -- ids
        load_id,
        file_id || '/' || cast(line_number as {{ dbt.type_string() }}) || '/' || record_path
            as observation_id,
        'span/' || trace_id || '/' || span_id as record_uuid,
        mcp_session_id,
        team_id,
        user_id,

        -- strings
        mcp_method,
        coalesce(
            server_name,
            case when span_kind = 'server' then service_name end,
            server_address,
            'unknown'
        ) as mcp_name,
        mcp_protocol_version,
        network_transport,
        case when is_error then 'error' else 'success' end as status,
        error_type,

        -- timestamps
        started_at,
        ended_at
    from source
)

select * from renamed
