{#-
  The days that an incremental model by day has to make again: those that a changed call is on, or
  was on, as its day can only be that of one of its observations; and those of ``also``, a query.
-#}
{% macro changed_days(also=none) -%}
    changed as (
        select
            usage_date,
            last_usage_date,
            max(processed_at) as processed_at
        from {{ ref('int_calls__priced') }}
        where {{ newer_than_this() }}
        group by usage_date, last_usage_date
    ),

    changed_days as (
        select changed.usage_date
        from changed
        union
        select held.usage_date
        from (select distinct usage_date from {{ this }}) as held
        inner join changed
            on held.usage_date > changed.usage_date
            and held.usage_date <= changed.last_usage_date
        {% if also %}
        union
        {{ also }}
        {% endif %}
    )
{%- endmacro %}

{#- Whether a call is on one of them; the range says no more, but lets a database skip the rest. -#}
{% macro on_a_changed_day() -%}
    usage_date in (select changed_days.usage_date from changed_days)
    and usage_date >= (select min(changed_days.usage_date) from changed_days)
    and usage_date <= (select max(changed_days.usage_date) from changed_days)
{%- endmacro %}

{#- When the newest call that a model by day holds was priced. -#}
{% macro newest_processed_at() -%}
    (
        select max(processed_at)
        from {% if is_incremental() %} changed {% else %} {{ ref('int_calls__priced') }} {% endif %}
    )
{%- endmacro %}
