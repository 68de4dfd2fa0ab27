{# Every sight of a model call, all sources in one shape. #}
{% for source in call_sources() %}
select
    {{ call_columns() | join(',\n    ') }},
    {{ 'true' if source in sources_that_correct() else 'false' }} as is_corrected_in_place
from {{ ref('stg_' ~ source ~ '__calls') }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
