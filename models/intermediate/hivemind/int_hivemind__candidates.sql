{{ config(materialized='table', order_by=['first_id', 'second_id']) }}

{#
  Pairs of fingerprints that may be above the threshold: they share one of their rarest shingles, and
  are not too unlike in length. Of a shingle that many have, each is paired with the first of them
  only, so that pairs grow with fingerprints and not with their square; those are alike through these.
#}
with

prefixes as (
    select
        fingerprint_id,
        scope_id,
        shingle,
        compared_count,
        is_whole,
        row_number() over (
            partition by scope_id, shingle
            order by fingerprint_id asc
        ) as place
    from {{ ref('int_hivemind__postings') }}
    where is_in_prefix
),

pivots as (
    select * from prefixes
    where place <= {{ pivots_of_a_shingle() }}
),

final as (
    select distinct
        pivots.fingerprint_id as first_id,
        prefixes.fingerprint_id as second_id,
        pivots.is_whole and prefixes.is_whole as is_exact
    from prefixes
    inner join pivots
        on prefixes.scope_id = pivots.scope_id
        and prefixes.shingle = pivots.shingle
    where
        pivots.place < prefixes.place
        and (
            not pivots.is_whole
            or not prefixes.is_whole
            or (
                pivots.compared_count * 1000000
                >= prefixes.compared_count * {{ hivemind_threshold() }}
                and prefixes.compared_count * 1000000
                >= pivots.compared_count * {{ hivemind_threshold() }}
            )
        )
)

select * from final
