{#
  The feed and the export tell of some events both, without an id in common: `event_id` begins with
  `export_` where it is of the export.
#}
with

source as (
    select * from {{ source('anthropic_compliance', 'anthropic_compliance_events') }}
),

renamed as (
    select
        'anthropic_compliance' as source,
        load_id,
        event_id,
        occurred_at,
        'anthropic' as vendor,
        coalesce(org_uuid, org_id) as org_id,
        workspace_id,
        coalesce(actor_kind, 'unknown') as actor_kind,
        actor_id,
        action,
        resource_type,
        resource_id,
        reason_code,
        before_json,
        after_json
    from source
)

select * from renamed
