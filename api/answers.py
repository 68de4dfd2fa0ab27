"""What goes back to a sender: a status and one line of JSON, never a word of what it sent."""

from collections.abc import Mapping
from typing import Any

import orjson
from starlette.responses import Response

JSON = "application/json"


class RefusedRequestError(Exception):
    """A request that is answered with an error; the message is the answer's."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        """Take what to answer."""
        super().__init__(message)
        self.status = status
        self.headers = headers


def answer(status: int, content: Any, headers: Mapping[str, str] | None = None) -> Response:
    """Return an answer with a JSON body."""
    return Response(orjson.dumps(content), status, headers, JSON)


def refusal(error: RefusedRequestError) -> Response:
    """Return the answer to a refused request."""
    return answer(error.status, {"error": str(error)}, error.headers)


def busy(message: str) -> RefusedRequestError:
    """Return the error of a server that cannot keep what came, and may soon."""
    return RefusedRequestError(503, message, {"Retry-After": "5"})
