{# Every sight of a prompt in a whole load, of all sources. #}
{% for source in prompt_sources() %}
select
    {{ prompt_columns() | join(',\n    ') }}
from {{ ref('stg_' ~ source ~ '__prompts') }}
where load_id in (select loads.load_id from {{ ref('int_loads__numbered') }} as loads)
{% if not loop.last %}
union all
{% endif %}
{% endfor %}
