{{ config(order_by=['template_hash']) }}

with

fingerprints as (
    select * from {{ ref('int_hivemind__fingerprints') }}
),

whole as (
    select
        dedup_hash as template_hash,
        'whole' as template_kind,
        content_kind,
        kept_count as shingle_count,
        cast(1 as bigint) as fingerprint_count,
        request_count,
        team_count,
        scope_request_count
    from fingerprints
    where is_a_template
),

parts as (
    select
        scope_id,
        content_kind,
        min(shingle) as shingle,
        count(*) as shingle_count,
        max(fingerprint_count) as fingerprint_count,
        max(request_count) as request_count,
        max(scope_request_count) as scope_request_count
    from {{ ref('int_hivemind__boilerplate') }}
    group by scope_id, content_kind, fingerprint_sum, fingerprint_count, request_count
),

teams as (
    select
        parts.scope_id as scope_id,
        parts.shingle as shingle,
        count(distinct requests.team_id) as team_count
    from parts
    inner join {{ ref('int_hivemind__shingles') }} as shingles
        on parts.scope_id = shingles.scope_id
        and parts.shingle = shingles.shingle
    inner join fingerprints
        on shingles.fingerprint_id = fingerprints.fingerprint_id
    inner join {{ ref('int_hivemind__requests') }} as requests
        on fingerprints.content_kind = requests.content_kind
        and fingerprints.dedup_hash = requests.dedup_hash
    group by parts.scope_id, parts.shingle
),

all_templates as (
    select * from whole

    union all

    select
        {{ sha256_hex(
            "parts.content_kind || '/' || cast(parts.shingle as " ~ dbt.type_string() ~ ")"
        ) }} as template_hash,
        'part' as template_kind,
        parts.content_kind as content_kind,
        cast(parts.shingle_count as bigint) as shingle_count,
        cast(parts.fingerprint_count as bigint) as fingerprint_count,
        parts.request_count as request_count,
        cast(teams.team_count as bigint) as team_count,
        parts.scope_request_count as scope_request_count
    from parts
    inner join teams
        on parts.scope_id = teams.scope_id
        and parts.shingle = teams.shingle
),

final as (
    select
        template_hash,
        '{{ customer() }}' as customer_id,
        content_kind,
        template_kind,
        case when template_kind = 'whole' then template_hash end as dedup_hash,
        shingle_count,
        fingerprint_count,
        request_count,
        team_count,
        {{ share_of('request_count', 'scope_request_count') }} as share
    from all_templates
)

select * from final
