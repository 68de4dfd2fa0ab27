"""HTTP to Anthropic's Compliance API: the Activity Feed, newest first."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.rest import Api

PATH = "v1/compliance/activities"

Page = dict[str, Any]


class ComplianceApi:
    """The Activity Feed of one parent organization."""

    def __init__(
        self, base_url: str, api_key: str, page_size: int, excluded_types: Sequence[str]
    ) -> None:
        """Take what every request has; send nothing yet."""
        headers = {
            "x-api-key": api_key,
            "anthropic-version": "2023-06-01",
            "User-Agent": "mindweave",
        }
        self._api = Api("anthropic_compliance", base_url, headers)
        self._parameters: dict[str, Any] = {"limit": page_size}
        if excluded_types:
            self._parameters["exclude_activity_types[]"] = list(excluded_types)

    def older(self, than: str | None) -> Iterator[Page]:
        """Yield pages from the activity ``than`` backwards to the end; from the newest for None."""
        return self._pages("last_id", "after_id", **({"after_id": than} if than else {}))

    def newer(self, than: str) -> Iterator[Page]:
        """Yield pages from the activity ``than`` forwards to the newest."""
        return self._pages("first_id", "before_id", before_id=than)

    def between(self, since: datetime | None, until: datetime | None) -> Iterator[Page]:
        """Yield pages of the activities of ``[since, until)``."""
        times = {"created_at.gte": since, "created_at.lt": until}
        return self._pages(
            "last_id",
            "after_id",
            **{name: f"{time.isoformat()}Z" for name, time in times.items() if time},
        )

    def _pages(self, cursor: str, parameter: str, **parameters: Any) -> Iterator[Page]:
        from dlt.sources.helpers.rest_client.paginators import JSONResponseCursorPaginator

        paginator = JSONResponseCursorPaginator(
            cursor_path=cursor, cursor_param=parameter, has_more_path="has_more"
        )
        try:
            yield from self._api.pages(PATH, {**self._parameters, **parameters}, paginator)
        except ValueError:
            # dlt's words for it quote the whole answer
            raise MindweaveError(
                "source anthropic_compliance: activities does not say has_more"
            ) from None
