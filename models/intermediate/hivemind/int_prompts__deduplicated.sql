{{ config(materialized='table', order_by=['session_id', 'observed_at']) }}

{#
  Each prompt once: a resumed session copies the lines before it, with their ids or without. Where two
  sources tell of one session, the one that `source_precedence` puts first tells all its prompts.
#}
with

reported as (
    {% for source in prompt_sources() %}
    select
        observation_id,
        source,
        load_id,
        session_id,
        prompt_id,
        user_id,
        team_id,
        dedup_hash,
        observed_at
    from {{ ref('stg_' ~ source ~ '__prompts') }}
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

precedence as (
    select
        source,
        priority
    from {{ ref('source_precedence') }}
    where column_name = 'usage'
),

known as (
    select
        reported.observation_id as observation_id,
        reported.source as source,
        reported.session_id as session_id,
        reported.user_id as user_id,
        reported.team_id as team_id,
        reported.dedup_hash as dedup_hash,
        reported.observed_at as observed_at,
        coalesce(precedence.priority, 1000) as priority,
        row_number() over (
            partition by
                reported.source, coalesce(reported.prompt_id, reported.observation_id)
            order by reported.observed_at asc, reported.observation_id asc
        ) as copy_of_id
    from reported
    inner join {{ ref('int_loads__numbered') }} as loads
        on reported.load_id = loads.load_id
    left join precedence
        on reported.source = precedence.source
),

copies as (
    select
        *,
        row_number() over (
            partition by
                coalesce(user_id, ''), observed_at, coalesce(dedup_hash, observation_id)
            order by priority asc, observation_id asc
        ) as copy_of_content,
        min(priority) over (partition by coalesce(session_id, observation_id)) as best_priority
    from known
    where copy_of_id = 1
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
    from copies
    where
        copy_of_content = 1
        and priority = best_priority
)

select * from final
