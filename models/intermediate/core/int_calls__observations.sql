{#
  Every sight of a model call, with the call that it is of. Some sources know the request of a call
  and not its message, others the message alone: where any source knows both, a request leads to its
  message. `unlinked_call_id` is what the sight would be of if nobody did. Of a record that its source
  corrected only the newest counts.
#}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

loaded as (
    select
        reported.*,
        case when reported.message_id is null then reported.request_id end as open_request_id,
        loads.loaded_at,
        loads.processed_at
    from {{ ref('int_calls__reported') }} as reported
    inner join loads
        on reported.load_id = loads.load_id
),

-- ranked apart, as to rank every line of every transcript would take longer than all the rest
corrected as (
    select
        *,
        row_number() over (
            partition by source, observation_id
            order by loaded_at desc, load_id desc
        ) as recency
    from loaded
    where is_corrected_in_place
),

reported as (
    select
        *,
        1 as recency
    from loaded
    where not coalesce(is_corrected_in_place, false)
    union all
    select * from corrected
    where recency = 1
),

open_requests as (
    select distinct
        vendor,
        open_request_id
    from reported
    where open_request_id is not null
),

answers as (
    select
        reported.vendor as vendor,
        reported.request_id as request_id,
        min(reported.message_id) as message_id
    from reported
    inner join open_requests
        on reported.vendor = open_requests.vendor
        and reported.request_id = open_requests.open_request_id
    where reported.message_id is not null
    group by reported.vendor, reported.request_id
),

linked as (
    select
        reported.*,
        coalesce(reported.message_id, answers.message_id) as linked_message_id
    from reported
    left join answers
        on reported.vendor = answers.vendor
        and reported.open_request_id = answers.request_id
),

identified as (
    select
        {{ call_id(
            'vendor', 'linked_message_id', 'request_id', 'record_uuid',
            'observation_id'
        ) }} as call_id,
        {{ call_id(
            'vendor', 'message_id', 'request_id', 'record_uuid',
            'observation_id'
        ) }} as unlinked_call_id,
        case
            when coalesce(message_id, request_id) is not null then 'strong'
            when record_uuid like 'span/%' then 'strong'
            else 'weak'
        end as identity,
        {{ call_columns() | join(',\n        ') }},
        input_tokens
        + cache_write_5m_tokens
        + cache_write_1h_tokens
        + cache_read_tokens
        + output_tokens as total_tokens,
        loaded_at,
        processed_at
    from linked
)

select * from identified
