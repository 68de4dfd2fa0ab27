{{ config(order_by=['pattern_kind', 'team_id', 'other_team_id']) }}

with

requests as (
    select
        patterns.pattern_hash as pattern_hash,
        case when patterns.content_kind = 'prompt' then 'prompt' else 'tool_call' end
            as pattern_kind,
        requests.team_id as team_id,
        count(*) as request_count,
        sum(case when not patterns.is_original then requests.total_cost_usd end)
            as repeated_cost_usd
    from {{ ref('int_hivemind__pattern_requests') }} as patterns
    inner join {{ ref('int_hivemind__requests') }} as requests
        on patterns.request_number = requests.request_number
    where
        patterns.published_hash = patterns.pattern_hash
        and requests.team_id is not null
    group by patterns.pattern_hash, patterns.content_kind, requests.team_id
),

final as (
    select
        requests.pattern_kind as pattern_kind,
        requests.team_id as team_id,
        other_requests.team_id as other_team_id,
        '{{ customer() }}' as customer_id,
        cast(count(*) as bigint) as pattern_count,
        cast(
            sum(requests.request_count + other_requests.request_count) as bigint
        ) as request_count,
        cast(
            coalesce(
                sum(requests.repeated_cost_usd) + sum(other_requests.repeated_cost_usd),
                sum(requests.repeated_cost_usd),
                sum(other_requests.repeated_cost_usd)
            ) as {{ type_usd() }}
        ) as repeated_cost_usd
    from requests
    inner join requests as other_requests
        on requests.pattern_hash = other_requests.pattern_hash
    where requests.team_id < other_requests.team_id
    group by requests.pattern_kind, requests.team_id, other_requests.team_id
)

select * from final
