{{ config(materialized='table', order_by=['vendor', 'request_id']) }}

{#
  Which message a request led to, for the requests that a sight names without its message. Some
  sources know the request of a call and not its message; where any source knows both, they tell.
  And which request a client's own id led to, as a call may have gone by that until somebody told.
#}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

reported as (
    select
        reported.vendor as vendor,
        reported.request_id as request_id,
        reported.message_id as message_id
    from {{ ref('int_calls__reported') }} as reported
    inner join loads
        on reported.load_id = loads.load_id
    where reported.request_id is not null
),

open_requests as (
    select distinct
        vendor,
        request_id
    from reported
    where message_id is null
),

client_requests as (
    select
        'anthropic' as vendor,
        requests.client_request_id as request_id,
        max(requests.request_id) as message_id
    from {{ ref('stg_claude_code_otel__requests') }} as requests
    inner join loads
        on requests.load_id = loads.load_id
    where requests.request_id != requests.client_request_id
    group by requests.client_request_id
)

select
    reported.vendor as vendor,
    reported.request_id as request_id,
    min(reported.message_id) as message_id
from reported
inner join open_requests
    on reported.vendor = open_requests.vendor
    and reported.request_id = open_requests.request_id
where reported.message_id is not null
group by reported.vendor, reported.request_id
union all
select
    vendor,
    request_id,
    message_id
from client_requests
