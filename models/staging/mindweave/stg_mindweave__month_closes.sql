{#
  Of several closes of a month the one that was complete first counts, so that a closed month never
  moves.
#}
with

closes as (
    select * from {{ source('mindweave', 'month_closes') }}
),

packages as (
    select * from {{ ref('stg_mindweave__packages') }}
),

completed as (
    select
        -- ids; loaders say varchar where the marts promise text
        cast(closes.load_id as {{ dbt.type_string() }}) as load_id,
        cast(closes.team_id as {{ dbt.type_string() }}) as team_id,
        cast(closes.model_id as {{ dbt.type_string() }}) as model_id,

        -- strings
        cast(closes.charge_class as {{ dbt.type_string() }}) as charge_class,
        cast(closes.reason as {{ dbt.type_string() }}) as reason,
        cast(closes.prices_fingerprint as {{ dbt.type_string() }}) as prices_fingerprint,

        -- quantities
        closes.total_calls,
        closes.input_tokens,
        closes.cache_write_5m_tokens,
        closes.cache_write_1h_tokens,
        closes.cache_read_tokens,
        closes.output_tokens,
        closes.unpriced_calls,
        closes.list_cost_usd,
        closes.total_cost_usd,

        -- dates
        cast(closes.billing_period as date) as billing_period,
        cast(closes.charge_period as date) as charge_period,

        -- timestamps
        closes.closed_at,

        rank() over (
            partition by closes.billing_period
            order by packages.completed_at, closes.load_id
        ) as close_rank,
        -- a package that a kill interrupted may have written its rows twice
        row_number() over (
            partition by
                closes.load_id,
                closes.billing_period,
                closes.charge_period,
                closes.team_id,
                closes.model_id
            order by closes._dlt_id
        ) as row_number_in_close
    from closes
    inner join packages
        on closes._dlt_load_id = packages.package_id
)

select
    load_id,
    team_id,
    model_id,
    charge_class,
    reason,
    prices_fingerprint,
    total_calls,
    input_tokens,
    cache_write_5m_tokens,
    cache_write_1h_tokens,
    cache_read_tokens,
    output_tokens,
    unpriced_calls,
    list_cost_usd,
    total_cost_usd,
    billing_period,
    charge_period,
    closed_at
from completed
where
    close_rank = 1
    and row_number_in_close = 1
