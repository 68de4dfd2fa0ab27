{#
  Every sight of a model call, all sources in one shape. Of a record that its source corrected in
  place only the newest counts; to rank every line of every transcript as well would take longer than
  all the rest.
#}
{% for source in call_sources() %}
select
    {{ call_columns() | join(',\n    ') }}
{% if source in sources_that_correct() %}
from (
    select
        told.*,
        row_number() over (
            partition by told.source, told.observation_id
            order by loads.loaded_at desc, told.load_id desc
        ) as recency
    from {{ ref('stg_' ~ source ~ '__calls') }} as told
    inner join {{ ref('int_loads__numbered') }} as loads
        on told.load_id = loads.load_id
) as newest
where recency = 1
{% else %}
from {{ ref('stg_' ~ source ~ '__calls') }}
{% endif %}
{% if not loop.last %}union all{% endif %}
{% endfor %}
