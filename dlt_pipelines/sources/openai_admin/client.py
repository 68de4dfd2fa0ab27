"""OpenAI's organization API: reports bucket by bucket, lists object by object."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.rest import Api, HttpStatusError

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.paginators import BasePaginator

SOURCE = "openai_admin"
# the most buckets that one page may have
MOST_BUCKETS = {"1d": 31, "1h": 168, "1m": 1440}
MOST_COST_BUCKETS = 180
MOST_OBJECTS = 100

ListParameters = Literal["brackets", "plain"]


class OpenaiClient:
    """Reads one organization with its admin key; without an end, up to what there is."""

    def __init__(self, base_url: str, key: str, list_parameters: ListParameters) -> None:
        """Take the address and the key; send nothing yet."""
        self._api = Api(SOURCE, base_url, {"Authorization": f"Bearer {key}"})
        self._suffix = "[]" if list_parameters == "brackets" else ""

    def usage(
        self,
        endpoint: str,
        width: str,
        group_by: Sequence[str],
        start: datetime,
        end: datetime | None,
    ) -> Iterator[list[Any]]:
        """Yield the pages of a usage report; raise for a grouping that it does not have."""
        path = f"/organization/usage/{endpoint}"
        parameters = {"bucket_width": width, "limit": MOST_BUCKETS[width]}
        return self._report(path, "usage_group_by", group_by, parameters, start, end)

    def costs(
        self, group_by: Sequence[str], start: datetime, end: datetime | None
    ) -> Iterator[list[Any]]:
        """Yield the pages of the cost report; raise as `usage` does."""
        parameters = {"bucket_width": "1d", "limit": MOST_COST_BUCKETS}
        path = "/organization/costs"
        return self._report(path, "cost_group_by", group_by, parameters, start, end)

    def audit_logs(
        self, start: datetime, end: datetime | None, tenant_only: bool
    ) -> Iterator[list[Any]]:
        """Yield the pages of audited events, newest first."""
        parameters: dict[str, Any] = {"effective_at[gte]": _seconds(start)}
        if end:
            parameters["effective_at[lt]"] = _seconds(end)
        if tenant_only:
            parameters["tenant_only"] = "true"
        return self.objects("/organization/audit_logs", parameters)

    def objects(
        self, path: str, parameters: Mapping[str, Any] | None = None
    ) -> Iterator[list[Any]]:
        """Yield the pages of a list."""
        parameters = {"limit": MOST_OBJECTS, **(parameters or {})}
        yield from self._pages(path, parameters, "after", _last_id)

    def _report(
        self,
        path: str,
        setting: str,
        group_by: Sequence[str],
        parameters: Mapping[str, Any],
        start: datetime,
        end: datetime | None,
    ) -> Iterator[list[Any]]:
        asked: dict[str, Any] = {**parameters, "start_time": _seconds(start)}
        if end:
            asked["end_time"] = _seconds(end)
        if group_by:
            asked[f"group_by{self._suffix}"] = list(group_by)
        try:
            yield from self._pages(path, asked, "page", _next_page)
        except HttpStatusError as error:
            advice = {
                400: f"is {setting} = {', '.join(group_by)} a combination that this report has?",
                404: "this organization's API does not have it: take it out of the configuration",
            }
            if error.status not in advice:
                raise
            raise HttpStatusError(f"{error}: {advice[error.status]}", error.status) from None

    def _pages(
        self,
        path: str,
        parameters: Mapping[str, Any],
        cursor_name: str,
        cursor_of: Callable[[Mapping[str, Any]], str | None],
    ) -> Iterator[list[Any]]:
        for page in self._api.pages(path, parameters, _paginator(cursor_name, cursor_of)):
            items = page.get("data", page)
            if not isinstance(items, list | None):
                raise MindweaveError(f"source {SOURCE}: {path} answered without a list `data`")
            yield items or []


def _seconds(time: datetime) -> int:
    return int(time.replace(tzinfo=UTC).timestamp())


def _next_page(page: Mapping[str, Any]) -> str | None:
    return page.get("next_page") or None if page.get("has_more", True) else None


def _last_id(page: Mapping[str, Any]) -> str | None:
    if not page.get("has_more"):
        return None
    items = page.get("data") or [{}]
    last_id: str | None = page.get("last_id") or items[-1].get("id")
    return last_id


def _paginator(
    cursor_name: str, cursor_of: Callable[[Mapping[str, Any]], str | None]
) -> "BasePaginator":
    """Return a paginator that finds the cursor as told; one that is not there ends the pages."""
    from dlt.sources.helpers.rest_client.paginators import BaseReferencePaginator

    class Paginator(BaseReferencePaginator):
        def update_state(self, response: Any, data: list[Any] | None = None) -> None:
            page = response.json()
            self._next_reference = cursor_of(page) if isinstance(page, dict) else None

        def update_request(self, request: Any) -> None:
            request.params = {**(request.params or {}), cursor_name: self._next_reference}

    return Paginator()
