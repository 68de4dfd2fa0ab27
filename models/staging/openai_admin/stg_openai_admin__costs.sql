{#
  A line item is a text: `<tier> | <model>, <what>` where it is about tokens, with a word for the modality
  between model and comma; else a text of its own. The seed names the texts that are known. What it does
  not name is `other`, without model and token type: its dollars stay, nothing is guessed.
#}
with

source as (
    select * from {{ source('openai_admin', 'openai_admin_costs') }}
),

known_prefixes as (
    select * from {{ ref('openai_line_items') }}
    where part = 'prefix'
),

known_items as (
    select * from {{ ref('openai_line_items') }}
    where part = 'item'
),

known_wholes as (
    select * from {{ ref('openai_line_items') }}
    where part = 'whole'
),

without_prefix as (
    select
        *,
        lower(line_item) as whole_text,
        case
            when position(' | ' in line_item) > 0
                then lower(substr(line_item, 1, position(' | ' in line_item) - 1))
        end as prefix_text,
        case
            when position(' | ' in line_item) > 0
                then substr(line_item, position(' | ' in line_item) + 3)
            else line_item
        end as body
    from source
),

with_item as (
    select
        *,
        case
            when position(' ' in body) > 1
                then
                    case
                        when position(',' in body) = position(' ' in body) - 1
                            then substr(body, 1, position(' ' in body) - 2)
                        else substr(body, 1, position(' ' in body) - 1)
                    end
        end as model_text,
        case
            when position(' ' in body) > 1
                then lower(substr(body, position(' ' in body) + 1))
        end as item_text
    from without_prefix
),

joined as (
    select
        with_item.load_id as load_id,
        with_item.report as report,
        with_item.org_id as org_id,
        with_item.bucket_key as bucket_key,
        with_item.bucket_start_at as bucket_start_at,
        with_item.bucket_end_at as bucket_end_at,
        with_item.project_id as project_id,
        with_item.api_key_id as api_key_id,
        with_item.line_item as line_item,
        with_item.quantity as quantity,
        with_item.quantity_unit as quantity_unit,
        with_item.amount as amount,
        with_item.currency as currency,
        with_item.is_empty as is_empty,
        with_item.model_text as model_text,
        known_prefixes.service_tier as service_tier,
        known_wholes.cost_type as whole_cost_type,
        known_items.cost_type as item_cost_type,
        known_items.token_type as item_token_type,
        known_items.context_window as item_context_window,
        case
            when known_wholes.cost_type is not null or known_items.cost_type is null then false
            else with_item.prefix_text is null or known_prefixes.known_text is not null
        end as is_known_item
    from with_item
    left join known_prefixes
        on with_item.prefix_text = known_prefixes.known_text
    left join known_items
        on with_item.item_text = known_items.known_text
    left join known_wholes
        on with_item.whole_text = known_wholes.known_text
),

final as (
    select
        -- ids
        'openai_admin' as source,
        load_id,
        report,
        'openai' as vendor,
        org_id,
        bucket_key,

        -- timestamps
        bucket_start_at,
        bucket_end_at,

        -- dimensions
        project_id as workspace_id,
        api_key_id,
        case when is_known_item then model_text end as requested_model,
        case
            when is_known_item then item_cost_type
            else coalesce(whole_cost_type, 'other')
        end as cost_type,
        case when is_known_item then item_token_type end as token_type,
        case when is_known_item then service_tier end as service_tier,
        case when is_known_item then item_context_window end as context_window,
        cast(null as {{ dbt.type_string() }}) as inference_geo,
        line_item as description,

        -- quantities
        quantity,
        quantity_unit,

        -- money
        cast(case when coalesce(currency, 'USD') = 'USD' then amount end as {{ type_usd() }})
            as net_cost_usd,
        cast(null as {{ type_usd() }}) as list_cost_usd,
        coalesce(currency, 'USD') as currency,

        -- booleans
        coalesce(is_empty, false) as is_empty,

        -- timestamps of the report itself
        cast(null as {{ dbt.type_timestamp() }}) as data_refreshed_at
    from joined
)

select * from final
