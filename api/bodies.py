"""Bodies of requests, whole and unzipped, and never longer than they may be."""

import asyncio
import zlib
from collections.abc import Callable

from starlette.requests import Request

from api.answers import RefusedRequestError

GZIP = zlib.MAX_WBITS | 16


async def read_body(request: Request, limit: int, hold: Callable[[int], None]) -> bytes:
    """Return the body; ``hold`` is told of every byte before it is kept.

    Raises RefusedRequestError: 413 for what is longer than ``limit``, on the wire or unzipped.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("gzip", "identity"):
        raise RefusedRequestError(415, "content-encoding is neither gzip nor identity")
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    chunks = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > limit:
            raise _too_large(limit)
        hold(len(chunk))
        chunks.append(chunk)
    body = chunks[0] if len(chunks) == 1 else b"".join(chunks)
    if encoding == "gzip":
        body = await asyncio.to_thread(unzipped, body, limit)
        hold(len(body))
    return body


def unzipped(body: bytes, limit: int) -> bytes:
    """Return what gzip holds, and stop as soon as that is more than ``limit``."""
    parts = []
    size = 0
    while body:  # gzip may be several parts in a row
        part = zlib.decompressobj(GZIP)
        try:
            parts.append(part.decompress(body, limit - size + 1))
        except zlib.error:
            raise RefusedRequestError(400, "the body is no gzip") from None
        size += len(parts[-1])
        if size > limit:
            raise _too_large(limit)
        if not part.eof:
            raise RefusedRequestError(400, "the body is no whole gzip")
        body = part.unused_data
    return b"".join(parts)


def _too_large(limit: int) -> RefusedRequestError:
    return RefusedRequestError(
        413, f"the body is longer than {limit // 2**20} MiB: send less at once"
    )
