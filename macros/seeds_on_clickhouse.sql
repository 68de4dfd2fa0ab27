{#-
  On a ClickHouse cluster a seed is spread over the shards as every other table is; dbt-clickhouse
  would fill it on one node only, and the others would join with nothing.
-#}
{% macro clickhouse__create_csv_table(model, agate_table) %}
    {% set sql = dbt.clickhouse__create_csv_table(model, agate_table) %}
    {% if adapter.get_clickhouse_cluster_name() %}
        {% set local = this.incorporate(
            path={'identifier': this.identifier ~ adapter.get_clickhouse_local_suffix()}
        ) %}
        {% do rename_relation(this, local) %}
        {% do run_query(create_distributed_table(this, local)) %}
    {% endif %}
    {{ return(sql) }}
{% endmacro %}

{#- A distributed table is made anew: to truncate it would leave the rows that its shards hold. -#}
{% macro clickhouse__reset_csv_table(model, full_refresh, old_relation, agate_table) %}
    {% set anew = full_refresh or adapter.get_clickhouse_cluster_name() is not none %}
    {{ return(default__reset_csv_table(model, anew, old_relation, agate_table)) }}
{% endmacro %}
