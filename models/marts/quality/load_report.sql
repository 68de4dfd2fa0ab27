{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='load_id',
    on_schema_change='fail',
    order_by=['started_at', 'load_id']
) }}

with

loads as (
    select
        loads.*,
        numbered.processed_at
    from {{ ref('stg_mindweave__loads') }} as loads
    inner join {{ ref('int_loads__numbered') }} as numbered
        on loads.load_id = numbered.load_id
    {% if is_incremental() %}
        where {{ newer_than_this('numbered.processed_at') }}
    {% endif %}
),

observations as (
    select
        load_id,
        count(*) as observation_count
    from {{ ref('int_calls__observations') }}
    where load_id in (select loads.load_id from loads)
    group by load_id
),

first_seen as (
    select
        first_load_id as load_id,
        count(*) as new_calls,
        sum(case when identity = 'weak' then 1 else 0 end) as weak_calls
    from {{ ref('int_calls__deduplicated') }}
    where
        first_load_id in (select loads.load_id from loads)
        and merged_into_call_id is null
    group by first_load_id
),

final as (
    select
        loads.load_id as load_id,
        '{{ customer() }}' as customer_id,
        loads.source,
        loads.started_at,
        loads.finished_at,
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
        loads.rows_quarantined,
        loads.processed_at
    from loads
    left join observations
        on loads.load_id = observations.load_id
    left join first_seen
        on loads.load_id = first_seen.load_id
)

select * from final
