"""A LiteLLM gateway from data files: its HTTP API, and the tables of its PostgreSQL."""

import copy
import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import psycopg2

from dlt_pipelines import exact_json
from tests.vendors.server import RefusalError, Request, VendorServer, page_of

DATA = Path(__file__).parent / "data" / "litellm"
SPEND_LOGS_PATH = "/spend/logs/v2"
KEY = "sk-master"
SHORT_KEY = "sk-of-nobody"

# as version 1.109 makes it, but for the columns' defaults
SPEND_LOGS_COLUMNS = {
    "request_id": "text primary key",
    "litellm_call_id": "text",
    "call_type": "text",
    "api_key": "text",
    "spend": "double precision",
    "prompt_tokens": "integer",
    "completion_tokens": "integer",
    "total_tokens": "integer",
    "startTime": "timestamp(3)",
    "endTime": "timestamp(3)",
    "completionStartTime": "timestamp(3)",
    "request_duration_ms": "integer",
    "model": "text",
    "model_group": "text",
    "model_id": "text",
    "custom_llm_provider": "text",
    "api_base": "text",
    "user": "text",
    "end_user": "text",
    "team_id": "text",
    "organization_id": "text",
    "request_tags": "jsonb",
    "cache_hit": "text",
    "requester_ip_address": "text",
    "session_id": "text",
    "status": "text",
    "mcp_namespaced_tool_name": "text",
    "agent_id": "text",
    "messages": "jsonb",
    "response": "jsonb",
    "proxy_server_request": "jsonb",
    "metadata": "jsonb",
    "created_at": "timestamp(3)",
    "updated_at": "timestamp(3)",
}
FIRST_COLUMNS = tuple(SPEND_LOGS_COLUMNS)[:10]
IDENTITY_TABLES = {
    "LiteLLM_UserTable": "user_id text, user_email text, user_alias text, user_role text, "
    "teams text[], organization_id text, created_at timestamp(3), updated_at timestamp(3)",
    "LiteLLM_VerificationToken": "token text, key_name text, key_alias text, user_id text, "
    "team_id text, organization_id text, blocked boolean, expires timestamp(3), "
    "created_at timestamp(3), updated_at timestamp(3)",
    "LiteLLM_TeamTable": "team_id text, team_alias text, organization_id text, blocked boolean, "
    "created_at timestamp(3), updated_at timestamp(3)",
    "LiteLLM_AuditLog": "id text, updated_at timestamp(3), changed_by text, "
    "changed_by_api_key text, action text, table_name text, object_id text, before_value json, "
    "updated_values json",
}


def spend_logs() -> list[dict[str, Any]]:
    """Return the spend logs of the data file, with exact numbers."""
    rows: list[dict[str, Any]] = exact_json.parse((DATA / "spend_logs.json").read_text("utf-8"))
    return rows


class Gateway(VendorServer):
    """The HTTP API over ``rows``, which a test may change."""

    def __init__(self, rows: Sequence[Mapping[str, Any]] | None = None) -> None:
        super().__init__({SPEND_LOGS_PATH: self._spend_logs})
        self.rows = [dict(row) for row in (spend_logs() if rows is None else rows)]
        self.arriving: list[dict[str, Any]] = []
        """Rows that are written once a page has been asked for."""

    def _spend_logs(self, request: Request) -> Any:
        key = request.headers.get("authorization")
        if key != f"Bearer {KEY}":
            raise RefusalError(403 if key == f"Bearer {SHORT_KEY}" else 401, "invalid key")
        start, end = (_time(request, name) for name in ("start_date", "end_date"))
        page, page_size = int(request.one("page") or 1), int(request.one("page_size") or 50)
        if page < 1 or not 1 <= page_size <= 1000:
            raise RefusalError(400, "page_size must be 1..1000")
        found = [row for row in self.rows if start <= _started(row) <= end]
        found.sort(key=_started, reverse=True)
        rows, _ = page_of(found, (page - 1) * page_size, page_size)
        self.rows += self.arriving
        self.arriving = []
        return {
            "data": rows,
            "total": len(found),
            "page": page,
            "page_size": page_size,
            "total_pages": -(-len(found) // page_size),
        }


def _time(request: Request, name: str) -> datetime:
    try:
        return datetime.strptime(request.one(name) or "", "%Y-%m-%d %H:%M:%S")
    except ValueError:
        raise RefusalError(400, f"{name} must be YYYY-MM-DD HH:MM:SS") from None


def _started(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(row["startTime"])).replace(tzinfo=None)


def execute(url: str, *statements: str) -> None:
    """Change the gateway's database."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
    connection.close()


def make_database(
    url: str,
    rows: Sequence[Mapping[str, Any]] | None = None,
    columns: Sequence[str] = tuple(SPEND_LOGS_COLUMNS),
    with_identities: bool = True,
) -> None:
    """Make the gateway's tables, as a version with these columns has them, and fill them."""
    described = ", ".join(f'"{name}" {SPEND_LOGS_COLUMNS[name]}' for name in columns)
    execute(url, f'create table "LiteLLM_SpendLogs" ({described})')
    insert(url, "LiteLLM_SpendLogs", spend_logs() if rows is None else rows)
    if with_identities:
        identities = json.loads((DATA / "identities.json").read_text("utf-8"))
        for table, described in IDENTITY_TABLES.items():
            execute(url, f'create table "{table}" ({described})')
            insert(url, table, identities[table])


def insert(url: str, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows; a row with the id of another takes its place."""
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        if table == "LiteLLM_SpendLogs":
            ids = [row["request_id"] for row in rows]
            cursor.execute(f'delete from "{table}" where request_id = any(%s)', [ids])
        cursor.execute(
            f'insert into "{table}" select * from json_populate_recordset(null::"{table}", %s)',
            [json.dumps(rows, default=float)],
        )
    connection.close()


def changed(row: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return a copy of a row with other values."""
    return {**copy.deepcopy(dict(row)), **changes}
