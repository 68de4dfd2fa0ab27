"""HTTP APIs that are read page by page: dlt's client, with exact numbers and errors in one line.

How often and how long it tries again is dlt's to say: ``RUNTIME__REQUEST_MAX_ATTEMPTS``,
``RUNTIME__REQUEST_BACKOFF_FACTOR``, ``RUNTIME__REQUEST_MAX_RETRY_DELAY`` and
``RUNTIME__REQUEST_TIMEOUT``.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from dlt_pipelines import exact_json
from dlt_pipelines.errors import MindweaveError

if TYPE_CHECKING:
    from dlt.sources.helpers.rest_client.paginators import BasePaginator
    from requests import Response

SAME_PAGE_ATTEMPTS = 3
HINTS = {
    401: "the key was refused: is it set, valid and of the right kind?",
    403: "the key lacks a scope that this needs: see the source's README",
}


class HttpStatusError(MindweaveError):
    """An answer that is no success, after the retries that it deserves."""

    def __init__(self, message: str, status: int) -> None:
        """Keep the status, for who knows another way."""
        super().__init__(message)
        self.status = status


class Api:
    """One vendor's API. One request is in flight at a time, and one page in memory."""

    def __init__(self, source: str, base_url: str, headers: Mapping[str, str]) -> None:
        """Prepare; send nothing yet."""
        # slow to import: only where something is asked. Whole packages first, as the load may be
        # importing them in a thread, and what imports a part of them meanwhile meets it half-way
        import dlt
        import dlt.sources.helpers.requests  # noqa: F401
        from dlt.sources.helpers.requests.retry import Client
        from dlt.sources.helpers.rest_client.client import RESTClient

        self._source = source
        http = Client(raise_for_status=False, retry_condition=_is_broken_json)
        http.configure()
        self._client = RESTClient(base_url, headers=dict(headers), session=http.session)

    def get(self, path: str, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the one page at ``path``; raise as `pages` does."""
        from dlt.sources.helpers.rest_client.paginators import SinglePagePaginator

        (page,) = self.pages(path, params or {}, SinglePagePaginator())
        return page

    def pages(
        self, path: str, params: Mapping[str, Any], paginator: "BasePaginator"
    ) -> Iterator[dict[str, Any]]:
        """Yield whole pages; a JSON number with a point or an exponent is a Decimal.

        A page that comes again is asked for again and yielded once. Raises HttpStatusError for an
        answer that is no success, MindweaveError for what is no JSON object, for a page that keeps
        coming, and where nobody answers.
        """
        from dlt.sources.helpers.rest_client.client import raise_for_status
        from requests import HTTPError, RequestException

        hooks: Any = {"response": [_with_exact_numbers, raise_for_status]}
        seen: set[bytes] = set()
        repeats = 0
        try:
            for page in self._client.paginate(
                path, params=dict(params), paginator=paginator, data_selector="$", hooks=hooks
            ):
                if len(page) != 1 or not isinstance(page[0], dict):
                    raise self._error(path, "answered with JSON that is no object")
                digest = hashlib.sha256(page.response.content).digest()
                if digest in seen:
                    repeats += 1
                    if repeats >= SAME_PAGE_ATTEMPTS:
                        raise self._error(path, "keeps answering with the same page")
                    continue
                seen.add(digest)
                yield page[0]
        except HTTPError as error:
            assert error.response is not None  # noqa: S101  as dlt raises it
            raise self._refused(path, error.response) from None
        except RequestException as error:
            if isinstance(error, ValueError):
                kind = error.response.headers.get("Content-Type", "") if error.response else ""
                raise self._error(path, _not_json(kind)) from None
            raise self._error(path, f"cannot be reached ({type(error).__name__})") from None

    def _refused(self, path: str, response: "Response") -> HttpStatusError:
        status = response.status_code
        said = HINTS.get(status) or _vendor_message(response)
        return HttpStatusError(f"source {self._source}: {path} answered {status}: {said}", status)

    def _error(self, path: str, problem: str) -> MindweaveError:
        return MindweaveError(f"source {self._source}: {path} {problem}")


def _with_exact_numbers(response: "Response", *args: Any, **kwargs: Any) -> None:
    from requests import JSONDecodeError

    def parse(**_: Any) -> Any:
        try:
            return exact_json.parse(response.content)
        except ValueError:
            raise JSONDecodeError("no JSON", "", 0, response=response) from None

    response.json = parse  # type: ignore[method-assign]


def _is_broken_json(response: "Response | None", error: BaseException | None) -> bool:
    """Tell a body that was cut short from one that never was JSON."""
    if response is None or error or not response.ok:
        return False
    if "json" not in response.headers.get("Content-Type", ""):
        return False
    try:
        response.json()
    except ValueError:
        return True
    return False


def _not_json(content_type: str) -> str:
    if "html" in content_type:
        return "answered with HTML instead of JSON: is base_url right, does a proxy want a login?"
    return "answered with what is no JSON"


def _vendor_message(response: "Response") -> str:
    """Return what the vendor says is wrong, as one short line."""
    try:
        error = response.json().get("error")
        message = error.get("message") if isinstance(error, dict) else error
    except (ValueError, AttributeError):
        message = None
    text = re.sub(r"\s+", " ", message) if isinstance(message, str) else ""
    return text[:200] or response.reason or "no reason given"
