{#
  Every sight of a call of an MCP tool by a source that tells it in one record. Transcripts tell the
  call and its result in two, which `int_tool_calls__deduplicated` joins.
#}
{% for source in tool_call_sources() %}
select
    {{ tool_call_columns() | join(',\n    ') }},
    {{ 'true' if source in sources_that_correct() else 'false' }} as is_corrected_in_place
from {{ ref('stg_' ~ source ~ '__tool_calls') }}
{% if not loop.last %}union all{% endif %}
{% endfor %}
