{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='call_id',
    on_schema_change='fail',
    order_by=['call_id', 'pass_index'],
    sharding_key='sipHash64(assumeNotNull(call_id))'
) }}

{#
  The passes beside each call, as one of its records lists them: the one whose passes have the most
  tokens, and of a side chain only where nothing else lists any. Never of two records, as they repeat
  each other. Ties are broken by the record's own place.
#}
with

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

passes as (
    select
        {{ call_id(
            'passes.vendor', 'passes.message_id', 'passes.request_id', 'passes.record_uuid',
            "passes.file_id || '/' || cast(passes.line_number as " ~ dbt.type_string() ~ ")"
        ) }} as call_id,
        passes.pass_index,
        passes.pass_type,
        passes.requested_model,
        passes.is_sidechain,
        passes.input_tokens,
        passes.cache_write_5m_tokens,
        passes.cache_write_1h_tokens,
        passes.cache_read_tokens,
        passes.output_tokens,
        passes.cache_write_assumed_tokens,
        passes.load_id,
        passes.file_id,
        passes.line_number,
        loads.processed_at
    from {{ ref('stg_claude_code__passes') }} as passes
    inner join loads
        on passes.load_id = loads.load_id
),

{% if is_incremental() %}
    changed as (
        select call_id from passes
        where {{ newer_than_this() }}
    ),
{% endif %}

measured as (
    select
        *,
        input_tokens
        + cache_write_5m_tokens
        + cache_write_1h_tokens
        + cache_read_tokens
        + output_tokens as total_tokens,
        row_number() over (
            partition by load_id, file_id, line_number, pass_index
            order by call_id asc
        ) as copy_number,
        max(processed_at) over (partition by call_id) as last_processed_at
    from passes
    {% if is_incremental() %}
        where call_id in (select changed.call_id from changed)
    {% endif %}
),

summed as (
    select
        *,
        sum(total_tokens) over (
            partition by load_id, file_id, line_number
        ) as record_tokens
    from measured
    where copy_number = 1
),

ranked as (
    select
        *,
        dense_rank() over (
            partition by call_id
            order by
                is_sidechain asc,
                record_tokens desc,
                file_id asc,
                line_number asc,
                load_id asc
        ) as record_rank
    from summed
)

select
    call_id,
    pass_index,
    pass_type,
    requested_model,
    is_sidechain,
    input_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_read_tokens,
    output_tokens,
    cache_write_assumed_tokens,
    total_tokens,
    last_processed_at as processed_at
from ranked
where record_rank = 1
