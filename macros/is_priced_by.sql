{#-
  Which row of the price book a request goes by: that of its model, of the UTC day it was made on, and
  of the band that its whole prompt is in. No request goes by two.
-#}
{% macro is_priced_by(request, price) -%}
    {{ request }}.vendor = {{ price }}.vendor
    and {{ request }}.model_id = {{ price }}.model_id
    and cast({{ request }}.called_at as date) >= {{ price }}.valid_from_date
    and cast({{ request }}.called_at as date) < {{ price }}.valid_to_date
    and {{ request }}.input_tokens
    + {{ request }}.cache_write_5m_tokens
    + {{ request }}.cache_write_1h_tokens
    + {{ request }}.cache_read_tokens > {{ price }}.prompt_tokens_above
    and {{ request }}.input_tokens
    + {{ request }}.cache_write_5m_tokens
    + {{ request }}.cache_write_1h_tokens
    + {{ request }}.cache_read_tokens <= {{ price }}.prompt_tokens_up_to
{%- endmacro %}
