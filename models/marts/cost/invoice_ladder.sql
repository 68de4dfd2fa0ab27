{{ config(order_by=['period', 'vendor', 'step_number']) }}

{#
  From what the calls cost to what is invoiced, step by step. Each difference of the reconciliation is
  on one step: the one that its reason belongs to.
#}
{% set steps = [
    ('computed', 'start'),
    ('not_captured', 'change'),
    ('tokens_differ', 'change'),
    ('not_in_report', 'change'),
    ('price_differs', 'change'),
    ('not_priced', 'change'),
    ('priority_tier', 'change'),
    ('not_itemised', 'change'),
    ('list', 'total'),
    ('discount', 'change'),
    ('invoiced', 'total')
] %}
with

rows_of_bills as (
    select
        *,
        cast({{ dbt.date_trunc('month', 'usage_date') }} as date) as period
    from {{ ref('cost_reconciliation') }}
),

-- a month has a ladder once the vendor has billed something in it
months as (
    select
        period,
        vendor
    from rows_of_bills
    where vendor_net_cost_usd is not null
    group by period, vendor
),

reasons as (
    select * from {{ ref('reconciliation_reasons') }}
),

differences as (
    select
        period,
        vendor,
        nullif(usage_reason, 'unexplained') as reason,
        'tokens_differ' as plain_step,
        usage_difference_usd as amount_usd
    from rows_of_bills

    union all

    select
        period,
        vendor,
        -- over all workspaces it is one of prices
        nullif(nullif(price_reason, 'workspace_not_told'), 'unexplained') as reason,
        'price_differs' as plain_step,
        price_difference_usd + priority_tier_usd as amount_usd
    from rows_of_bills

    union all

    select
        period,
        vendor,
        'priority_tier_not_in_report' as reason,
        'priority_tier' as plain_step,
        -priority_tier_usd as amount_usd
    from rows_of_bills
),

amounts as (
    select
        period,
        vendor,
        'computed' as step,
        computed_cost_usd as amount_usd
    from rows_of_bills

    union all

    select
        differences.period as period,
        differences.vendor as vendor,
        coalesce(reasons.ladder_step, differences.plain_step) as step,
        differences.amount_usd as amount_usd
    from differences
    left join reasons
        on differences.reason = reasons.reason

    union all

    select
        period,
        vendor,
        'discount' as step,
        -discount_usd as amount_usd
    from rows_of_bills
),

steps as (
    {% for step, step_type in steps %}
    select
        cast({{ loop.index }} as bigint) as step_number,
        '{{ step }}' as step,
        '{{ step_type }}' as step_type
    {% if not loop.last %}
    union all
    {% endif %}
    {% endfor %}
),

summed as (
    select
        months.period as period,
        months.vendor as vendor,
        steps.step_number as step_number,
        steps.step as step,
        steps.step_type as step_type,
        sum(coalesce(amounts.amount_usd, 0)) as amount_usd
    from months
    cross join steps
    left join amounts
        on months.period = amounts.period
        and months.vendor = amounts.vendor
        and steps.step = amounts.step
    group by months.period, months.vendor, steps.step_number, steps.step, steps.step_type
),

running as (
    select
        *,
        sum(amount_usd) over (
            partition by period, vendor
            order by step_number asc
            rows between unbounded preceding and current row
        ) as running_total_usd
    from summed
),

final as (
    select
        period,
        '{{ customer() }}' as customer_id,
        vendor,
        step_number,
        step,
        step_type,
        cast(amount_usd as {{ type_usd() }}) as amount_usd,
        cast(running_total_usd as {{ type_usd() }}) as running_total_usd
    from running
)

select * from final
