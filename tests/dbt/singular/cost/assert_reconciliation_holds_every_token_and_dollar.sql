-- every token of calls, passes and reports, and every dollar of the bills, is in the reconciliation
with

calls as (
    select
        coalesce(sum(
            input_tokens + cache_write_5m_tokens + cache_write_1h_tokens
            + cache_read_tokens + output_tokens + pass_tokens
            + coalesce(web_search_requests, 0)
        ), 0) as call_tokens
    from {{ ref('int_calls__priced') }}
    where merged_into_call_id is null
),

usage as (
    select
        coalesce(sum(
            input_tokens + cache_write_5m_tokens + cache_write_1h_tokens
            + cache_read_tokens + output_tokens + web_search_requests
        ), 0) as report_tokens
    from {{ ref('usage_buckets') }}
    where is_reconciled
),

bills as (
    select coalesce(sum(net_cost_usd), 0) as net_cost_usd
    from {{ ref('invoiced_costs') }}
    where is_reconciled
),

reconciled as (
    select
        coalesce(sum(call_tokens), 0) as call_tokens,
        coalesce(sum(report_tokens), 0) as report_tokens,
        coalesce(sum(vendor_net_cost_usd), 0) as net_cost_usd
    from {{ ref('cost_reconciliation') }}
)

select reconciled.*
from reconciled
cross join calls
cross join usage
cross join bills
where
    reconciled.call_tokens != calls.call_tokens
    or reconciled.report_tokens != usage.report_tokens
    or reconciled.net_cost_usd != bills.net_cost_usd
