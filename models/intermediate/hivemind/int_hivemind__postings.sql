{{ config(materialized='table', order_by=['scope_id', 'shingle']) }}

{#
  Which fingerprint has which shingle, of the shingles that several have and that are no boilerplate.
  Two fingerprints above the threshold have so many shingles in common that one is among the rarest of
  each: of n shingles, the n - threshold × n + 1 rarest, `is_in_prefix`. `place` is that in the sketch,
  `compared_count` the length of the sketch, both without boilerplate.
#}
with

fingerprints as (
    select * from {{ ref('int_hivemind__fingerprints') }}
),

held as (
    select
        shingles.fingerprint_id as fingerprint_id,
        shingles.scope_id as scope_id,
        shingles.shingle as shingle,
        shingles.place as place,
        shared.fingerprint_count as fingerprint_count,
        case when boilerplate.shingle is null then 0 else 1 end as is_boilerplate
    from {{ ref('int_hivemind__shingles') }} as shingles
    inner join {{ ref('int_hivemind__shared_shingles') }} as shared
        on shingles.scope_id = shared.scope_id
        and shingles.shingle = shared.shingle
    left join {{ ref('int_hivemind__boilerplate') }} as boilerplate
        on shingles.scope_id = boilerplate.scope_id
        and shingles.shingle = boilerplate.shingle
),

counted as (
    select
        fingerprint_id,
        scope_id,
        shingle,
        fingerprint_count,
        is_boilerplate,
        place - sum(is_boilerplate) over (
            partition by fingerprint_id
            order by place asc
            rows between unbounded preceding and current row
        ) as place,
        row_number() over (
            partition by fingerprint_id
            order by is_boilerplate asc, fingerprint_count asc, shingle asc
        ) as shared_place,
        sum(is_boilerplate) over (partition by fingerprint_id) as boilerplate_count,
        sum(1 - is_boilerplate) over (partition by fingerprint_id) as shared_count
    from held
),

final as (
    select
        counted.fingerprint_id as fingerprint_id,
        counted.scope_id as scope_id,
        counted.shingle as shingle,
        cast(counted.place as bigint) as place,
        cast(fingerprints.kept_count - counted.boilerplate_count as bigint) as compared_count,
        fingerprints.is_whole as is_whole,
        (
            fingerprints.kept_count
            - counted.boilerplate_count
            - counted.shared_count
            + counted.shared_place
            - 1
        ) * 1000000
        <= (fingerprints.kept_count - counted.boilerplate_count)
        * (1000000 - {{ hivemind_threshold() }}) as is_in_prefix
    from counted
    inner join fingerprints
        on counted.fingerprint_id = fingerprints.fingerprint_id
    where
        counted.is_boilerplate = 0
        and not fingerprints.is_a_template
)

select * from final
