{{ config(order_by=['pattern_hash', 'pattern_call_id']) }}

with

patterns as (
    select
        patterns.published_hash as pattern_hash,
        patterns.content_kind as content_kind,
        patterns.request_id as request_id,
        patterns.similarity as similarity,
        patterns.is_original as is_original,
        requests.asked_at as asked_at,
        requests.team_id as team_id
    from {{ ref('int_hivemind__pattern_requests') }} as patterns
    inner join {{ ref('int_hivemind__requests') }} as requests
        on patterns.request_number = requests.request_number
),

calls as (
    select
        'prompt' as content_kind,
        request_id,
        call_id as pattern_call_id,
        call_id,
        cast(null as {{ dbt.type_string() }}) as tool_call_id
    from {{ ref('int_prompts__calls') }}

    union all

    select
        'tool_input' as content_kind,
        tool_call_id as request_id,
        tool_call_id as pattern_call_id,
        call_id,
        tool_call_id
    from {{ ref('int_tool_calls__allocated') }}
),

final as (
    select
        patterns.pattern_hash as pattern_hash,
        calls.pattern_call_id as pattern_call_id,
        calls.call_id as call_id,
        calls.tool_call_id as tool_call_id,
        '{{ customer() }}' as customer_id,
        patterns.similarity as similarity,
        cast(patterns.is_original as {{ dbt.type_boolean() }}) as is_original,
        patterns.asked_at as asked_at,
        patterns.team_id as team_id
    from patterns
    inner join calls
        on patterns.request_id = calls.request_id
        and patterns.content_kind = calls.content_kind
)

select * from final
