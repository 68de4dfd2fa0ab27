"""What OpenAI's organization API answers, checked field by field."""

from decimal import ROUND_HALF_EVEN, Context, Decimal
from typing import Any

from pydantic import AliasChoices, ConfigDict, Field

from dlt_pipelines.observed_rows import Amount, ApiRecord, Count, Timestamp

# of the raw tables' money and quantities
SMALLEST = Decimal("1e-15")
MANY_DIGITS = Context(prec=60)


class Bucket(ApiRecord):
    """The results of one span of time; older answers call them `result`."""

    start_time: Timestamp
    end_time: Timestamp
    results: list[Any] = Field(validation_alias=AliasChoices("results", "result"))
    object: Any = None


class UsageResult(ApiRecord):
    """One group of one bucket, of any of the usage reports."""

    object: Any = None
    project_id: str | None = None
    user_id: str | None = None
    api_key_id: str | None = None
    model: str | None = None
    service_tier: str | None = None
    batch: bool | None = None
    api_source: str | None = None
    input_tokens: Count | None = None
    input_uncached_tokens: Count | None = None
    input_cached_tokens: Count | None = None
    input_cache_write_tokens: Count | None = None
    output_tokens: Count | None = None
    input_text_tokens: Count | None = None
    input_audio_tokens: Count | None = None
    input_image_tokens: Count | None = None
    output_text_tokens: Count | None = None
    output_audio_tokens: Count | None = None
    output_image_tokens: Count | None = None
    input_cached_text_tokens: Count | None = None
    input_cached_audio_tokens: Count | None = None
    input_cached_image_tokens: Count | None = None
    num_model_requests: Count | None = None
    num_requests: Count | None = None
    num_sessions: Count | None = None
    images: Count | None = None
    characters: Count | None = None
    seconds: Amount | None = None
    usage_bytes: Count | None = None
    size: str | None = None
    source: str | None = None
    context_level: str | None = None
    vector_store_id: str | None = None


class TokenUsageResult(UsageResult):
    """One group of a report on models that are paid by token."""

    input_tokens: Count
    num_model_requests: Count


class CompletionsResult(TokenUsageResult):
    """One group of the report on completions."""

    output_tokens: Count


USAGE_RESULTS: dict[str, type[UsageResult]] = {
    "completions": CompletionsResult,
    "embeddings": TokenUsageResult,
    "moderations": TokenUsageResult,
}


class Money(ApiRecord):
    """An amount in its currency: dollars, not cents."""

    value: Amount
    currency: str


class CostResult(ApiRecord):
    """One group of one day of the cost report."""

    object: Any = None
    amount: Money
    line_item: str | None = None
    quantity: Amount | None = None
    quantity_unit: str | None = None
    project_id: str | None = None
    user_id: str | None = None
    api_key_id: str | None = None
    api_source: str | None = None


class Person(ApiRecord):
    """A member of the organization, or of a project, or the owner of a key."""

    # a name, a picture: nothing that may land
    model_config = ConfigDict(extra="ignore")

    id: str
    email: str | None = None
    role: str | None = None


class Member(ApiRecord):
    """A person in a list; whose name does not land."""

    object: Any = None
    id: str
    email: str | None = None
    name: Any = None
    role: str | None = None
    added_at: Timestamp | None = None


class Project(ApiRecord):
    """The counterpart of a workspace."""

    object: Any = None
    id: str
    name: str | None = None
    status: str | None = None
    created_at: Timestamp | None = None
    archived_at: Timestamp | None = None


class ServiceAccount(ApiRecord):
    """An account that is nobody's."""

    object: Any = None
    id: str
    name: Any = None
    role: str | None = None
    created_at: Timestamp | None = None


class KeyOwner(ApiRecord):
    """Whose key it is: admin keys say it at once, keys of projects one level deeper."""

    # a name, a picture: nothing that may land
    model_config = ConfigDict(extra="ignore")

    type: str | None = None
    id: str | None = None
    role: str | None = None
    user: Person | None = None
    service_account: Person | None = None


class ApiKey(ApiRecord):
    """A key; its name, its last digits and when it was used last do not land."""

    object: Any = None
    id: str
    name: Any = None
    value: Any = None
    redacted_value: Any = None
    last_used_at: Any = None
    created_at: Timestamp | None = None
    owner: KeyOwner | None = None


class ProjectOfEvent(ApiRecord):
    """Where an audited event happened."""

    id: str | None = None
    name: str | None = None


class Session(ApiRecord):
    """Who acted, and from where; what else tells a browser apart does not land."""

    model_config = ConfigDict(extra="ignore")

    user: Person | None = None
    ip_address: str | None = None


class ActingKey(ApiRecord):
    """The key that acted."""

    model_config = ConfigDict(extra="ignore")

    id: str | None = None
    type: str | None = None
    user: Person | None = None
    service_account: Person | None = None


class Actor(ApiRecord):
    """Who or what did it."""

    type: str | None = None
    session: Session | None = None
    api_key: ActingKey | None = None


class AuditEvent(ApiRecord):
    """One audited event; `details` is what it keeps under the name of its type."""

    object: Any = None
    id: str
    type: str
    effective_at: Timestamp
    project: ProjectOfEvent | None = None
    actor: Actor | None = None
    details: dict[str, Any] | None = None

    @classmethod
    def named(cls, item: Any) -> Any:
        """Return an event as the API tells it with its details under one name."""
        if not isinstance(item, dict) or item.get("type") not in item:
            return item
        others = {name: value for name, value in item.items() if name != item["type"]}
        return {**others, "details": item[item["type"]]}


def as_stored(amount: Decimal | None) -> Decimal | None:
    """Return an amount with the 15 decimals that a table keeps."""
    return amount and amount.quantize(SMALLEST, ROUND_HALF_EVEN, MANY_DIGITS)


def plain_text(amount: Decimal) -> str:
    """Return every digit of an amount, the same for 1.2, "1.20" and 12e-1."""
    return format(amount.normalize(MANY_DIGITS), "f")
