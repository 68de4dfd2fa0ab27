{#
  What is known: whatever lands counts once its dlt package is complete, as a killed load leaves rows,
  but no package. `mindweave__as_of` leaves out what was not complete by that time, so everything
  built on this is as it was known then.
#}
with

source as (
    select * from {{ source('mindweave', '_dlt_loads') }}
),

completed as (
    select
        load_id as package_id,
        {{ utc_timestamp('min(inserted_at)') }} as completed_at
    from source
    where status = 0
    group by load_id
)

select * from completed
{% if var('mindweave__as_of', none) %}
    where completed_at <= cast('{{ var("mindweave__as_of") }}' as {{ dbt.type_timestamp() }})
{% endif %}
