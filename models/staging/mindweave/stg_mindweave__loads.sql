with

loads as (
    select * from {{ source('mindweave', 'loads') }}
),

packages as (
    select * from {{ ref('stg_mindweave__packages') }}
),

completed as (
    select
        -- ids; loaders say varchar where the marts promise text
        cast(loads.load_id as {{ dbt.type_string() }}) as load_id,

        -- strings
        cast(loads.source as {{ dbt.type_string() }}) as source,
        cast(loads.plugin_version as {{ dbt.type_string() }}) as plugin_version,

        -- quantities
        loads.seconds,
        loads.files_read,
        loads.bytes_read,
        loads.rows_read,
        loads.rows_loaded,
        loads.rows_ignored,
        loads.rows_quarantined,

        -- timestamps
        loads.started_at,
        loads.finished_at,
        packages.completed_at,

        -- a package that a kill interrupted may have written its row twice
        row_number() over (
            partition by loads.load_id
            order by loads._dlt_id
        ) as row_number_in_load
    from loads
    inner join packages
        on loads._dlt_load_id = packages.package_id
)

select
    load_id,
    source,
    plugin_version,
    seconds,
    files_read,
    bytes_read,
    rows_read,
    rows_loaded,
    rows_ignored,
    rows_quarantined,
    started_at,
    finished_at,
    completed_at
from completed
where row_number_in_load = 1
