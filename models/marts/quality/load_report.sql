{{ config(order_by=['started_at', 'load_id']) }}

{# Anew each time: a later load may tell that a call, or a record of it, is one that was known. #}
with

loads as (
    select * from {{ ref('stg_mindweave__loads') }}
),

observations as (
    select
        load_id,
        count(*) as observation_count
    from {{ ref('int_calls__observations') }}
    group by load_id
),

first_seen as (
    select
        first_load_id as load_id,
        count(*) as new_calls,
        sum(case when identity = 'weak' then 1 else 0 end) as weak_calls
    from {{ ref('int_calls__deduplicated') }}
    where merged_into_call_id is null
    group by first_load_id
),

final as (
    select
        loads.load_id as load_id,
        '{{ customer() }}' as customer_id,
        loads.source,
        loads.started_at,
        loads.finished_at,
        loads.completed_at,
        loads.seconds,
        loads.files_read,
        loads.bytes_read,
        loads.rows_read,
        loads.rows_loaded,
        cast(
            coalesce(observations.observation_count, 0) - coalesce(first_seen.new_calls, 0)
            as bigint
        ) as rows_merged,
        cast(coalesce(first_seen.weak_calls, 0) as bigint) as rows_weak,
        loads.rows_ignored,
        loads.rows_quarantined
    from loads
    left join observations
        on loads.load_id = observations.load_id
    left join first_seen
        on loads.load_id = first_seen.load_id
)

select * from final
