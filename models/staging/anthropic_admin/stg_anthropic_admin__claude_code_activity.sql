with

source as (
    select * from {{ source('anthropic_admin', 'anthropic_admin_claude_code_activity') }}
),

renamed as (
    select
        -- ids
        load_id,
        org_id,
        org_id || '/' || bucket_key as bucket_key,
        user_id,
        api_key_name_fingerprint,

        -- strings
        actor_type,
        customer_type,
        subscription_type,
        terminal_type,

        -- booleans
        is_remote,
        is_empty,

        -- quantities
        coalesce(sessions, 0) as session_count,
        coalesce(lines_added, 0) as lines_added_count,
        coalesce(lines_removed, 0) as lines_removed_count,
        coalesce(commits, 0) as commit_count,
        coalesce(pull_requests, 0) as pull_request_count,
        coalesce(edit_accepted, 0)
        + coalesce(multi_edit_accepted, 0)
        + coalesce(write_accepted, 0)
        + coalesce(notebook_edit_accepted, 0) as edits_accepted_count,
        coalesce(edit_rejected, 0)
        + coalesce(multi_edit_rejected, 0)
        + coalesce(write_rejected, 0)
        + coalesce(notebook_edit_rejected, 0) as edits_rejected_count,

        -- timestamps
        bucket_start_at,
        bucket_end_at
    from source
)

select * from renamed
