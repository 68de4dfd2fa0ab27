{#- Fails where events that were drained are neither an event, nor a repeat, nor a conflict. -#}
{% test every_event_is_told(model) %}
select
    drained.row_count as drained_count,
    told.row_count as told_count
from (
    select count(*) as row_count
    from {{ ref('stg_events__events') }}
    where load_id in (select loads.load_id from {{ ref('int_loads__numbered') }} as loads)
) as drained
cross join (
    select coalesce(sum(sight_count), 0) as row_count
    from {{ model }}
) as told
where drained.row_count != told.row_count
{% endtest %}
