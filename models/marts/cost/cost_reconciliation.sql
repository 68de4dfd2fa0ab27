{{ config(order_by=['usage_date', 'vendor', 'workspace_id', 'model_id', 'token_type']) }}

{#
  Calls, the vendor's usage report and the vendor's bill, side by side:

      calls × our price  →  report × our price  →  the bill at list prices  (→ what is invoiced)
                    usage difference        price difference          discount

  Each of the two is judged by itself; the worse is the row's. No figure is ever scaled. Web searches
  are compared over all models, as bills name none. What does not tell its workspace (`unknown`) is
  judged over all workspaces together.
#}
{% set kinds = ['input', 'cache_write_5m', 'cache_write_1h', 'cache_read', 'output'] %}
{% set grain = ['usage_date', 'vendor', 'workspace_id', 'model_id', 'token_type'] %}
{% set counts = [
    'call_tokens', 'assumed_tokens', 'report_tokens', 'unpriced_tokens', 'unknown_band_tokens',
    'cost_lines', 'cost_lines_with_list'
] %}
{% set amounts = [
    'computed_cost_usd', 'report_cost_usd', 'contract_discount_usd', 'least_cost_usd',
    'greatest_cost_usd', 'left_out_cost_usd', 'net_cost_usd', 'told_list_cost_usd',
    'code_execution_usd', 'unitemised_usd'
] %}
with

calls as (
    select * from {{ ref('int_calls__by_utc_day') }}
    -- a day that lost its last call
    where vendor is not null
),

calls_by_kind as (
    {% for kind in kinds %}
    select
        usage_date,
        vendor,
        coalesce(workspace_id, 'unknown') as workspace_id,
        model_id,
        '{{ kind }}' as token_type,
        {{ kind }}_tokens as call_tokens,
        {{ 'cache_write_assumed_tokens' if kind == 'cache_write_5m' else '0' }} as assumed_tokens,
        {{ kind }}_cost_usd as computed_cost_usd
    from calls
    where {{ kind }}_tokens != 0

    union all

    {% endfor %}
    select
        usage_date,
        vendor,
        coalesce(workspace_id, 'unknown') as workspace_id,
        'none' as model_id,
        'web_search' as token_type,
        web_search_requests as call_tokens,
        0 as assumed_tokens,
        web_search_cost_usd as computed_cost_usd
    from calls
    where web_search_requests != 0
),

bills as (
    select * from {{ ref('int_invoiced_costs__observations') }}
    where is_reconciled
),

usage_reach as (
    {{ reach_of_reports(ref('int_usage_buckets__observations')) }}
),

cost_reach as (
    {{ reach_of_reports('bills') }}
),

aliases as (
    select * from {{ ref('model_aliases') }}
),

reported as (
    select
        usage.usage_date as usage_date,
        usage.vendor as vendor,
        usage.workspace_id as workspace_id,
        case when usage.token_type = 'web_search' then 'none' else usage.model_id end as model_id,
        usage.token_type as token_type,
        usage.tokens as report_tokens,
        case
            when usage.list_cost_usd is null and not usage.is_of_unknown_band then usage.tokens
            else 0
        end as unpriced_tokens,
        case when usage.is_of_unknown_band then usage.tokens else 0 end as unknown_band_tokens,
        usage.list_cost_usd as report_cost_usd,
        usage.least_cost_usd as least_cost_usd,
        usage.greatest_cost_usd as greatest_cost_usd,
        case when usage.service_tier = cost_reach.tier_left_out then usage.list_cost_usd end
            as left_out_cost_usd,
        case
            when usage.service_tier = cost_reach.tier_left_out then 0
            else usage.list_cost_usd - usage.contracted_cost_usd
        end as contract_discount_usd
    from {{ ref('int_usage_buckets__priced') }} as usage
    left join cost_reach
        on usage.vendor = cost_reach.vendor
),

billed as (
    select
        bills.usage_date as usage_date,
        bills.vendor as vendor,
        coalesce(bills.workspace_id, 'unknown') as workspace_id,
        case
            when bills.cost_type = 'web_search' then 'none'
            else coalesce(aliases.model_id, bills.requested_model, 'none')
        end as model_id,
        case
            when bills.cost_type = 'web_search' then 'web_search'
            when bills.cost_type = 'tokens' and bills.requested_model is not null
                then coalesce(bills.token_type, 'none')
            else 'none'
        end as token_type,
        bills.cost_type as cost_type,
        bills.net_cost_usd as net_cost_usd,
        bills.list_cost_usd as list_cost_usd
    from bills
    left join aliases
        on bills.requested_model = aliases.alias
    where not bills.is_empty
),

stacked as (
    {% for relation, columns in [
        ('calls_by_kind', ['call_tokens', 'assumed_tokens', 'computed_cost_usd']),
        ('reported', [
            'report_tokens', 'unpriced_tokens', 'unknown_band_tokens', 'report_cost_usd',
            'contract_discount_usd', 'least_cost_usd', 'greatest_cost_usd', 'left_out_cost_usd'
        ])
    ] %}
    select
        {{ grain[:-1] | join(', ') }},
        {% for column in counts %}
        cast({{ column if column in columns else 0 }} as bigint) as {{ column }},
        {% endfor %}
        {% for column in amounts %}
        cast({{ column if column in columns else 'null' }} as {{ type_usd() }}) as {{ column }},
        {% endfor %}
        token_type
    from {{ relation }}

    union all

    {% endfor %}
    select
        {{ grain[:-1] | join(', ') }},
        {% for column in counts[:-2] %}
        cast(0 as bigint) as {{ column }},
        {% endfor %}
        cast(1 as bigint) as cost_lines,
        cast(case when list_cost_usd is null then 0 else 1 end as bigint) as cost_lines_with_list,
        {% for column in amounts[:-4] %}
        cast(null as {{ type_usd() }}) as {{ column }},
        {% endfor %}
        cast(net_cost_usd as {{ type_usd() }}) as net_cost_usd,
        cast(coalesce(list_cost_usd, net_cost_usd) as {{ type_usd() }}) as told_list_cost_usd,
        cast(case when cost_type = 'code_execution' then net_cost_usd end as {{ type_usd() }})
            as code_execution_usd,
        cast(
            case when cost_type = 'tokens' and token_type = 'none' then net_cost_usd end
            as {{ type_usd() }}
        ) as unitemised_usd,
        token_type
    from billed
),

side_by_side as (
    select
        {{ grain[:-1] | join(', ') }},
        {% for column in counts %}
        cast(sum({{ column }}) as bigint) as {{ column }},
        {% endfor %}
        {% for column in amounts %}
        cast(sum({{ column }}) as {{ type_usd() }}) as {{ column }},
        {% endfor %}
        token_type
    from stacked
    group by {{ grain | join(', ') }}
),

limits as (
    {{ limits_of_vendors('side_by_side') }}
),

with_reach as (
    select
        {% for column in grain + counts + amounts %}
        side_by_side.{{ column }} as {{ column }},
        {% endfor %}
        coalesce(side_by_side.computed_cost_usd, 0) as computed_usd,
        coalesce(side_by_side.left_out_cost_usd, 0) as left_out_usd,
        -- a bill that tells no list price: what our contract takes off is on top of it
        case
            when side_by_side.cost_lines = 0 then 0
            when side_by_side.cost_lines_with_list > 0 then side_by_side.told_list_cost_usd
            else
                side_by_side.told_list_cost_usd + coalesce(side_by_side.contract_discount_usd, 0)
        end as list_usd,
        coalesce(side_by_side.usage_date >= usage_reach.from_date, false) as has_usage_report,
        coalesce(side_by_side.usage_date >= cost_reach.from_date, false) as has_bill,
        cost_reach.vendor is not null as has_any_bill,
        coalesce(
            {{ is_closed_at('side_by_side.usage_date', 'usage_reach') }}, false
        ) as is_usage_closed,
        coalesce(
            {{ is_closed_at('side_by_side.usage_date', 'cost_reach') }}, false
        ) as is_cost_closed,
        coalesce(limits.tolerance_usd, 0) as tolerance_usd,
        coalesce(limits.tolerance_share, 0) as tolerance_share,
        coalesce(limits.has_seats, false) as has_seats
    from side_by_side
    left join usage_reach
        on side_by_side.vendor = usage_reach.vendor
    left join cost_reach
        on side_by_side.vendor = cost_reach.vendor
    left join limits
        on side_by_side.vendor = limits.vendor
),

-- what does not tell its workspace is judged over all of them
with_tokens as (
    select
        *,
        case when has_usage_report then report_tokens - call_tokens else 0 end as missing_tokens,
        sum(call_tokens) over of_all_workspaces as all_call_tokens,
        sum(report_tokens) over of_all_workspaces as all_report_tokens,
        sum(case when workspace_id = 'unknown' then call_tokens else 0 end)
            over of_all_workspaces as unknown_call_tokens,
        sum(case when workspace_id = 'unknown' then call_tokens + report_tokens else 0 end)
            over of_all_workspaces as unknown_tokens,
        sum(unpriced_tokens) over of_all_workspaces as all_unpriced_tokens,
        sum(unknown_band_tokens) over of_all_workspaces as all_unknown_band_tokens
    from with_reach
    window of_all_workspaces as (partition by usage_date, vendor, model_id, token_type)
),

-- what the calls are held against: the report at our price; where that is unknown, the calls
with_base as (
    select
        *,
        case
            when not has_usage_report then computed_usd
            when unpriced_tokens + unknown_band_tokens > 0 then computed_usd
            when
                unknown_tokens > 0
                and all_unpriced_tokens + all_unknown_band_tokens > 0
                then computed_usd
            else coalesce(report_cost_usd, 0)
        end as base_usd
    from with_tokens
),

with_gaps as (
    select
        *,
        base_usd - computed_usd as usage_gap_usd,
        case when has_any_bill then list_usd - base_usd else 0 end as price_gap_usd,
        -- a tier that the bill leaves out is no difference in price, unless it is on it after all
        case
            when not has_any_bill or {{ is_within('list_usd - base_usd', 'list_usd') }} then 0
            else left_out_usd
        end as tier_usd
    from with_base
),

with_groups as (
    select
        *,
        sum(missing_tokens) over of_all_workspaces as all_missing_tokens,
        sum(usage_gap_usd) over of_all_workspaces as all_usage_gap_usd,
        sum(price_gap_usd + tier_usd) over of_all_workspaces as all_price_gap_usd,
        sum(list_usd) over of_all_workspaces as all_list_usd,
        sum(coalesce(least_cost_usd, 0)) over of_all_workspaces as all_least_cost_usd,
        sum(coalesce(greatest_cost_usd, 0)) over of_all_workspaces as all_most_cost_usd,
        -- one side says `unknown` and the other does not
        sum(
            case
                when workspace_id != 'unknown' then 0
                when base_usd != 0 and cost_lines = 0 then 1
                when base_usd = 0 and cost_lines > 0 then 1
                else 0
            end
        ) over of_all_workspaces as one_sided_rows,
        sum(call_tokens) over of_the_model as call_tokens_of_the_model,
        sum(case when token_type like 'cache_write%' then missing_tokens else 0 end)
            over of_the_model as missing_writes,
        sum(case when token_type like 'cache_write%' then assumed_tokens else 0 end)
            over of_the_model as assumed_writes,
        -- lines for tokens that do not say which, and what has no line of its own
        sum(case when unitemised_usd is not null then 1 else 0 end) over of_the_day
            as unitemised_rows,
        unitemised_usd is not null or cost_lines = 0 as is_without_item,
        sum(
            case
                when unitemised_usd is not null or cost_lines = 0 then price_gap_usd + tier_usd
                else 0
            end
        ) over of_the_day as unitemised_gap_usd,
        sum(coalesce(unitemised_usd, 0)) over of_the_day as all_unitemised_usd,
        -- rows that are judged together carry what is unexplained once
        row_number() over (
            partition by usage_date, vendor, model_id, token_type
            order by abs(missing_tokens) desc, workspace_id asc
        ) as usage_rank,
        row_number() over (
            partition by usage_date, vendor, model_id, token_type
            order by abs(price_gap_usd + tier_usd) desc, workspace_id asc
        ) as bill_rank,
        row_number() over (
            partition by usage_date, vendor
            order by
                case when unitemised_usd is not null or cost_lines = 0 then 0 else 1 end asc,
                abs(price_gap_usd + tier_usd) desc,
                workspace_id asc,
                model_id asc,
                token_type asc
        ) as unitemised_rank
    from with_gaps
    window
        of_all_workspaces as (partition by usage_date, vendor, model_id, token_type),
        of_the_model as (partition by usage_date, vendor, workspace_id, model_id),
        of_the_day as (partition by usage_date, vendor)
),

with_reasons as (
    select
        *,
        case
            when not has_usage_report and call_tokens = 0 then null
            when not has_usage_report and not has_bill then 'no_report'
            when not has_usage_report or missing_tokens = 0 then null
            when
                unknown_tokens = 0
                and {{ is_close('missing_tokens', 'report_tokens') }}
                then 'small_difference'
            when
                unknown_tokens > 0
                and {{ is_close('all_missing_tokens', 'all_report_tokens') }}
                then 'workspace_not_told'
            when not is_usage_closed then 'late_data'
            when unknown_tokens > 0
                then
                    case
                        when
                            all_missing_tokens > 0
                            and (unknown_call_tokens > 0 or all_call_tokens = 0)
                            then 'source_blind_spot'
                        when all_missing_tokens < 0 and has_seats then 'seat_usage'
                        when all_missing_tokens < 0 and unknown_call_tokens > 0
                            then 'account_not_told'
                        else 'unexplained'
                    end
            when call_tokens_of_the_model = 0 then 'source_blind_spot'
            when
                token_type like 'cache_write%'
                and assumed_writes > 0
                and missing_writes = 0
                then 'cache_write_split'
            when missing_tokens < 0 and has_seats then 'seat_usage'
            else 'unexplained'
        end as usage_reason,
        case
            when not has_any_bill then null
            when not has_bill then case when base_usd != 0 then 'no_cost_report' end
            when token_type = 'none' and unitemised_usd is null
                then
                    case
                        when code_execution_usd is null then 'not_itemised'
                        else 'code_execution_not_in_usage'
                    end
            when unpriced_tokens > 0 then 'unpriced_model'
            when unknown_tokens > 0 and all_unpriced_tokens > 0 then 'unpriced_model'
            when price_gap_usd + tier_usd = 0 then null
            when unitemised_rows > 0 and is_without_item
                then
                    case
                        when {{ is_within('unitemised_gap_usd', 'all_unitemised_usd') }}
                            then 'not_itemised'
                        when not is_cost_closed then 'late_data'
                        else 'unexplained'
                    end
            when one_sided_rows > 0
                then
                    case
                        when {{ is_within('all_price_gap_usd', 'all_list_usd') }}
                            then 'workspace_not_told'
                        when not is_cost_closed then 'late_data'
                        when
                            all_unknown_band_tokens > 0
                            and {{ is_between(
                                'all_list_usd', 'all_least_cost_usd', 'all_most_cost_usd'
                            ) }}
                            then 'per_request_band'
                        else 'unexplained'
                    end
            when {{ is_within('price_gap_usd + tier_usd', 'list_usd') }} then 'rounding'
            when not is_cost_closed then 'late_data'
            when
                unknown_band_tokens > 0
                and {{ is_between('list_usd', 'least_cost_usd', 'greatest_cost_usd') }}
                then 'per_request_band'
            when not has_usage_report and list_usd >= computed_usd then 'no_usage_report'
            else 'unexplained'
        end as price_reason
    from with_groups
),

judged as (
    select
        *,
        case
            when usage_reason is null or usage_reason != 'unexplained' then 0
            when unknown_tokens = 0 then abs(usage_gap_usd)
            when usage_rank = 1 then abs(all_usage_gap_usd)
            else 0
        end
        + case
            when price_reason is null or price_reason != 'unexplained' then 0
            when unitemised_rows > 0 and is_without_item
                then case when unitemised_rank = 1 then abs(unitemised_gap_usd) else 0 end
            when one_sided_rows = 0 then abs(price_gap_usd + tier_usd)
            when bill_rank = 1 then abs(all_price_gap_usd)
            else 0
        end as unexplained_usd,
        coalesce(price_reason, case when tier_usd != 0 then 'priority_tier_not_in_report' end)
            as bill_reason,
        abs(usage_gap_usd) as usage_weight,
        abs(price_gap_usd) as price_weight
    from with_reasons
),

reasons as (
    select
        reason,
        case status when 'unexplained' then 3 when 'explained' then 2 else 1 end as severity
    from {{ ref('reconciliation_reasons') }}
),

weighed as (
    select
        judged.*,
        coalesce(of_usage.severity, 0) as usage_severity,
        coalesce(of_bill.severity, 0) as bill_severity
    from judged
    left join reasons as of_usage
        on judged.usage_reason = of_usage.reason
    left join reasons as of_bill
        on judged.bill_reason = of_bill.reason
),

final as (
    select
        usage_date,
        '{{ customer() }}' as customer_id,
        vendor,
        workspace_id,
        model_id,
        token_type,

        call_tokens,
        report_tokens,
        report_tokens - call_tokens as token_difference,
        computed_cost_usd,
        cast(
            case when unpriced_tokens + unknown_band_tokens = 0 then report_cost_usd end
            as {{ type_usd() }}
        ) as report_cost_usd,
        cast(case when cost_lines > 0 then list_usd end as {{ type_usd() }})
            as vendor_list_cost_usd,
        net_cost_usd as vendor_net_cost_usd,
        cast(case when cost_lines > 0 then list_usd - net_cost_usd end as {{ type_usd() }})
            as discount_usd,
        cast(cost_lines_with_list > 0 as boolean) as is_list_cost_told,
        cast(usage_gap_usd as {{ type_usd() }}) as usage_difference_usd,
        usage_reason,
        cast(price_gap_usd as {{ type_usd() }}) as price_difference_usd,
        bill_reason as price_reason,
        cast(tier_usd as {{ type_usd() }}) as priority_tier_usd,
        cast(usage_gap_usd + price_gap_usd as {{ type_usd() }}) as difference_usd,
        cast(unexplained_usd as {{ type_usd() }}) as unexplained_usd,
        case greatest(usage_severity, bill_severity)
            when 3 then 'unexplained'
            when 2 then 'explained'
            when 1 then 'within_tolerance'
            else 'matched'
        end as status,
        case
            when bill_severity > usage_severity then bill_reason
            when bill_severity < usage_severity then usage_reason
            when price_weight >= usage_weight then bill_reason
            else usage_reason
        end as reason
    from weighed
)

select * from final
