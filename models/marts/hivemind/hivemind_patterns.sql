{{ config(order_by=['pattern_hash']) }}

with

members as (
    select
        patterns.published_hash as pattern_hash,
        patterns.content_kind as content_kind,
        patterns.similarity as similarity,
        patterns.similarity_error as similarity_error,
        patterns.is_original as is_original,
        patterns.is_within_the_hour as is_within_the_hour,
        patterns.published_hash = patterns.pattern_hash as is_published,
        requests.dedup_hash as dedup_hash,
        requests.person_id as person_id,
        requests.team_id as team_id,
        requests.asked_at as asked_at,
        requests.mcp_name as mcp_name,
        requests.has_several_servers as has_several_servers,
        requests.tool_name as tool_name,
        requests.call_count as call_count,
        requests.tool_call_count as tool_call_count,
        requests.input_tokens as input_tokens,
        requests.total_cost_usd as total_cost_usd,
        requests.unpriced_calls as unpriced_calls
    from {{ ref('int_hivemind__pattern_requests') }} as patterns
    inner join {{ ref('int_hivemind__requests') }} as requests
        on patterns.request_number = requests.request_number
),

summed as (
    select
        pattern_hash,
        content_kind,
        is_published,
        count(*) as request_count,
        sum(call_count) as call_count,
        count(distinct team_id) as team_count,
        count(distinct person_id) as user_count,
        sum(case when is_original then 0 else 1 end) as repeat_count,
        sum(case when is_original then 0 else similarity end) as similarity,
        count(distinct dedup_hash) as input_count,
        sum(similarity_error) as similarity_error,
        sum(is_within_the_hour) as within_the_hour_count,
        max(call_count) as most_calls,
        max(tool_call_count) as most_tool_calls,
        sum(input_tokens) as input_tokens,
        min(asked_at) as first_seen_at,
        max(asked_at) as last_seen_at,
        sum(total_cost_usd) as total_cost_usd,
        sum(case when not is_original then total_cost_usd end) as avoidable_cost_usd,
        sum(unpriced_calls) as unpriced_calls,
        case
            when max(has_several_servers) = 0 and min(mcp_name) = max(mcp_name)
                then min(mcp_name)
        end as mcp_name,
        case when min(tool_name) = max(tool_name) then min(tool_name) end as tool_name
    from members
    group by pattern_hash, content_kind, is_published
),

advised as (
    select
        *,
        case
            when not is_published then null
            when content_kind = 'tool_input' and input_count = 1 then 'cached_tool_result'
            when content_kind = 'tool_input' then 'shared_prompt'
            when
                within_the_hour_count * 2 >= repeat_count
                and input_tokens >= 1024 * call_count
                then 'one_hour_cache'
            when most_calls = 1 and most_tool_calls = 0 and request_count >= 10 then 'batch'
            else 'shared_prompt'
        end as suggestion
    from summed
),

final as (
    select
        pattern_hash,
        '{{ customer() }}' as customer_id,
        case when content_kind = 'prompt' then 'prompt' else 'tool_call' end as pattern_kind,
        cast(request_count as bigint) as request_count,
        cast(call_count as bigint) as call_count,
        cast(team_count as bigint) as team_count,
        cast(user_count as bigint) as user_count,
        cast(
            case when is_published then {{ divide_usd('similarity', 'repeat_count') }} end
            as numeric(12, 9)
        ) as confidence,
        cast(
            case when is_published then {{ divide_usd('similarity_error', 'repeat_count') }} end
            as numeric(12, 9)
        ) as confidence_error,
        first_seen_at,
        last_seen_at,
        cast(total_cost_usd as {{ type_usd() }}) as total_cost_usd,
        cast(avoidable_cost_usd as {{ type_usd() }}) as avoidable_cost_usd,
        cast(unpriced_calls as bigint) as unpriced_calls,
        case when is_published then mcp_name end as mcp_name,
        case when is_published then tool_name end as tool_name,
        suggestion,
        case
            when suggestion = 'cached_tool_result'
                then 'a tool was called with the same input: one call can answer all'
            when suggestion = 'one_hour_cache'
                then
                    'at least half of the repeats came within an hour of the one before, and a '
                    || 'call reads 1,024 tokens or more on average, which is what a cache takes'
            when suggestion = 'batch'
                then 'asked ten times or more, and each took one model call without tools'
            when suggestion = 'shared_prompt' and content_kind = 'tool_input'
                then
                    'a tool was called with similar input, which may ask for something else: '
                    || 'share how it is asked'
            when suggestion = 'shared_prompt'
                then 'no other rule fits: ask once, and share the prompt or the answer'
        end as suggestion_rule
    from advised
)

select * from final
