{{ config(materialized='table', order_by=['fingerprint_id']) }}

{#
  The distinct fingerprints of all requests. Only those of one scope are compared: of one kind of
  content, normalised in one way. One that is asked in more than the set share of the requests is a
  template; fewer than twenty times is never one.
#}
with

asked as (
    select
        content_kind,
        dedup_hash,
        count(*) as request_count,
        count(distinct team_id) as team_count
    from {{ ref('int_hivemind__requests') }}
    group by content_kind, dedup_hash
),

sketches as (
    select
        dedup_hash,
        normalization,
        shingle_count,
        sketch,
        row_number() over (
            partition by dedup_hash
            order by sketch_size desc, normalization asc
        ) as place
    from {{ ref('stg_mindweave__content_fingerprints') }}
),

joined as (
    select
        asked.content_kind as content_kind,
        asked.dedup_hash as dedup_hash,
        asked.request_count as request_count,
        asked.team_count as team_count,
        sketches.shingle_count as shingle_count,
        coalesce(sketches.sketch, '') as sketch,
        cast(coalesce(length(sketches.sketch), 0) * 0.0625 as bigint) as kept_count,
        dense_rank() over (
            order by asked.content_kind asc, coalesce(sketches.normalization, '') asc
        ) as scope_id
    from asked
    left join sketches
        on asked.dedup_hash = sketches.dedup_hash
        and sketches.place = 1
),

shares as (
    select
        *,
        sum(request_count) over (partition by scope_id) as scope_request_count,
        row_number() over (order by content_kind asc, dedup_hash asc) as fingerprint_id
    from joined
),

final as (
    select
        cast(fingerprint_id as bigint) as fingerprint_id,
        cast(scope_id as bigint) as scope_id,
        content_kind,
        dedup_hash,
        cast(request_count as bigint) as request_count,
        cast(scope_request_count as bigint) as scope_request_count,
        cast(team_count as bigint) as team_count,
        sketch,
        kept_count,
        coalesce(shingle_count <= kept_count, true) as is_whole,
        request_count >= {{ least_for_a_template() }}
        and request_count * 1000000 > scope_request_count * {{ template_share() }}
            as is_a_template
    from shares
)

select * from final
