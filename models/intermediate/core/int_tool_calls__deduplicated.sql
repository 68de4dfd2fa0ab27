{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='tool_call_id',
    on_schema_change='fail',
    order_by=['call_id', 'tool_call_id'],
    partition_by='toYYYYMM(called_at)',
    sharding_key='sipHash64(assumeNotNull(call_id))'
) }}

{#
  One row a call of an MCP tool: the union of what all records of the model's answer named and of what
  other sources saw, joined with the first result. In transcripts a tool is named
  mcp__<server>__<tool>; the server ends at the first double underscore. A sight that knows the model
  call, or the server, says more than one that does not. `call_id` is null where no source knows which
  model call asked. `previous_call_id` is the model call that the row belonged to until this run, where
  a late record showed that another one made it.
#}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

links as (
    select * from {{ ref('int_calls__links') }}
),

all_reported as (
    select
        coalesce(
            coalesce(
                reported.vendor,
                case
                    when reported.tool_use_id like 'toolu%' then 'anthropic'
                    when reported.tool_use_id like 'call%' then 'openai'
                    else 'tool'
                end
            ) || '/' || reported.tool_use_id,
            'place/' || reported.source || '/' || reported.observation_id
        ) as tool_call_id,
        coalesce(
            reported.vendor || '/' || coalesce(reported.message_id, links.message_id),
            reported.vendor || '/' || reported.request_id,
            'record/' || reported.record_uuid
        ) as call_id,
        reported.observation_id as file_id,
        reported.input_fingerprint,
        reported.mcp_name,
        reported.tool_name,
        reported.team_id,
        reported.project,
        reported.status,
        reported.latency_ms,
        reported.reported_cost_usd,
        reported.observed_at,
        reported.answered_at,
        loads.processed_at,
        coalesce(reported.is_corrected_in_place, false) as is_corrected_in_place,
        row_number() over (
            partition by reported.source, reported.observation_id
            order by loads.loaded_at desc, reported.load_id desc
        ) as recency
    from {{ ref('int_tool_calls__reported') }} as reported
    inner join loads
        on reported.load_id = loads.load_id
    left join links
        on reported.vendor = links.vendor
        and reported.request_id = links.request_id
),

reported as (
    select * from all_reported
    where recency = 1 or not is_corrected_in_place
),

tool_uses as (
    select
        coalesce(
            tool_uses.vendor || '/' || tool_uses.tool_use_id,
            'place/' || tool_uses.file_id
            || '/' || cast(tool_uses.line_number as {{ dbt.type_string() }})
            || '/' || cast(tool_uses.block_index as {{ dbt.type_string() }})
        ) as tool_call_id,
        {{ call_id(
            'tool_uses.vendor', 'tool_uses.message_id', 'tool_uses.request_id',
            'tool_uses.record_uuid',
            "tool_uses.file_id || '/' || cast(tool_uses.line_number as " ~ dbt.type_string() ~ ")"
        ) }} as call_id,
        tool_uses.file_id,
        tool_uses.line_number,
        tool_uses.block_index,
        tool_uses.input_fingerprint,
        tool_uses.observed_at,
        substr(tool_uses.full_tool_name, 6) as server_and_tool,
        cast(null as {{ dbt.type_string() }}) as mcp_name,
        cast(null as {{ dbt.type_string() }}) as tool_name,
        cast(null as {{ dbt.type_string() }}) as team_id,
        cast(null as {{ dbt.type_string() }}) as project,
        cast(null as {{ dbt.type_bigint() }}) as latency_ms,
        cast(null as {{ type_usd() }}) as reported_cost_usd,
        loads.processed_at
    from {{ ref('stg_claude_code__tool_uses') }} as tool_uses
    inner join loads
        on tool_uses.load_id = loads.load_id

    union all

    select
        tool_call_id,
        call_id,
        file_id,
        0 as line_number,
        0 as block_index,
        input_fingerprint,
        observed_at,
        cast(null as {{ dbt.type_string() }}) as server_and_tool,
        mcp_name,
        tool_name,
        team_id,
        project,
        latency_ms,
        reported_cost_usd,
        processed_at
    from reported
),

tool_results as (
    select
        tool_results.vendor || '/' || tool_results.tool_use_id as tool_call_id,
        tool_results.is_error,
        tool_results.denial_kind,
        tool_results.observed_at,
        tool_results.file_id,
        tool_results.line_number,
        loads.processed_at
    from {{ ref('stg_claude_code__tool_results') }} as tool_results
    inner join loads
        on tool_results.load_id = loads.load_id

    union all

    select
        tool_call_id,
        cast(status = 'error' as {{ dbt.type_boolean() }}) as is_error,
        case when status = 'denied' then 'denied' end as denial_kind,
        answered_at as observed_at,
        file_id,
        0 as line_number,
        processed_at
    from reported
    where status != 'unknown'
),

{% if is_incremental() %}
    changed as (
        select tool_call_id from tool_uses
        where {{ newer_than_this() }}
        union all
        select tool_call_id from tool_results
        where {{ newer_than_this() }}
        union all
        -- of a call that was known by its request until a source told its message
        select held.tool_call_id
        from {{ this }} as held
        inner join links
            on held.call_id = links.vendor || '/' || links.request_id
    ),
{% endif %}

ranked_uses as (
    select
        *,
        position('__' in server_and_tool) as separator_at,
        row_number() over (
            partition by tool_call_id
            order by
                case when call_id is null then 1 else 0 end asc,
                case when mcp_name = 'unknown' then 1 else 0 end asc,
                observed_at asc,
                file_id asc,
                line_number asc,
                block_index asc
        ) as use_rank,
        max(input_fingerprint) over (partition by tool_call_id) as any_fingerprint,
        max(team_id) over (partition by tool_call_id) as reported_team_id,
        max(project) over (partition by tool_call_id) as reported_project,
        max(latency_ms) over (partition by tool_call_id) as reported_latency_ms,
        max(reported_cost_usd) over (partition by tool_call_id) as highest_reported_cost_usd,
        max(processed_at) over (partition by tool_call_id) as last_processed_at
    from tool_uses
    {% if is_incremental() %}
        where tool_call_id in (select changed.tool_call_id from changed)
    {% endif %}
),

ranked_results as (
    select
        *,
        row_number() over (
            partition by tool_call_id
            order by observed_at asc, file_id asc, line_number asc
        ) as result_rank,
        max(processed_at) over (partition by tool_call_id) as last_processed_at
    from tool_results
    where
        tool_call_id in (select ranked_uses.tool_call_id from ranked_uses)
),

joined as (
    select
        ranked_uses.tool_call_id as tool_call_id,
        ranked_uses.call_id as call_id,
        {% if is_incremental() %}
        case when held.call_id != ranked_uses.call_id then held.call_id end as previous_call_id,
        {% else %}
        cast(null as {{ dbt.type_string() }}) as previous_call_id,
        {% endif %}
        coalesce(ranked_uses.input_fingerprint, ranked_uses.any_fingerprint) as dedup_hash,
        case
            when ranked_uses.mcp_name is not null then ranked_uses.mcp_name
            when ranked_uses.separator_at > 1
                then substr(ranked_uses.server_and_tool, 1, ranked_uses.separator_at - 1)
            else ranked_uses.server_and_tool
        end as mcp_name,
        case
            when ranked_uses.mcp_name is not null then ranked_uses.tool_name
            when ranked_uses.separator_at > 1
                then substr(ranked_uses.server_and_tool, ranked_uses.separator_at + 2)
        end as tool_name,
        case
            when ranked_results.denial_kind is not null then 'denied'
            when ranked_results.is_error then 'error'
            when ranked_results.is_error is not null then 'success'
            else 'unknown'
        end as status,
        ranked_uses.observed_at as called_at,
        ranked_results.observed_at as answered_at,
        ranked_uses.reported_latency_ms as reported_latency_ms,
        cast(ranked_uses.highest_reported_cost_usd as {{ type_usd() }}) as reported_cost_usd,
        ranked_uses.reported_team_id as team_id,
        ranked_uses.reported_project as project,
        ranked_uses.file_id as file_id,
        ranked_uses.line_number as line_number,
        ranked_uses.block_index as block_index,
        greatest(
            ranked_uses.last_processed_at,
            coalesce(ranked_results.last_processed_at, ranked_uses.last_processed_at)
        ) as processed_at
    from ranked_uses
    left join ranked_results
        on ranked_uses.tool_call_id = ranked_results.tool_call_id
        and ranked_results.result_rank = 1
    {% if is_incremental() %}
        left join {{ this }} as held
            on ranked_uses.tool_call_id = held.tool_call_id
    {% endif %}
    where ranked_uses.use_rank = 1
)

select * from joined
