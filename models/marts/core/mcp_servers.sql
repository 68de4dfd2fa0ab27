{{ config(order_by=['mcp_server_id']) }}

{#
  A local alias stands for a registry's server where the seed says so on the day of the call, and never
  because the two look alike. Of several registries that list a server the newest version speaks.
#}
with

tool_calls as (
    select
        mcp_name,
        usage_date,
        cast(count(*) as {{ dbt.type_bigint() }}) as mcp_tool_calls,
        cast(
            sum(case when status = 'error' then 1 else 0 end) as {{ dbt.type_bigint() }}
        ) as failed_tool_calls,
        min(called_at) as first_called_at,
        max(called_at) as last_called_at
    from {{ ref('mcp_tool_calls') }}
    group by mcp_name, usage_date
),

aliases as (
    select
        alias,
        registry_name,
        coalesce(valid_from_date, cast('1970-01-01' as date)) as valid_from_date,
        coalesce(valid_to_date, cast('2200-01-01' as date)) as valid_to_date
    from {{ ref('mcp_server_aliases') }}
),

called as (
    select
        tool_calls.mcp_name as mcp_name,
        aliases.registry_name as registry_name,
        cast(sum(tool_calls.mcp_tool_calls) as {{ dbt.type_bigint() }}) as mcp_tool_calls,
        cast(sum(tool_calls.failed_tool_calls) as {{ dbt.type_bigint() }}) as failed_tool_calls,
        min(tool_calls.first_called_at) as first_called_at,
        max(tool_calls.last_called_at) as last_called_at
    from tool_calls
    left join aliases
        on tool_calls.mcp_name = aliases.alias
        and tool_calls.usage_date >= aliases.valid_from_date
        and tool_calls.usage_date < aliases.valid_to_date
    group by tool_calls.mcp_name, aliases.registry_name
),

ranked_versions as (
    select
        *,
        cast(
            count(*) over (partition by registry_base, registry_name) as {{ dbt.type_bigint() }}
        ) as version_count,
        row_number() over (
            partition by registry_name
            order by
                case when is_latest then 0 else 1 end asc,
                published_at desc nulls last,
                valid_from_at desc,
                registry_base asc,
                published_version desc
        ) as version_rank
    from {{ ref('int_mcp_server_versions__history') }}
    where valid_to_at is null
),

listed as (
    select * from ranked_versions
    where version_rank = 1
),

joined as (
    select
        called.mcp_name as mcp_name,
        coalesce(called.registry_name, listed.registry_name) as registry_name,
        listed.registry_base as registry_base,
        listed.server_title as server_title,
        listed.published_version as newest_version,
        coalesce(listed.status, 'not_in_registry') as status,
        listed.status_message as status_message,
        cast(listed.registry_name is not null as {{ dbt.type_boolean() }}) as is_in_registry,
        listed.published_at as published_at,
        listed.status_changed_at as status_changed_at,
        coalesce(listed.version_count, 0) as version_count,
        coalesce(listed.package_count, 0) as package_count,
        coalesce(listed.remote_count, 0) as remote_count,
        coalesce(listed.required_secret_count, 0) as required_secret_count,
        coalesce(called.mcp_tool_calls, 0) as mcp_tool_calls,
        coalesce(called.failed_tool_calls, 0) as failed_tool_calls,
        called.first_called_at as first_called_at,
        called.last_called_at as last_called_at
    from called
    full outer join listed
        on called.registry_name = listed.registry_name
),

final as (
    select
        coalesce('alias/' || mcp_name, 'registry')
        || coalesce('/' || registry_name, '') as mcp_server_id,
        '{{ customer() }}' as customer_id,
        mcp_name,
        registry_name,
        registry_base,
        server_title,
        newest_version,
        status,
        status_message,
        is_in_registry,
        published_at,
        status_changed_at,
        version_count,
        package_count,
        remote_count,
        required_secret_count,
        mcp_tool_calls,
        failed_tool_calls,
        first_called_at,
        last_called_at
    from joined
)

select * from final
