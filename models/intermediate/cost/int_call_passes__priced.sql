{#
  What each pass beside a call costs: its own model and its own prompt, at the time of the call and
  served as the call was. A view: a call is priced again where the sum of its passes is another.
#}
with

calls as (
    select * from {{ ref('int_calls__deduplicated') }}
),

passes as (
    select * from {{ ref('int_call_passes__deduplicated') }}
),

aliases as (
    select * from {{ ref('model_aliases') }}
),

-- a side chain's replay of a call adds nothing to it
served as (
    select
        passes.call_id as call_id,
        passes.pass_index as pass_index,
        passes.pass_type as pass_type,
        coalesce(passes.requested_model, calls.requested_model) as requested_model,
        passes.input_tokens as input_tokens,
        passes.cache_write_5m_tokens as cache_write_5m_tokens,
        passes.cache_write_1h_tokens as cache_write_1h_tokens,
        passes.cache_read_tokens as cache_read_tokens,
        passes.output_tokens as output_tokens,
        passes.cache_write_assumed_tokens as cache_write_assumed_tokens,
        passes.total_tokens as total_tokens,
        0 as web_search_requests,
        calls.vendor as vendor,
        calls.service_tier as service_tier,
        calls.speed as speed,
        calls.inference_geo as inference_geo,
        calls.called_at as called_at
    from calls
    inner join passes
        on calls.call_id = passes.call_id
    where
        calls.is_sidechain
        or not passes.is_sidechain
),

named as (
    select
        served.*,
        coalesce(aliases.model_id, served.requested_model) as model_id,
        aliases.price_region
    from served
    left join aliases
        on served.requested_model = aliases.alias
),

with_price as (
    {{ with_price('named') }}
),

listed as (
    select
        *,
        {{ list_cost_usd() }} as list_cost_usd,
        {{ uncertain_cost_usd() }} as uncertain_cost_usd
    from with_price
)

select
    call_id,
    pass_index,
    pass_type,
    vendor,
    model_id,
    requested_model,
    input_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_read_tokens,
    output_tokens,
    cache_write_assumed_tokens,
    total_tokens,
    list_cost_usd,
    {{ contracted_usd('list_cost_usd') }} as total_cost_usd,
    {{ contracted_usd('list_cost_usd + uncertain_cost_usd') }} as upper_bound_cost_usd,
    price_version,
    price_region,
    called_at
from listed
