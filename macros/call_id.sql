{#-
  The one identity of a model call: the vendor's message id, else its request id, else the record's
  own uuid, else its place. The last two are weak: a copy of the record cannot be recognised.
-#}
{% macro call_id(vendor, message_id, request_id, record_uuid, place) -%}
    coalesce(
        {{ vendor }} || '/' || {{ message_id }},
        {{ vendor }} || '/' || {{ request_id }},
        'record/' || {{ record_uuid }},
        'place/' || {{ place }}
    )
{%- endmacro %}
