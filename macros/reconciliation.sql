{#- What tokens of one kind cost at list, with what was served; null without a price. -#}
{% macro kind_cost_usd(tokens, usd_per_token, multiplier) -%}
    cast(
        round(
            cast(cast({{ tokens }} as numeric(20, 0)) * {{ usd_per_token }} as numeric(28, 12))
            * {{ multiplier }},
            15
        ) as {{ type_usd() }}
    )
{%- endmacro %}

{#- Whether an amount is no more than the customer's tolerance: in dollars, or as a share of a whole. -#}
{% macro is_within(amount, whole) -%}
    (
        abs({{ amount }}) <= tolerance_usd
        or cast(abs({{ amount }}) as numeric(28, 12))
        <= cast(abs({{ whole }}) as numeric(28, 12)) * tolerance_share
    )
{%- endmacro %}

{#- Whether an amount is between two others, give or take the tolerance. -#}
{% macro is_between(amount, least, most) -%}
    {{ amount }} >= {{ least }} - tolerance_usd
    and {{ amount }} <= {{ most }} + tolerance_usd
{%- endmacro %}

{#- Whether tokens are apart by no more than the customer's tolerance, as a share. -#}
{% macro is_close(tokens, whole) -%}
    (
        cast(abs({{ tokens }}) as numeric(28, 0))
        <= cast({{ whole }} as numeric(28, 0)) * tolerance_share
    )
{%- endmacro %}

{#- Whether a report was refreshed late enough after the end of a day to hold all of it. -#}
{% macro is_closed_at(day, report) -%}
    {{ report }}.refreshed_at >= {{ dbt.dateadd(
        'hour', '24 + ' ~ report ~ '.settle_hours', 'cast(' ~ day ~ ' as ' ~ dbt.type_timestamp() ~ ')'
    ) }}
{%- endmacro %}

{#-
  What holds for this customer and each vendor of a relation: a row of the customer wins over one of
  all, then a row of the vendor over one of all.
-#}
{% macro limits_of_vendors(relation) -%}
    select * from (
        select
            vendors.vendor as vendor,
            limits.tolerance_usd as tolerance_usd,
            limits.tolerance_share as tolerance_share,
            limits.unexplained_limit_usd as unexplained_limit_usd,
            limits.unexplained_limit_share as unexplained_limit_share,
            limits.has_seats as has_seats,
            row_number() over (
                partition by vendors.vendor
                order by
                    case when limits.customer_id is null then 1 else 0 end asc,
                    case when limits.vendor is null then 1 else 0 end asc
            ) as place
        from (select distinct vendor from {{ relation }}) as vendors
        cross join {{ ref('reconciliation_limits') }} as limits
        where
            (limits.customer_id is null or limits.customer_id = '{{ customer() }}')
            and (limits.vendor is null or limits.vendor = vendors.vendor)
    ) as ranked
    where place = 1
{%- endmacro %}

{#-
  From which day on each vendor has a report, until when its days are complete, and what it leaves out.
  A bucket lands again only when it changed, so what is newest of the whole report counts for all.
-#}
{% macro reach_of_reports(observations) -%}
    select
        vendor,
        min(usage_date) as from_date,
        max(coalesce(data_refreshed_at, loaded_at)) as refreshed_at,
        max(settle_hours) as settle_hours,
        max(tier_left_out) as tier_left_out
    from {{ observations }}
    where is_reconciled
    group by vendor
{%- endmacro %}
