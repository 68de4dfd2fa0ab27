{{ config(materialized='table', order_by=['scope_id', 'shingle']) }}

{#
  Shingles that more than the set share of the requests have, in at least twenty fingerprints: they say
  nothing of what is asked. Those of the same fingerprints are one template.
#}
with

fingerprints as (
    select * from {{ ref('int_hivemind__fingerprints') }}
),

final as (
    select
        fingerprints.scope_id as scope_id,
        shingles.shingle as shingle,
        min(fingerprints.content_kind) as content_kind,
        count(*) as fingerprint_count,
        sum(shingles.fingerprint_id) as fingerprint_sum,
        cast(sum(fingerprints.request_count) as bigint) as request_count,
        max(fingerprints.scope_request_count) as scope_request_count
    from {{ ref('int_hivemind__shared_shingles') }} as shared
    inner join {{ ref('int_hivemind__shingles') }} as shingles
        on shared.scope_id = shingles.scope_id
        and shared.shingle = shingles.shingle
    inner join fingerprints
        on shingles.fingerprint_id = fingerprints.fingerprint_id
    where shared.fingerprint_count >= {{ least_for_a_template() }}
    group by fingerprints.scope_id, shingles.shingle
    having
        sum(fingerprints.request_count) * 1000000
        > max(fingerprints.scope_request_count) * {{ template_share() }}
)

select * from final
