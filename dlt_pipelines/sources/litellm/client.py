"""The gateway's HTTP API: spend logs, page by page, over closed windows of time."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.rest import Api
from dlt_pipelines.sources.litellm.database import KNOWN_COLUMNS, PLAIN_COLUMNS, REQUESTED
from dlt_pipelines.sources.litellm.transform import COUNTS, RECORDS_SCHEMA

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

PATH = "/spend/logs/v2"
ROWS_PER_WINDOW = 20_000
SMALLEST_WINDOW = timedelta(seconds=1)
WINDOW_ATTEMPTS = 3

METADATA = {
    "usage": "usage_object",
    "additional_usage": "additional_usage_values",
    "cost_breakdown": "cost_breakdown",
    "batch_models": "batch_models",
    "user_email": "user_api_key_user_email",
    "attempted_retries": "attempted_retries",
    "attempted_fallbacks": "attempted_fallbacks",
    "used_client_oauth_token": "used_client_oauth_token",
    "tool_call": "mcp_tool_call_metadata",
}
# a count in quotes keeps them, and is no number
JSON_FIELDS = {*COUNTS, "usage", "additional_usage", "cost_breakdown", "tool_call", "batch_models"}


class SpendLogApi:
    """Spend logs by the time at which their calls began."""

    def __init__(self, base_url: str, key: str, page_size: int) -> None:
        """Prepare; send nothing yet."""
        self._api = Api("litellm", base_url, {"Authorization": f"Bearer {key}"})
        self._page_size = page_size
        self.unknown_fields: set[str] = set()

    def windows(self, start: datetime, end: datetime) -> Iterator[pa.RecordBatch]:
        """Yield the rows of [start, end] as one batch of RECORDS_SCHEMA a window, oldest first.

        A window with too many rows is halved, so that few rows can shift while it is paged through.
        """
        waiting = [(start, end)]
        before: set[Any] = set()
        while waiting:
            window_start, window_end = waiting.pop()
            rows = self._rows(window_start, window_end)
            if rows is None:
                middle = window_start + (window_end - window_start) / 2
                middle = middle.replace(microsecond=0)
                waiting += [(middle, window_end), (window_start, middle)]
                continue
            # a row of the second at which two windows meet is in both
            news = [row for row in rows if row.get("request_id") not in before]
            before = {row["request_id"] for row in rows if row.get("request_id")}
            if news:
                yield self._batch(news)

    def _rows(self, start: datetime, end: datetime) -> list[Mapping[str, Any]] | None:
        """Return the rows of a window; None where it has too many."""
        for _ in range(WINDOW_ATTEMPTS):
            rows: dict[Any, Mapping[str, Any]] = {}
            totals = set()
            for page in self._api.pages(PATH, self._parameters(start, end), self._paginator()):
                total, data = page.get("total"), page.get("data")
                if not isinstance(data, list) or not isinstance(total, int):
                    raise MindweaveError(
                        f"source litellm: {PATH} answered without data or total: "
                        "is base_url a LiteLLM gateway that has this endpoint?"
                    )
                if total > ROWS_PER_WINDOW and end - start > SMALLEST_WINDOW:
                    return None
                totals.add(total)
                for row in data:
                    if isinstance(row, dict):
                        # a row without id is refused later, each by itself
                        rows[row.get("request_id") or len(rows)] = row
            # rows that came meanwhile have shifted others from page to page
            if len(totals) == 1 and len(rows) >= min(totals):
                break
        return list(rows.values())

    def _parameters(self, start: datetime, end: datetime) -> dict[str, Any]:
        return {
            "start_date": start.strftime("%Y-%m-%d %H:%M:%S"),
            "end_date": end.strftime("%Y-%m-%d %H:%M:%S"),
            "page_size": self._page_size,
        }

    def _paginator(self) -> "PageNumberPaginator":
        from dlt.sources.helpers.rest_client.paginators import PageNumberPaginator

        return PageNumberPaginator(
            base_page=1, page_param="page", total_path="total_pages", stop_after_empty_page=True
        )

    def _batch(self, rows: list[Mapping[str, Any]]) -> pa.RecordBatch:
        for row in rows:
            self.unknown_fields.update(name[:100] for name in row if name not in KNOWN_COLUMNS)
        records = [_record(row) for row in rows]
        return pa.RecordBatch.from_pylist(records, schema=RECORDS_SCHEMA)


def _record(row: Mapping[str, Any]) -> dict[str, str | None]:
    """Return what the database would give for this row."""
    metadata = row.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    values = {name: row.get(column) for name, column in PLAIN_COLUMNS.items()}
    values |= {name: metadata.get(key) for name, key in METADATA.items()}
    error = metadata.get("error_information")
    error = error if isinstance(error, dict) else {}
    values |= {name: error.get(name) for name in ("error_code", "error_class")}
    project = metadata.get("user_api_key_project_alias")
    values["project"] = metadata.get("user_api_key_project_id") if project is None else project
    if row.get("call_type") != "call_mcp_tool":
        values["tool_call"] = None
    values["messages"] = _messages(row)
    values["written_time"] = row.get("updated_at") or row.get("created_at")
    return {name: _text(value, name in JSON_FIELDS) for name, value in values.items()}


def _messages(row: Mapping[str, Any]) -> Any:
    """Return what was asked, where prompts are stored: messages, or a text."""
    if row.get("messages"):
        return row["messages"]
    request = row.get("proxy_server_request")
    request = request if isinstance(request, dict) else {}
    body = request.get("body")
    body = body if isinstance(body, dict) else {}
    found = (place.get(name) for name in REQUESTED for place in (body, request))
    return next((value for value in found if value is not None), None)


def _text(value: Any, is_json: bool) -> str | None:
    if value is None:
        return None
    return value if isinstance(value, str) and not is_json else json_text(value)


def json_text(value: Any) -> str:
    """Write JSON as it came: an amount keeps every digit."""
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json_text(k)}: {json_text(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(json_text(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)
