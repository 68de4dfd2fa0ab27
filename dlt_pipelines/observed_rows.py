"""Rows that an API tells: checked one by one, written in parts, and only where they are news.

What was observed is never edited. An *entity* (a user, a key) lands again when it has changed; a
*bucket* (a day of usage) as a whole when anything in it has; an *event* once.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import duckdb
import pyarrow as pa
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from dlt_pipelines.landing import QUARANTINE, LandingTable, RawTable, newest_sql

if TYPE_CHECKING:
    from dlt.extract import DltResource

    from dlt_pipelines.plugin import LoadContext

ROWS_PER_PART = 20_000
LARGEST_USD = Decimal(10) ** 15


def _as_decimal(value: Any) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, Decimal | int | str):
        raise ValueError("is not an amount")
    try:
        amount = Decimal(value)
    except InvalidOperation:
        raise ValueError("is not an amount") from None
    if not amount.is_finite() or abs(amount) >= LARGEST_USD:
        raise ValueError("is not an amount within reason")
    return amount


def _as_utc(value: Any) -> datetime:
    """Read RFC 3339 text or whole Unix seconds."""
    try:
        if isinstance(value, int) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC).replace(tzinfo=None)
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            return time.astimezone(UTC).replace(tzinfo=None) if time.tzinfo else time
    except (ValueError, OverflowError, OSError):
        pass
    raise ValueError("is not a time")


Amount = Annotated[Decimal, BeforeValidator(_as_decimal)]
"""Money or a quantity, from a JSON number or numeric text, with every digit."""
Count = Annotated[int, Field(ge=0, lt=10**15)]
"""A whole number of tokens or requests; neither a text nor true nor 1.5."""
Timestamp = Annotated[datetime, BeforeValidator(_as_utc)]
"""A time in UTC, without zone, from RFC 3339 text or whole Unix seconds."""


class ApiRecord(BaseModel):
    """One object of an answer; fields that we do not know are kept by name."""

    model_config = ConfigDict(extra="allow", strict=True)

    def unknown_fields(self) -> str | None:
        """Return the names of the fields that the model lacks, as ``a, b.c``; None where none."""
        return ", ".join(sorted(set(self._unknown()))) or None

    def _unknown(self, prefix: str = "") -> Iterator[str]:
        for name in self.model_extra or {}:
            yield f"{prefix}{name}"[:100]
        for name in type(self).model_fields:
            value = getattr(self, name)
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ApiRecord):
                    yield from item._unknown(f"{prefix}{name}.")


Record = TypeVar("Record", bound=BaseModel)


class ObservedRows:
    """Rows of one load on their way to the raw tables."""

    def __init__(self, context: "LoadContext", source: str, tables: Sequence[RawTable]) -> None:
        """Take the tables that rows may go to; write nothing yet."""
        self._context = context
        self._source = source
        self._landing = {
            table.name: LandingTable(table, context.landing, context.bulk_format)
            for table in (*tables, QUARANTINE)
        }
        self._waiting: dict[str, list[Mapping[str, Any]]] = {name: [] for name in self._landing}
        self._refused_before: set[tuple[str, str]] | None = None

    def landing(self, table: RawTable) -> LandingTable:
        """Return where rows of a table go that are columns already; who writes them counts them."""
        return self._landing[table.name]

    def add(self, table: RawTable, rows: Iterable[Mapping[str, Any]]) -> None:
        """Write rows: dicts by column name; what a row leaves out is null, `load_id` is ours."""
        waiting = self._waiting[table.name]
        for row in rows:
            waiting.append(row)
            self._context.counts.rows_read += 1
            self._context.counts.rows_loaded += 1
            if len(waiting) >= ROWS_PER_PART:
                self._write(table.name)

    def ignore(self, rows: int) -> None:
        """Count rows that say nothing new."""
        self._context.counts.rows_read += rows
        self._context.counts.rows_ignored += rows

    def parse(
        self,
        model: type[Record],
        items: Iterable[Any],
        location: str,
    ) -> Iterator[Record]:
        """Yield the items as records; one that is wrong goes to quarantine, named by its field."""
        for position, item in enumerate(items, start=1):
            try:
                yield model.model_validate(item)
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False)[0]
                field = ".".join(str(part) for part in first["loc"]) or "the record"
                problem = str(first["msg"]).removeprefix("Value error, ")
                self.quarantine(location, f"{field}: {problem}", item, position)

    def quarantine(
        self, location: str, reason: str, record: Any, line_number: int | None = None
    ) -> None:
        """Put a record aside: where it came from, why, and a fingerprint instead of itself.

        What was put aside for the same reason before is only counted.
        """
        text = json.dumps(record, default=str, sort_keys=True)
        fingerprint = self._context.key.fingerprint("record", text)
        if self._refused_before is None:
            refused = landed(
                self._context,
                f"select reason, row_fingerprint from {{raw}}.quarantine "
                f"where source = '{self._source}'",
            )
            self._refused_before = {(row["reason"], row["row_fingerprint"]) for row in refused}
        if (reason, fingerprint) in self._refused_before:
            self.ignore(1)
            return
        self._refused_before.add((reason, fingerprint))
        self._waiting[QUARANTINE.name].append(
            {
                "source": self._source,
                "location": location,
                "line_number": line_number,
                "reason": reason,
                "row_fingerprint": fingerprint,
                "row_bytes": len(text.encode()),
                "quarantined_at": datetime.now(UTC).replace(tzinfo=None),
            }
        )
        self._context.counts.rows_read += 1
        self._context.counts.rows_quarantined += 1

    def resources(self) -> "list[DltResource]":
        """Write the rest; return the dlt resources that hand it over, none where nothing is new."""
        for name in self._landing:
            self._write(name)
        if not any(table.row_count for table in self._landing.values()):
            return []
        return [table.resource() for table in self._landing.values()]

    def _write(self, name: str) -> None:
        rows, self._waiting[name] = self._waiting[name], []
        if not rows:
            return
        landing = self._landing[name]
        schema = landing.table.no_rows().schema
        rows = [{**row, "load_id": self._context.load_id} for row in rows]
        with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
            connection.register("observed", pa.Table.from_pylist(rows, schema=schema))
            landing.write(connection, "select * from observed", {})


def content_hash(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the same 32 hex digits for the same rows in any order; 1.0 and 1.00 are the same."""
    lines = sorted(json.dumps(row, default=_as_text, sort_keys=True) for row in rows)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _as_text(value: Any) -> str:
    return format(value.normalize(), "f") if isinstance(value, Decimal) else str(value)


def newest_hashes(
    context: "LoadContext", table: RawTable, key_columns: Sequence[str], where: str = "true"
) -> dict[tuple[Any, ...], str]:
    """Return the ``content_hash`` that landed last for each key, by the values of its columns."""
    rows = landed(
        context, newest_sql(table.name, [*key_columns, "content_hash"], key_columns, where)
    )
    return {tuple(row[column] for column in key_columns): row["content_hash"] for row in rows}


def landed(context: "LoadContext", sql: str) -> list[dict[str, Any]]:
    """Return the few rows of a query in the raw schema; none where its tables are not made yet."""
    found = context.read_raw(sql)
    return [] if found is None else found.to_pylist()


def changed_entities(
    context: "LoadContext",
    rows: Iterable[Mapping[str, Any]],
    table: RawTable,
    key_columns: Sequence[str],
    *,
    is_complete: bool,
    where: str = "true",
    note_unchanged: Callable[[int], None] = lambda count: None,
) -> Iterator[dict[str, Any]]:
    """Yield the entities that are new or changed, and once more those that a complete list lacks.

    ``where`` limits what was landed to what the list could hold. Each row gets ``content_hash`` and
    ``is_deleted``.
    """
    known = newest_hashes(context, table, key_columns, where)
    seen = set()
    for row in rows:
        key = tuple(row[column] for column in key_columns)
        if key in seen:
            continue
        seen.add(key)
        digest = content_hash([row])
        if known.get(key) == digest:
            note_unchanged(1)
        else:
            yield {**row, "content_hash": digest, "is_deleted": False}
    if is_complete:
        for key, digest in known.items():
            if key not in seen and digest != "deleted":
                gone = dict(zip(key_columns, key, strict=True))
                yield {**gone, "content_hash": "deleted", "is_deleted": True}


def changed_buckets(
    context: "LoadContext",
    buckets: Mapping[tuple[Any, ...], Sequence[Mapping[str, Any]]],
    table: RawTable,
    key_columns: Sequence[str],
    *,
    where: str,
    note_unchanged: Callable[[int], None] = lambda count: None,
) -> Iterator[dict[str, Any]]:
    """Yield all rows of the buckets that are new or changed, by the values of ``key_columns``.

    ``where`` limits what was landed to the window that was asked for: a bucket of it that is there
    no more yields one row with ``is_empty``. Each row gets its key, ``content_hash`` and
    ``is_empty``.
    """
    known = newest_hashes(context, table, key_columns, where)
    for key, rows in buckets.items():
        digest = content_hash(rows)
        if not rows or known.get(key) == digest:
            note_unchanged(len(rows))
            continue
        named = dict(zip(key_columns, key, strict=True))
        for row in rows:
            yield {**row, **named, "content_hash": digest, "is_empty": False}
    for key, digest in known.items():
        if not buckets.get(key) and digest != "empty":
            named = dict(zip(key_columns, key, strict=True))
            yield {**named, "content_hash": "empty", "is_empty": True}
