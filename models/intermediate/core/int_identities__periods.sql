{{ config(materialized='table', order_by=['id_kind', 'id']) }}

{#
  Whose an id was, and when. What the seed says of an id wins over what APIs list; of several APIs
  the first by name speaks. What was first known of an id holds for all the time before, and what was
  deleted keeps its last owner: history needs one. Where one load lists an id twice, what it says
  breaks the tie.
#}
{% set last_in_load %}
person_id asc nulls first, team_id asc nulls first, parent_id asc nulls first
{%- endset %}
with

seeded as (
    select
        id_kind,
        id,
        nullif(person_id, '') as person_id,
        nullif(team_id, '') as team_id,
        cast(null as {{ dbt.type_string() }}) as parent_id,
        coalesce(
            cast(valid_from_date as {{ dbt.type_timestamp() }}),
            cast('1970-01-01' as {{ dbt.type_timestamp() }})
        ) as valid_from_at,
        -- as a date it would end in 2149 on ClickHouse
        coalesce(
            cast(valid_to_date as {{ dbt.type_timestamp() }}),
            cast('2200-01-01' as {{ dbt.type_timestamp() }})
        ) as valid_to_at
    from {{ ref('identity_map') }}
),

loads as (
    select * from {{ ref('int_loads__numbered') }}
),

listed as (
    {% for source in identity_sources() %}
    select {{ identity_columns() | join(', ') }}
    from {{ ref('stg_' ~ source ~ '__identities') }}
    {% if not loop.last %}union all{% endif %}
    {% endfor %}
),

known as (
    select
        listed.*,
        loads.loaded_at,
        min(listed.source) over (
            partition by listed.id_kind, listed.id
        ) as first_source
    from listed
    inner join loads
        on listed.load_id = loads.load_id
    where not coalesce(listed.is_deleted, false)
),

versions as (
    select
        *,
        row_number() over (
            partition by id_kind, id
            order by
                loaded_at asc, load_id asc, {{ last_in_load }}
        ) as version_number,
        lead(loaded_at) over (
            partition by id_kind, id
            order by
                loaded_at asc, load_id asc, {{ last_in_load }}
        ) as next_loaded_at
    from known
    where
        source = first_source
        and id_kind || '/' || id not in (select seeded.id_kind || '/' || seeded.id from seeded)
),

from_apis as (
    select
        id_kind,
        id,
        person_id,
        team_id,
        parent_id,
        case
            when version_number = 1 then cast('1970-01-01' as {{ dbt.type_timestamp() }})
            else loaded_at
        end as valid_from_at,
        coalesce(next_loaded_at, cast('2200-01-01' as {{ dbt.type_timestamp() }})) as valid_to_at
    from versions
)

select * from seeded
union all
select * from from_apis
where valid_from_at < valid_to_at
