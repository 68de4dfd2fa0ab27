{#
  Every sight of a model call, with the call that it is of: a request leads to its message where any
  source knows both.
#}
with

-- as a text, so that the least one names the first load
loads as (
    select
        load_id,
        processed_at,
        lpad(
            cast(
                row_number() over (order by loaded_at asc, load_id asc)
                as {{ dbt.type_string() }}
            ),
            12,
            '0'
        ) || load_id as load_place
    from {{ ref('int_loads__numbered') }}
),

links as (
    select * from {{ ref('int_calls__links') }}
),

linked as (
    select
        {% for column in call_columns() %}
        reported.{{ column }} as {{ column }},
        {% endfor %}
        coalesce(reported.message_id, links.message_id) as linked_message_id,
        loads.load_place as load_place,
        loads.processed_at as processed_at
    from {{ ref('int_calls__reported') }} as reported
    inner join loads
        on reported.load_id = loads.load_id
    left join links
        on reported.vendor = links.vendor
        and reported.request_id = links.request_id
),

identified as (
    select
        {{ call_id(
            'vendor', 'linked_message_id', 'request_id', 'record_uuid', 'observation_id'
        ) }} as call_id,
        case
            when coalesce(message_id, request_id) is not null then 'strong'
            when record_uuid like 'span/%' or record_uuid like 'call/%' then 'strong'
            else 'weak'
        end as identity,
        {{ call_columns() | join(',\n        ') }},
        input_tokens
        + cache_write_5m_tokens
        + cache_write_1h_tokens
        + cache_read_tokens
        + output_tokens as total_tokens,
        load_place,
        processed_at
    from linked
)

select * from identified
