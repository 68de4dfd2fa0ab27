"""Anthropic's Compliance API as its pages describe it, over data/anthropic_compliance."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.vendors.server import RefusalError, Request, VendorServer

DATA = Path(__file__).parent / "data" / "anthropic_compliance"
AUDIT_LOG = DATA / "audit_log.csv"
PATH = "/v1/compliance/activities"
COMPLIANCE_KEY = "sk-ant-api01-compliance"
OTHER_KEY = "sk-ant-api01-other"
TIMES = ("created_at.gte", "created_at.gt", "created_at.lte", "created_at.lt")


class AnthropicCompliance:
    """One parent organization's Activity Feed; the list is newest first and may be changed."""

    def __init__(self) -> None:
        text = (DATA / "activities.json").read_text("utf-8")
        self.activities: list[dict[str, Any]] = json.loads(text, parse_float=Decimal)
        self.server = VendorServer({PATH: self._feed})

    @contextmanager
    def running(self) -> Iterator[str]:
        with self.server.running() as url:
            yield url

    def asked(self) -> list[Request]:
        return self.server.asked(PATH)

    def _feed(self, request: Request) -> Any:
        key = request.headers.get("x-api-key")
        if key == OTHER_KEY:
            raise RefusalError(403, "missing scope", "permission_error")
        if key != COMPLIANCE_KEY:
            raise RefusalError(401, "invalid x-api-key", "authentication_error")
        limit = int(request.one("limit") or 100)
        after, before = request.one("after_id"), request.one("before_id")
        only, without = request.many("activity_types"), request.many("exclude_activity_types")
        if not 1 <= limit <= 5000 or (after and before) or (only and without):
            raise RefusalError(400, "limit, after_id, before_id or activity_types: wrong")
        found = [
            activity
            for activity in self.activities
            if (not only or activity.get("type") in only)
            and activity.get("type") not in without
            and self._is_within(request, activity["created_at"])
        ]
        ids = [activity["id"] for activity in found]
        if any(cursor and cursor not in ids for cursor in (after, before)):
            raise RefusalError(400, "after_id or before_id: unknown")
        if before:
            # the newest first, of those that come right after it in time
            end = ids.index(before)
            start = max(0, end - limit)
            more = start > 0
        else:
            start = ids.index(after) + 1 if after else 0
            end = min(start + limit, len(found))
            more = end < len(found)
        page = found[start:end]
        return {
            "data": page,
            "has_more": more,
            "first_id": page[0]["id"] if page else None,
            "last_id": page[-1]["id"] if page else None,
        }

    def _is_within(self, request: Request, created_at: str) -> bool:
        for name in TIMES:
            text = request.one(name)
            if not text:
                continue
            if len(text) == 10:
                raise RefusalError(400, f"{name}: a time with its zone")
            at, bound = datetime.fromisoformat(created_at), datetime.fromisoformat(text)
            how = name.rpartition(".")[2]
            holds = {"gte": at >= bound, "gt": at > bound, "lte": at <= bound, "lt": at < bound}
            if not holds[how]:
                return False
        return True
