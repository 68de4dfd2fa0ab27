"""The configuration of the source anthropic_admin."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

AnalyticsDimension = Literal[
    "actor",
    "actor_type",
    "agent_id",
    "api_key_id",
    "claude_tag_category",
    "claude_tag_user_id",
    "context_window",
    "deployment_id",
    "environment_id",
    "inference_geo",
    "model",
    "organization_id",
    "product",
    "rbac_group_id",
    "service_tier",
    "session_id",
    "slack_channel_id",
    "speed",
    "user_profile_id",
    "workspace_id",
]
CostDimension = AnalyticsDimension | Literal["cost_type", "token_type"]
ClassicDimension = Literal[
    "account_id",
    "api_key_id",
    "context_window",
    "inference_geo",
    "model",
    "service_account_id",
    "service_tier",
    "speed",
    "workspace_id",
]
Read = Literal[
    "usage", "cost", "claude_code", "users", "workspaces", "api_keys", "service_accounts"
]

MOST_DIMENSIONS = 5
DIMENSIONS_THAT_DO_NOT_COUNT = {"cost_type", "token_type"}


class AnthropicAdminConfig(BaseModel):
    """Configuration of the source anthropic_admin."""

    model_config = ConfigDict(extra="forbid")

    api_key: SecretStr | None = Field(
        None,
        description="An Admin key (sk-ant-admin01-…), or an Analytics key with the scope "
        "read:analytics, which opens usage and cost only.",
    )
    oauth_token: SecretStr | None = Field(
        None, description="Instead of a key: an OAuth token with the scope org:admin."
    )
    base_url: str = Field("https://api.anthropic.com", description="Where the API is.")
    organization_id: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9_-]+$",
        description="The organization's id. Default: asked for, which an Analytics key cannot.",
    )
    reads: list[Read] = Field(
        ["usage", "cost", "claude_code", "users", "workspaces", "api_keys"],
        description="What to read. service_accounts needs an OAuth token.",
    )
    reports: Literal["auto", "analytics", "classic"] = Field(
        "auto",
        description="Which generation of usage and cost reports: auto reads the newest, and the "
        "classic one where the newest answers 403 or 404.",
    )
    bucket_width: Literal["1d", "1h", "1m"] = Field(
        "1d", description="The width of a bucket of usage; costs are by day."
    )
    history_days: int = Field(
        364,
        ge=0,
        description="How far to go back at first. The newest reports hold 365 days, and nothing "
        "before 2026.",
    )
    correction_days: int = Field(
        30, ge=0, description="How many days back the vendor still corrects: read in every run."
    )
    claude_code_correction_days: int = Field(
        3, ge=0, description="The same for Claude Code analytics, which take a request a day."
    )
    window_days: int = Field(
        7,
        ge=1,
        le=31,
        description="How many days are read at once; while going back, also how many a package "
        "holds.",
    )
    usage_group_by: list[AnalyticsDimension] = Field(
        ["workspace_id", "model", "service_tier", "speed", "inference_geo"],
        description="At most five dimensions of usage. Default: what a price depends on.",
    )
    cost_group_by: list[CostDimension] = Field(
        [
            "workspace_id",
            "api_key_id",
            "model",
            "service_tier",
            "inference_geo",
            "cost_type",
            "token_type",
        ],
        description="At most five dimensions of cost; cost_type and token_type do not count.",
    )
    classic_usage_group_by: list[ClassicDimension] = Field(
        [
            "account_id",
            "api_key_id",
            "context_window",
            "inference_geo",
            "model",
            "service_account_id",
            "service_tier",
            "speed",
            "workspace_id",
        ],
        description="The dimensions of the classic usage report. Default: all.",
    )
    classic_cost_group_by: list[Literal["workspace_id", "description"]] = Field(
        ["workspace_id", "description"],
        description="The dimensions of the classic cost report; description brings model, kind of "
        "token, tier, geography and context window along.",
    )
    default_workspace_id: str | None = Field(
        None,
        description="The id of the default workspace, which only the newest reports tell: what the "
        "classic ones leave null then has it too. Default: such rows are of workspace `default`.",
    )
    include_default_workspace: bool = Field(
        False, description="Ask for the default workspace in the list of workspaces too (newer)."
    )
    team_tag: str | None = Field(
        None, description="The key of the tag of a workspace that names its team."
    )
    personal_key_workspaces: list[str] = Field(
        ["Claude Code"],
        description="Names of workspaces in which a key belongs to who made it.",
    )

    @model_validator(mode="after")
    def _can_ask(self) -> "AnthropicAdminConfig":
        if not (self.api_key or self.oauth_token):
            raise ValueError("api_key is missing, or oauth_token")
        for name in ("usage_group_by", "cost_group_by"):
            counted = set(getattr(self, name)) - DIMENSIONS_THAT_DO_NOT_COUNT
            if len(counted) > MOST_DIMENSIONS:
                raise ValueError(f"{name} has more than {MOST_DIMENSIONS} dimensions")
        return self
