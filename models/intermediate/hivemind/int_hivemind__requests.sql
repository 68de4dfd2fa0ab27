{{ config(materialized='table', order_by=['content_kind', 'dedup_hash']) }}

{#
  A request is a piece of work that somebody asked for: a prompt with every model call that it led to,
  or one call of an MCP tool. One whose calls all failed is no work, and what a session asks again
  counts once, the first time; so does what one person asks at one time, which is a prompt that was
  copied to the session that went on with it. A person is a user, else a key.
#}
with

calls as (
    select * from {{ ref('int_calls__priced') }}
),

prompts as (
    select
        'prompt' as content_kind,
        led.request_id as request_id,
        min(led.dedup_hash) as dedup_hash,
        min(led.session_id) as session_id,
        min(led.asked_at) as asked_at,
        coalesce(min(calls.user_id), min(led.user_id), min(calls.api_key_id)) as person_id,
        coalesce(min(calls.team_id), min(led.team_id)) as team_id,
        min(calls.mcp_name) as mcp_name,
        cast(
            case when min(calls.mcp_name) != max(calls.mcp_name) then 1 else 0 end as bigint
        ) as has_several_servers,
        cast(null as {{ dbt.type_string() }}) as tool_name,
        count(*) as call_count,
        sum(calls.mcp_call_count) as tool_call_count,
        sum(
            calls.input_tokens
            + calls.cache_write_5m_tokens
            + calls.cache_write_1h_tokens
            + calls.cache_read_tokens
        ) as input_tokens,
        cast(sum(calls.total_cost_usd) as {{ type_usd() }}) as total_cost_usd,
        sum(case when calls.total_cost_usd is null then 1 else 0 end) as unpriced_calls
    from {{ ref('int_prompts__calls') }} as led
    inner join calls
        on led.call_id = calls.call_id
    group by led.request_id
    having sum(case when calls.status in ('error', 'rate_limited') then 0 else 1 end) > 0
),

tool_calls as (
    select
        'tool_input' as content_kind,
        tool_calls.tool_call_id as request_id,
        tool_calls.dedup_hash as dedup_hash,
        calls.session_id as session_id,
        tool_calls.called_at as asked_at,
        coalesce(calls.user_id, calls.api_key_id) as person_id,
        tool_calls.team_id as team_id,
        tool_calls.mcp_name as mcp_name,
        cast(0 as bigint) as has_several_servers,
        tool_calls.tool_name as tool_name,
        cast(1 as bigint) as call_count,
        cast(1 as bigint) as tool_call_count,
        cast(0 as bigint) as input_tokens,
        tool_calls.allocated_cost_usd as total_cost_usd,
        case when tool_calls.allocated_cost_usd is null then 1 else 0 end as unpriced_calls
    from {{ ref('int_tool_calls__allocated') }} as tool_calls
    left join calls
        on tool_calls.call_id = calls.call_id
    where
        tool_calls.dedup_hash is not null
        and tool_calls.status not in ('error', 'denied')
),

requests as (
    select * from prompts
    union all
    select * from tool_calls
),

hashed as (
    select
        *,
        {{ sha256_hex("content_kind || '/' || request_id") }} as request_hash
    from requests
),

repeats as (
    select
        *,
        row_number() over (
            partition by content_kind, coalesce(session_id, request_id), dedup_hash
            order by asked_at asc, request_hash asc
        ) as time_in_session,
        row_number() over (
            partition by
                content_kind, coalesce(person_id, request_id), dedup_hash, asked_at
            order by request_hash asc
        ) as copy_number
    from hashed
),

final as (
    select
        content_kind,
        request_id,
        request_hash,
        cast(row_number() over (order by request_hash asc) as bigint) as request_number,
        dedup_hash,
        session_id,
        asked_at,
        person_id,
        team_id,
        mcp_name,
        has_several_servers,
        tool_name,
        cast(call_count as bigint) as call_count,
        cast(tool_call_count as bigint) as tool_call_count,
        cast(input_tokens as bigint) as input_tokens,
        total_cost_usd,
        cast(unpriced_calls as bigint) as unpriced_calls
    from repeats
    where
        time_in_session = 1
        and copy_number = 1
)

select * from final
