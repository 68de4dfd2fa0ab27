{#
  Calls that an event told which was not the first with its id. Where the first one lands later, they
  were counted: they go, or are told by other sources alone.
#}
with

contents as (
    select * from {{ ref('int_events__contents') }}
    where content_rank > 1
),

links as (
    select * from {{ ref('int_calls__links') }}
),

withdrawn as (
    select
        {{ call_id(
            'sights.vendor', 'coalesce(sights.message_id, links.message_id)', 'sights.request_id',
            'sights.record_uuid', 'sights.observation_id'
        ) }} as call_id,
        contents.processed_at as processed_at
    from {{ ref('stg_events__mcp_calls') }} as sights
    inner join contents
        on sights.event_source = contents.event_source
        and sights.event_id = contents.event_id
        and sights.content_hash = contents.content_hash
    left join links
        on sights.vendor = links.vendor
        and sights.request_id = links.request_id
)

select
    call_id,
    max(processed_at) as processed_at
from withdrawn
group by call_id
