{#- Whether a row is of a classic report that was grouped by ``dimension``, where null has a meaning. -#}
{% macro is_of_classic_report(dimension) -%}
    (substr(endpoint, 1, 10) != 'analytics/' and position('{{ dimension }}' in group_by) > 0)
{%- endmacro %}

{#- The workspace, or `default`, which a classic report that was grouped by workspace calls null. -#}
{% macro workspace_or_default() -%}
    case
        when not is_empty and {{ is_of_classic_report('workspace_id') }}
            then coalesce(workspace_id, 'default')
        else workspace_id
    end
{%- endmacro %}

{#-
  The key, or `console` for what used none: grouped by key, not a federated account's, and in a
  workspace, as a seat's usage is in none.
-#}
{% macro api_key_or_console() -%}
    case
        when api_key_id is not null or is_empty or service_account_id is not null then api_key_id
        when {{ is_of_classic_report('api_key_id') }} then 'console'
        when position('api_key_id' in group_by) > 0 and workspace_id is not null then 'console'
    end
{%- endmacro %}
