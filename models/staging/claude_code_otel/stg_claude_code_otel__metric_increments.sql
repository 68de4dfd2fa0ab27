{#
  What each data point adds. A delta adds itself. A cumulative point adds what it has more than the one
  before it; a counter that began anew (another start, or a value that fell) adds its whole value.
  A point that was sent or read twice adds once. The load is the newest of the counter: with a late
  point, the ones after it add something else.
#}
with

source as (
    select * from {{ source('claude_code_otel', 'claude_code_otel_metrics') }}
),

loads as (
    select * from {{ ref('stg_mindweave__loads') }}
),

points as (
    select
        source.load_id as load_id,
        source.series_key as series_key,
        source.metric_name as metric_name,
        source.temporality as temporality,
        source.metric_type as metric_type,
        source.session_id as session_id,
        source.org_id as org_id,
        source.user_id as user_id,
        source.team_id as team_id,
        source.project as project,
        coalesce(source.model, 'unknown') as requested_model,
        case
            when source.speed is null or source.speed = 'normal' then 'standard'
            else source.speed
        end as speed,
        source.query_source as query_source,
        source.metric_value as metric_value,
        source.started_at as started_at,
        source.observed_at as observed_at,
        source.bucket_start_at as bucket_start_at,
        source.bucket_end_at as bucket_end_at,
        loads.finished_at as loaded_at,
        row_number() over (
            partition by source.series_key, source.started_at, source.observed_at
            order by
                source.metric_value desc, loads.finished_at asc, source.load_id asc,
                source.file_id asc, source.line_number asc, source.record_path asc
        ) as copy_number
    from source
    inner join loads
        on source.load_id = loads.load_id
),

compared as (
    select
        *,
        max(metric_value) over (
            partition by series_key
            order by observed_at, started_at
            rows between 1 preceding and 1 preceding
        ) as previous_value,
        max(started_at) over (
            partition by series_key
            order by observed_at, started_at
            rows between 1 preceding and 1 preceding
        ) as previous_started_at,
        row_number() over (
            partition by series_key
            order by loaded_at desc, load_id desc
        ) as load_rank
    from points
    where copy_number = 1
),

increments as (
    select
        max(case when load_rank = 1 then load_id end) over (partition by series_key) as load_id,
        max(loaded_at) over (partition by series_key) as loaded_at,
        series_key,
        metric_name,
        metric_type,
        session_id,
        org_id,
        user_id,
        team_id,
        project,
        requested_model,
        speed,
        query_source,
        case
            when temporality != 'cumulative' then metric_value
            when previous_value is null then metric_value
            when started_at != previous_started_at then metric_value
            when metric_value < previous_value then metric_value
            else metric_value - previous_value
        end as increment_value,
        observed_at,
        bucket_start_at,
        bucket_end_at
    from compared
)

select * from increments
