{#- What no split names of the tokens that Anthropic's usage says were written to the cache. -#}
{% macro unsplit_cache_write_tokens() -%}
    greatest(
        coalesce(cache_creation_input_tokens, 0)
        - coalesce(ephemeral_5m_input_tokens, 0)
        - coalesce(ephemeral_1h_input_tokens, 0),
        0
    )
{%- endmacro %}
