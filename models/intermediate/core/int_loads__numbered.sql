{{ config(
    materialized='incremental',
    incremental_strategy='append',
    order_by=['load_id']
) }}

{#
  When each load was first built. Everything incremental downstream asks "later than what I have" of
  this time: it only grows, whatever order loads end in and whatever the loading machines' clocks say.
#}
with

loads as (
    select * from {{ ref('stg_mindweave__loads') }}
),

new_loads as (
    select
        load_id,
        source,
        finished_at as loaded_at,
        {{ current_run_at() }} as processed_at
    from loads
    {% if is_incremental() %}
        where load_id not in (select seen.load_id from {{ this }} as seen)
    {% endif %}
)

select * from new_loads
