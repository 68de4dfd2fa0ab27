{{ config(materialized='table', order_by=['session_id', 'observed_at']) }}

{#
  Each prompt of a session once, however often its record was read or copied. A session that goes on
  with another's lines has that one's prompts too: a call follows those of the session that it is in.
  Where two sources tell of one session, the one that `source_precedence` puts first tells all.
#}
with

reported as (
    select * from {{ ref('int_prompts__reported') }}
),

precedence as (
    select
        source,
        priority
    from {{ ref('source_precedence') }}
    where column_name = 'usage'
),

prompts as (
    select
        reported.source as source,
        reported.session_id as session_id,
        reported.observed_at as observed_at,
        reported.dedup_hash as dedup_hash,
        min(reported.observation_id) as observation_id,
        min(reported.user_id) as user_id,
        min(reported.team_id) as team_id,
        min(coalesce(precedence.priority, 1000)) as priority
    from reported
    left join precedence
        on reported.source = precedence.source
    where reported.session_id is not null
    group by
        reported.source, reported.session_id, reported.observed_at, reported.dedup_hash
),

compared as (
    select
        *,
        min(priority) over (partition by session_id) as best_priority
    from prompts
),

final as (
    select
        observation_id,
        source,
        session_id,
        user_id,
        team_id,
        dedup_hash,
        observed_at
    from compared
    where priority = best_priority
)

select * from final
