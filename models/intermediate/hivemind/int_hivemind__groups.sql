{{ config(materialized='table', order_by=['episode_id']) }}

{#
  The smallest episode that each is linked with, directly or through others. A round takes the
  smallest that is known at either end of a link, on all links of an episode, and of all that have the
  same; then the one that this one has got meanwhile. Each round about doubles how far is seen: ten of
  them join chains of a thousand. Each reads the one before once, as ClickHouse repeats what is read, and
  is kept, as DuckDB would think about ten in one for ever.
#}
{% set rounds = 10 %}
with

ends as (
    select
        link_id,
        first_episode_id as episode_id,
        first_episode_id as group_id
    from {{ ref('int_hivemind__links') }}

    union all

    select
        link_id,
        second_episode_id as episode_id,
        second_episode_id as group_id
    from {{ ref('int_hivemind__links') }}
),

sides as (
    select 0 as is_asking
    union all
    select 1 as is_asking
),

{% for number in range(rounds) %}
{% set before = 'round_' ~ (number - 1) if number else 'ends' %}
on_link_{{ number }} as (
    select
        *,
        min(group_id) over (partition by link_id) as of_link
    from {{ before }}
),

on_episode_{{ number }} as (
    select
        *,
        min(of_link) over (partition by episode_id) as of_episode
    from on_link_{{ number }}
),

in_group_{{ number }} as (
    select
        link_id,
        episode_id,
        min(of_episode) over (partition by group_id) as known_id
    from on_episode_{{ number }}
),

asked_{{ number }} as (
    select
        in_group_{{ number }}.link_id as link_id,
        in_group_{{ number }}.episode_id as episode_id,
        sides.is_asking as is_asking,
        min(case when sides.is_asking = 0 then in_group_{{ number }}.known_id end) over (
            partition by
                case
                    when sides.is_asking = 0 then in_group_{{ number }}.episode_id
                    else in_group_{{ number }}.known_id
                end
        ) as group_id
    from in_group_{{ number }}
    cross join sides
),

round_{{ number }} as {{ materialized() }} (
    select
        link_id,
        episode_id,
        group_id
    from asked_{{ number }}
    where is_asking = 1
),
{% endfor %}

final as (
    select
        episode_id,
        min(group_id) as group_id
    from round_{{ rounds - 1 }}
    group by episode_id
)

select * from final
