{#- The slug of the customer whose data this run builds. -#}
{% macro customer() -%}
    {{- return(env_var('MINDWEAVE_CUSTOMER', 'local')) -}}
{%- endmacro %}
