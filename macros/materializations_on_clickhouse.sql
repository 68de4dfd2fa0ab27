{#-
  Tables on ClickHouse: dbt-clickhouse's own, and its distributed ones where the profile names a
  cluster, so that no model has to say on which of the two it is built.
-#}
{% materialization table, adapter='clickhouse' %}
    {% do allow_nulls_in_keys() %}
    {% if adapter.get_clickhouse_cluster_name() %}
        {{ return(dbt.materialization_distributed_table_clickhouse()) }}
    {% endif %}
    {{ return(dbt.materialization_table_clickhouse()) }}
{% endmaterialization %}

{#-
  ClickHouse has no transactions: a build that breaks off leaves some of its rows, and the next would
  take them for all. So a mark stands beside the table until it is done; who finds one starts anew.
-#}
{% materialization incremental, adapter='clickhouse' %}
    {% do allow_nulls_in_keys() %}
    {% set mark = mark_of_unfinished() %}
    {% set on_cluster = on_cluster_clause(this) %}
    {% if load_cached_relation(mark) is not none %}
        {% do drop_leftovers() %}
    {% endif %}
    {% do run_query("create or replace view " ~ mark ~ on_cluster ~ " as select 1 as is_unfinished") %}
    {% if adapter.get_clickhouse_cluster_name() %}
        {% set built = dbt.materialization_distributed_incremental_clickhouse() %}
        {# it forgets to #}
        {% do run_query("drop view if exists " ~ this.derivative('__dbt_view_tmp') ~ on_cluster) %}
    {% else %}
        {% set built = dbt.materialization_incremental_clickhouse() %}
    {% endif %}
    {% do run_query("drop view " ~ mark ~ on_cluster) %}
    {{ return(built) }}
{% endmaterialization %}

{#- Where one was left, the whole table is built: dbt's own answer is only whether somebody asked. -#}
{% macro should_full_refresh() %}
    {% set is_unfinished = target.type == 'clickhouse' and config.get('unique_key')
        and load_cached_relation(mark_of_unfinished()) is not none %}
    {{ return(is_unfinished or dbt.should_full_refresh()) }}
{% endmacro %}

{% macro mark_of_unfinished() %}
    {{ return(this.derivative('__unfinished')) }}
{% endmacro %}

{#- dbt-clickhouse's own tables of the run that broke off: each is named after its run. -#}
{% macro drop_leftovers() %}
    {% set leftovers = run_query(
        "select name from system.tables where database = '" ~ this.schema ~ "'"
        ~ " and startsWith(name, '" ~ this.identifier ~ "__dbt_')"
    ) %}
    {% for leftover in leftovers %}
        {% do drop_relation(this.derivative(leftover['name'], none, true)) %}
    {% endfor %}
{% endmacro %}

{#- Every column may be null there as on the other engines, also one that rows are sorted by. -#}
{% macro allow_nulls_in_keys() %}
    {% do model['config'].update({'settings': {'allow_nullable_key': 1}}) %}
{% endmacro %}
