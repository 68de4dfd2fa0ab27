{#-
  What every source says of a model call or a tool call, in one order: `stg_<source>__calls` and
  `stg_<source>__tool_calls` have these columns, and a source joins the models by its name below.
-#}
{% macro call_sources() -%}
    {{- return(['claude_code', 'claude_code_otel', 'events', 'litellm', 'mindweave', 'otel_genai']) -}}
{%- endmacro %}

{% macro tool_call_sources() -%}
    {{- return(['claude_code_otel', 'events', 'litellm', 'mindweave', 'otel_genai']) -}}
{%- endmacro %}

{#- What a person typed: `stg_<source>__prompts`; the first of two that saw a session tells its prompts. -#}
{% macro prompt_sources() -%}
    {{- return(['claude_code', 'claude_code_otel']) -}}
{%- endmacro %}

{% macro prompt_columns() -%}
    {{- return([
        'observation_id', 'source', 'load_id', 'session_id', 'prompt_id', 'user_id', 'team_id',
        'dedup_hash', 'observed_at'
    ]) -}}
{%- endmacro %}

{#-
  Sources that correct a record by telling it again: of the rows with one observation_id only that of
  the newest load counts. In files that only grow, another line at the same place is another record.
-#}
{% macro sources_that_correct() -%}
    {{- return(['litellm', 'mindweave']) -}}
{%- endmacro %}

{% macro call_columns() -%}
    {{- return([
        'observation_id', 'source', 'load_id', 'vendor', 'message_id', 'request_id',
        'record_uuid', 'session_id', 'org_id', 'workspace_id', 'api_key_id', 'project',
        'team_id', 'user_id', 'requested_model', 'service_tier', 'speed', 'inference_geo',
        'region', 'user_region', 'data_classification', 'status', 'is_sidechain', 'input_tokens',
        'cache_write_5m_tokens', 'cache_write_1h_tokens', 'cache_read_tokens', 'output_tokens',
        'cache_write_assumed_tokens', 'web_search_requests', 'reported_cost_usd',
        'reported_cost_basis', 'latency_ms', 'dedup_hash', 'observed_at'
    ]) -}}
{%- endmacro %}

{% macro tool_call_columns() -%}
    {{- return([
        'observation_id', 'source', 'load_id', 'vendor', 'tool_use_id', 'message_id',
        'request_id', 'record_uuid', 'session_id', 'team_id', 'project', 'user_id', 'mcp_name',
        'tool_name', 'input_fingerprint', 'status', 'latency_ms', 'reported_cost_usd',
        'observed_at', 'answered_at'
    ]) -}}
{%- endmacro %}

{% macro identity_sources() -%}
    {{- return(['anthropic_admin', 'litellm', 'openai_admin']) -}}
{%- endmacro %}

{% macro identity_columns() -%}
    {{- return([
        'source', 'load_id', 'id_kind', 'id', 'person_id', 'team_id', 'parent_id', 'is_deleted'
    ]) -}}
{%- endmacro %}
