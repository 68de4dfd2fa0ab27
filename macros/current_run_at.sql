{#-
  When this run processes a row: later than any row the model holds, also where clocks disagree, so
  that "later than what I have" finds each row once. A replay is of a time, and not of the run's.
-#}
{% macro current_run_at() -%}
    {%- set time = var('mindweave__as_of', none)
        or run_started_at.strftime('%Y-%m-%d %H:%M:%S.%f') -%}
    {%- set now = "cast('" ~ time ~ "' as " ~ dbt.type_timestamp() ~ ")" -%}
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
