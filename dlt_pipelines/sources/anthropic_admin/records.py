"""What the Admin API answers with, field by field: a missing or a wrong one is an error.

Fields that only describe (colours, hints, names of people) are named here so that they do not count
as unknown; none of them lands.
"""

from typing import Any, Literal

from dlt_pipelines.observed_rows import Amount, ApiRecord, Count, Timestamp


class CacheCreation(ApiRecord):
    """Tokens written to the cache."""

    ephemeral_5m_input_tokens: Count
    ephemeral_1h_input_tokens: Count


class ServerToolUse(ApiRecord):
    """What server tools were asked."""

    web_search_requests: Count


class Usage(ApiRecord):
    """Token counts of one group; the kinds are disjoint."""

    uncached_input_tokens: Count
    cache_creation: CacheCreation
    cache_read_input_tokens: Count
    output_tokens: Count
    server_tool_use: ServerToolUse
    requests: Count | None = None
    total_tokens: Count | None = None


class Cost(ApiRecord):
    """Money of one group, in cents."""

    amount: Amount
    list_amount: Amount
    currency: Literal["USD"]
    requests: Count | None = None


class Actor(ApiRecord):
    """Who caused usage: the fields depend on the type."""

    type: str
    user_id: str | None = None
    email_address: str | None = None
    name: str | None = None
    deleted: bool | None = None
    api_key_id: str | None = None
    api_key_name: str | None = None
    service_account_id: str | None = None
    issuer: str | None = None
    subject: str | None = None
    audience: Any = None
    provider: Any = None


class Group(ApiRecord):
    """What a row of the analytics endpoints is grouped by; null where it was not asked for."""

    actor: Actor | None = None
    actor_type: str | None = None
    agent_id: str | None = None
    api_key_id: str | None = None
    claude_tag_category: str | None = None
    claude_tag_user_id: str | None = None
    context_window: str | None = None
    cost_type: str | None = None
    deployment_id: str | None = None
    environment_id: str | None = None
    inference_geo: str | None = None
    model: str | None = None
    organization_id: str | None = None
    product: str | None = None
    rbac_group_id: str | None = None
    service_tier: str | None = None
    session_id: str | None = None
    slack_channel_id: str | None = None
    speed: str | None = None
    token_type: str | None = None
    user_profile_id: str | None = None
    workspace_id: str | None = None


class AnalyticsRow(ApiRecord):
    """One group in one interval."""

    starting_at: Timestamp
    ending_at: Timestamp
    group: Group


class AnalyticsUsage(AnalyticsRow):
    """A row of ``analytics/usage``."""

    usage: Usage


class AnalyticsCost(AnalyticsRow):
    """A row of ``analytics/cost``."""

    cost: Cost


class Bucket(ApiRecord):
    """One interval of a classic report; its results are checked one by one."""

    starting_at: Timestamp
    ending_at: Timestamp
    results: list[Any]


class ClassicUsage(Usage):
    """A result of ``usage_report/messages``."""

    account_id: str | None = None
    api_key_id: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None
    model: str | None = None
    service_account_id: str | None = None
    service_tier: str | None = None
    speed: str | None = None
    workspace_id: str | None = None


class ClassicCost(ApiRecord):
    """A result of ``cost_report``; the amount is in cents."""

    amount: Amount
    currency: Literal["USD"]
    context_window: str | None = None
    cost_type: str | None = None
    description: str | None = None
    inference_geo: str | None = None
    model: str | None = None
    service_tier: str | None = None
    token_type: str | None = None
    workspace_id: str | None = None


class LinesOfCode(ApiRecord):
    """Lines that Claude Code changed."""

    added: Count
    removed: Count


class CoreMetrics(ApiRecord):
    """What came of a day's sessions."""

    num_sessions: Count
    lines_of_code: LinesOfCode
    commits_by_claude_code: Count
    pull_requests_by_claude_code: Count


class Proposals(ApiRecord):
    """How often people took what a tool proposed."""

    accepted: Count
    rejected: Count


class ToolActions(ApiRecord):
    """The editing tools."""

    edit_tool: Proposals
    multi_edit_tool: Proposals
    write_tool: Proposals
    notebook_edit_tool: Proposals


class ModelTokens(ApiRecord):
    """Tokens of one model; cache writes without their split."""

    input: Count
    output: Count
    cache_read: Count
    cache_creation: Count


class EstimatedCost(ApiRecord):
    """An estimate, in cents."""

    amount: Amount
    currency: Literal["USD"]


class ModelBreakdown(ApiRecord):
    """One model's part of a record."""

    model: str
    tokens: ModelTokens
    estimated_cost: EstimatedCost


class ClaudeCodeRecord(ApiRecord):
    """One actor's day with one terminal."""

    date: Timestamp
    actor: Actor
    organization_id: str
    customer_type: str
    subscription_type: str | None = None
    terminal_type: str | None = None
    is_remote: bool | None = None
    core_metrics: CoreMetrics
    tool_actions: ToolActions
    model_breakdown: list[ModelBreakdown]


class User(ApiRecord):
    """A member of the organization."""

    id: str
    email: str | None = None
    name: str | None = None
    role: str
    added_at: Timestamp | None = None
    type: str | None = None


class DataResidency(ApiRecord):
    """Where a workspace's data may be."""

    workspace_geo: str | None = None
    default_inference_geo: str | None = None
    allowed_inference_geos: Any = None


class Workspace(ApiRecord):
    """A workspace."""

    id: str
    name: str | None = None
    display_color: str | None = None
    created_at: Timestamp | None = None
    archived_at: Timestamp | None = None
    data_residency: DataResidency | None = None
    tags: dict[str, Any] | None = None
    compartment_id: str | None = None
    external_key_id: str | None = None
    type: str | None = None


class WorkspaceMember(ApiRecord):
    """Who is in a workspace."""

    user_id: str
    workspace_id: str
    workspace_role: str
    type: str | None = None


class Principal(ApiRecord):
    """Who made a key, or who acts by it."""

    id: str | None = None
    type: str | None = None


class Scope(ApiRecord):
    """What a key opens."""

    type: str
    workspace_id: str | None = None


class ApiKey(ApiRecord):
    """A key, in any of the three shapes it has had: with workspace_id, principal, or scope."""

    id: str
    type: str | None = None
    name: str | None = None
    partial_key_hint: str | None = None
    status: str
    created_at: Timestamp | None = None
    expires_at: Timestamp | None = None
    created_by: Principal | None = None
    workspace_id: str | None = None
    principal: Principal | None = None
    scope: Scope | None = None


class ServiceAccount(ApiRecord):
    """A federated workload's account."""

    id: str
    name: str | None = None
    created_at: Timestamp | None = None
    type: str | None = None


class Organization(ApiRecord):
    """The organization that the key belongs to."""

    id: str
    name: str | None = None
    type: str | None = None


class Freshness(ApiRecord):
    """How far a page of the analytics endpoints is complete."""

    data_refreshed_at: Timestamp | None = None
