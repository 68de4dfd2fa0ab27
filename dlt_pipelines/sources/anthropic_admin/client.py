"""HTTP to Anthropic's Admin API: which address, which headers, which parameters."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.rest import Api

ANALYTICS_BETA = "analytics-usage-cost-2026-08-24"
SPEED_BETA = "fast-mode-2026-02-01"
ROOT = "v1/organizations"
MOST_ROWS = 1000
# how many buckets a page of the classic reports holds at most, by width
MOST_BUCKETS = {"1d": 31, "1h": 168, "1m": 1440}
NOT_COUNTED_DIMENSIONS = ("cost_type", "token_type")

Page = dict[str, Any]


class AdminApi:
    """The Admin API of one organization."""

    def __init__(self, base_url: str, headers: Mapping[str, str]) -> None:
        """Take the headers that let in; send nothing yet."""
        self._base_url = base_url
        self._headers = {"anthropic-version": "2023-06-01", "User-Agent": "mindweave", **headers}
        self._apis: dict[str | None, Api] = {}

    def analytics(
        self,
        report: str,
        starting_at: datetime,
        ending_at: datetime,
        width: str,
        group_by: Sequence[str],
    ) -> Iterator[Page]:
        """Yield pages of ``analytics/usage`` or ``analytics/cost``, oldest row first."""
        parameters = {
            "starting_at": _utc(starting_at),
            "ending_at": _utc(ending_at),
            "time_bucket_width": width,
            "group_by[]": list(group_by),
            "order_by": "time",
            "order": "asc",
            "limit": MOST_ROWS,
        }
        return self._pages(f"{ROOT}/analytics/{report}", parameters, ANALYTICS_BETA)

    def classic_usage(
        self, starting_at: datetime, ending_at: datetime, width: str, group_by: Sequence[str]
    ) -> Iterator[Page]:
        """Yield pages of buckets of ``usage_report/messages``."""
        beta = SPEED_BETA if "speed" in group_by else None
        parameters = _classic(starting_at, ending_at, width, group_by)
        return self._pages(f"{ROOT}/usage_report/messages", parameters, beta)

    def classic_cost(
        self, starting_at: datetime, ending_at: datetime, group_by: Sequence[str]
    ) -> Iterator[Page]:
        """Yield pages of daily buckets of ``cost_report``."""
        return self._pages(f"{ROOT}/cost_report", _classic(starting_at, ending_at, "1d", group_by))

    def claude_code(self, day: date) -> Iterator[Page]:
        """Yield pages of one UTC day of Claude Code analytics."""
        parameters = {"starting_at": day.isoformat(), "limit": MOST_ROWS}
        return self._pages(f"{ROOT}/usage_report/claude_code", parameters)

    def organization(self) -> Page:
        """Return the organization that the key belongs to."""
        return self._api().get(f"{ROOT}/me")

    def entities(self, path: str, **parameters: Any) -> Iterator[Page]:
        """Yield pages of a list of users, workspaces, their members, keys or service accounts."""
        from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

        paginator = JSONResponseCursorPaginator(
            cursor_path="last_id", cursor_param="after_id", has_more_path="has_more"
        )
        try:
            yield from self._api().pages(
                f"{ROOT}/{path}", {"limit": MOST_ROWS, **parameters}, paginator
            )
        except ValueError:
            # dlt's words for it quote the whole answer
            raise MindweaveError(f"source anthropic_admin: {path} does not say has_more") from None

    def _pages(
        self, path: str, parameters: Mapping[str, Any], beta: str | None = None
    ) -> Iterator[Page]:
        from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

        paginator = JSONResponseCursorPaginator(cursor_path="next_page", cursor_param="page")
        return self._api(beta).pages(path, parameters, paginator)

    def _api(self, beta: str | None = None) -> Api:
        if beta not in self._apis:
            headers = self._headers | ({"anthropic-beta": beta} if beta else {})
            self._apis[beta] = Api("anthropic_admin", self._base_url, headers)
        return self._apis[beta]


def _classic(
    starting_at: datetime, ending_at: datetime, width: str, group_by: Sequence[str]
) -> dict[str, Any]:
    return {
        "starting_at": _utc(starting_at),
        "ending_at": _utc(ending_at),
        "bucket_width": width,
        "group_by[]": list(group_by),
        "limit": MOST_BUCKETS[width],
    }


def _utc(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")
