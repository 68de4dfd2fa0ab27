{# Every sight of a prompt, of all sources. #}
{% for source in prompt_sources() %}
select
    {{ prompt_columns() | join(',\n    ') }}
from {{ ref('stg_' ~ source ~ '__prompts') }}
{% if not loop.last %}
union all
{% endif %}
{% endfor %}
