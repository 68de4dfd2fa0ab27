{#
  Calls that were counted until something landed later that tells otherwise. An event that was not the
  first with its id: its call goes, or is told by other sources alone. A record of telemetry that names
  no request: it was a call by itself, until the span or the event landed that it is one with.
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
    union all
    select
        {{ call_id('null', 'null', 'null', 'requests.lone_record_uuid', 'null') }} as call_id,
        loads.processed_at as processed_at
    from {{ ref('stg_claude_code_otel__requests') }} as requests
    inner join {{ ref('int_loads__numbered') }} as loads
        on requests.load_id = loads.load_id
    where
        requests.lone_record_uuid is not null
        and (
            requests.request_id is not null
            or requests.lone_record_uuid != requests.record_uuid
        )
)

select
    call_id,
    max(processed_at) as processed_at
from withdrawn
group by call_id
