{{ config(materialized='table', order_by=['call_id']) }}

{#
  Every model call whose request somebody saw, with the request: the prompt before it in its session.
  Where a session has none, a source may have seen the last message of the user in the call itself; a
  request then goes on until that is another. `request_id` is the first call that a request led to, so
  that it stays when another source tells the same prompt.
#}
with

calls as (
    select
        call_id,
        session_id,
        called_at,
        dedup_hash
    from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
),

prompts as (
    select * from {{ ref('int_prompts__deduplicated') }}
),

with_content as (
    select
        call_id,
        session_id,
        called_at,
        dedup_hash,
        lag(dedup_hash) over (
            partition by session_id
            order by called_at asc, call_id asc
        ) as previous_hash
    from calls
    where
        dedup_hash is not null
        and session_id is not null
        and session_id not in (select prompts.session_id from prompts)
),

steps as (
    select
        session_id,
        observed_at as step_at,
        0 as is_call,
        observation_id as step_id,
        dedup_hash,
        user_id,
        team_id
    from prompts

    union all

    select
        session_id,
        called_at as step_at,
        0 as is_call,
        call_id as step_id,
        dedup_hash,
        cast(null as {{ dbt.type_string() }}) as user_id,
        cast(null as {{ dbt.type_string() }}) as team_id
    from with_content
    where previous_hash is null or previous_hash != dedup_hash

    union all

    select
        session_id,
        called_at as step_at,
        1 as is_call,
        call_id as step_id,
        cast(null as {{ dbt.type_string() }}) as dedup_hash,
        cast(null as {{ dbt.type_string() }}) as user_id,
        cast(null as {{ dbt.type_string() }}) as team_id
    from calls
    where session_id is not null
),

placed as (
    select
        *,
        row_number() over (
            partition by session_id
            order by step_at asc, is_call asc, step_id asc
        ) as place
    from steps
),

led as (
    select
        *,
        max(case when is_call = 0 then place end) over (
            partition by session_id
            order by place asc
            rows between unbounded preceding and current row
        ) as prompt_place
    from placed
),

of_sessions as (
    select
        led.step_id as call_id,
        first_value(led.step_id) over (
            partition by led.session_id, led.prompt_place
            order by led.place asc
        ) as request_id,
        led.session_id as session_id,
        prompts.dedup_hash as dedup_hash,
        prompts.user_id as user_id,
        prompts.team_id as team_id,
        prompts.step_at as asked_at
    from led
    inner join placed as prompts
        on led.session_id = prompts.session_id
        and led.prompt_place = prompts.place
    where led.is_call = 1
),

final as (
    select * from of_sessions
    where dedup_hash is not null

    union all

    select
        call_id,
        call_id as request_id,
        session_id,
        dedup_hash,
        cast(null as {{ dbt.type_string() }}) as user_id,
        cast(null as {{ dbt.type_string() }}) as team_id,
        called_at as asked_at
    from calls
    where
        dedup_hash is not null
        and session_id is null
)

select * from final
