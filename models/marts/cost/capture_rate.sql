{{ config(order_by=['period_type', 'period', 'vendor', 'workspace_id']) }}

{# Days and months side by side, as shares do not add up. Only days that a usage report reaches. #}
with

reconciled as (
    select * from {{ ref('cost_reconciliation') }}
    where token_type not in ('web_search', 'none')
),

first_days as (
    select
        vendor,
        min(usage_date) as from_date
    from {{ ref('int_usage_buckets__observations') }}
    where is_reconciled
    group by vendor
),

-- tokens, calls and requests come from three tables
stacked as (
    select
        usage_date,
        vendor,
        workspace_id,
        call_tokens as captured_tokens,
        report_tokens as reported_tokens,
        cast(0 as bigint) as captured_calls,
        cast(null as {{ dbt.type_bigint() }}) as reported_requests
    from reconciled

    union all

    select
        usage_date,
        vendor,
        coalesce(workspace_id, 'unknown') as workspace_id,
        cast(0 as bigint) as captured_tokens,
        cast(0 as bigint) as reported_tokens,
        calls as captured_calls,
        cast(null as {{ dbt.type_bigint() }}) as reported_requests
    from {{ ref('int_calls__by_utc_day') }}

    union all

    select
        usage_date,
        vendor,
        coalesce(workspace_id, 'unknown') as workspace_id,
        cast(0 as bigint) as captured_tokens,
        cast(0 as bigint) as reported_tokens,
        cast(0 as bigint) as captured_calls,
        request_count as reported_requests
    from {{ ref('usage_buckets') }}
    where is_reconciled
),

of_reported_days as (
    select
        stacked.usage_date as usage_date,
        cast({{ dbt.date_trunc('month', 'stacked.usage_date') }} as date) as usage_month,
        stacked.vendor as vendor,
        stacked.workspace_id as workspace_id,
        stacked.captured_tokens as captured_tokens,
        stacked.reported_tokens as reported_tokens,
        stacked.captured_calls as captured_calls,
        stacked.reported_requests as reported_requests
    from stacked
    inner join first_days
        on stacked.vendor = first_days.vendor
        and stacked.usage_date >= first_days.from_date
),

summed as (
    {% for period_type, period in [('month', 'usage_month'), ('day', 'usage_date')] %}
    select
        '{{ period_type }}' as period_type,
        {{ period }} as period,
        vendor,
        workspace_id,
        sum(captured_tokens) as captured_tokens,
        sum(reported_tokens) as reported_tokens,
        sum(captured_calls) as captured_calls,
        sum(reported_requests) as reported_requests
    from of_reported_days
    group by {{ period }}, vendor, workspace_id
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

of_all_workspaces as (
    select
        *,
        sum(captured_tokens) over (partition by period_type, period, vendor) as all_captured_tokens,
        sum(reported_tokens) over (partition by period_type, period, vendor) as all_reported_tokens
    from summed
),

final as (
    select
        period_type,
        period,
        '{{ customer() }}' as customer_id,
        vendor,
        workspace_id,
        cast(captured_tokens as bigint) as captured_tokens,
        cast(reported_tokens as bigint) as reported_tokens,
        {{ divide_usd('cast(captured_tokens as numeric(20, 0))', 'reported_tokens') }}
            as captured_tokens_ratio,
        {{ divide_usd('cast(all_captured_tokens as numeric(20, 0))', 'all_reported_tokens') }}
            as vendor_captured_tokens_ratio,
        cast(captured_calls as bigint) as captured_calls,
        cast(reported_requests as bigint) as reported_requests,
        {{ divide_usd('cast(captured_calls as numeric(20, 0))', 'reported_requests') }}
            as captured_calls_ratio
    from of_all_workspaces
)

select * from final
