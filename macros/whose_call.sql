{#-
  Whose a call was at the time: the periods of its user, its key and its workspace, which is the
  key's where the call names none.
-#}
{% macro join_identities(calls, user_id='user_id', workspace_id='workspace_id') -%}
    {% for name, kind, id in [
        ('of_user', 'user', calls ~ '.' ~ user_id),
        ('of_key', 'api_key', calls ~ '.api_key_id'),
        ('of_workspace', 'workspace', 'coalesce(' ~ calls ~ '.' ~ workspace_id ~ ', of_key.parent_id)')
    ] %}
    left join {{ ref('int_identities__periods') }} as {{ name }}
        on {{ id }} = {{ name }}.id
        and {{ name }}.id_kind = '{{ kind }}'
        and {{ calls }}.called_at >= {{ name }}.valid_from_at
        and {{ calls }}.called_at < {{ name }}.valid_to_at
    {% endfor %}
{%- endmacro %}

{#- Everything that these periods say: where it differs, the call is attributed anew. -#}
{% macro attributed_by() -%}
    nullif(
        {% for name in ['of_user', 'of_key', 'of_workspace'] -%}
            {% for column in ['person_id', 'team_id', 'parent_id'] -%}
                coalesce({{ name }}.{{ column }}, '') || '/' {%- if not loop.last %} || {% endif %}
            {%- endfor %}
            {%- if not loop.last %} || {% endif %}
        {%- endfor %},
        '/////////'
    )
{%- endmacro %}
