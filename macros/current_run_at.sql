{#-
  When this run processes a row: later than any row the model holds, also where clocks disagree, so
  that "later than what I have" finds each row once.
-#}
{% macro current_run_at() -%}
    {%- set now = "cast('" ~ run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') ~ "' as "
        ~ dbt.type_timestamp() ~ ")" -%}
    {%- if is_incremental() -%}
        greatest(
            {{ now }},
            (
                select coalesce(max(processed_at), {{ now }}) + interval '1' second
                from {{ this }}
            )
        )
    {%- else -%}
        {{ now }}
    {%- endif -%}
{%- endmacro %}
