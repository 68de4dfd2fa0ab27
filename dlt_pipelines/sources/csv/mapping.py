"""Which column of a file is which of ours, and the SQL that makes one of the other."""

import hashlib
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import available_timezones

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from dlt_pipelines.landing import (
    CALL_EVENTS,
    COST_EVENTS,
    DUCKDB_TYPES,
    TOOL_CALL_EVENTS,
    USAGE_BUCKET_EVENTS,
    ColumnType,
    RawTable,
)

Kind = Literal["calls", "tool_calls", "usage_buckets", "costs"]
TABLES: dict[Kind, RawTable] = {
    "calls": CALL_EVENTS,
    "tool_calls": TOOL_CALL_EVENTS,
    "usage_buckets": USAGE_BUCKET_EVENTS,
    "costs": COST_EVENTS,
}
# what we say of a row ourselves
OWN_COLUMNS = (
    "observation_id",
    "source",
    "load_id",
    "bucket_key",
    "content_hash",
    "is_empty",
    "dedup_hash",
)
# columns of a file that land as a fingerprint, by kind
CONTENT: dict[Kind, str] = {"calls": "prompt", "tool_calls": "input_fingerprint"}
REQUIRED: dict[Kind, tuple[str, ...]] = {
    "calls": ("vendor", "requested_model", "observed_at"),
    "tool_calls": ("mcp_name", "tool_name", "observed_at"),
    "usage_buckets": ("vendor", "bucket_start_at"),
    "costs": ("vendor", "bucket_start_at"),
}
INPUT_TOKENS = ("input_tokens", "output_tokens")
CACHE_TOKENS = ("cache_write_5m_tokens", "cache_write_1h_tokens", "cache_read_tokens")
EPOCH_MICROSECONDS = {"epoch_s": 1_000_000, "epoch_ms": 1_000, "epoch_us": 1}
NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,2})?"


class ColumnMapping(BaseModel):
    """Where one of our columns comes from, and what is done with it."""

    model_config = ConfigDict(extra="forbid")

    column: str | None = Field(
        None, description="The file's column; in JSON lines a key, or a path such as $.usage.input."
    )
    constant: str | bool | int | Decimal | None = Field(
        None, description="The same value for every row, instead of a column."
    )
    time: str = Field(
        "iso",
        description="For times: iso (default), epoch_s, epoch_ms, epoch_us, or a strptime format.",
    )
    start_at: datetime | None = Field(
        None, description="For a clock that begins at 0: the time that its epoch stands for."
    )
    factor: Decimal = Field(
        Decimal(1),
        gt=0,
        max_digits=9,
        decimal_places=6,
        description="For amounts and counts: multiply by it exactly, as 0.01 for cents.",
    )
    values: dict[str, str] = Field(
        default_factory=dict,
        description="For texts: the file's words in ours; another word stays as it is.",
    )
    default: str | None = Field(None, description="What an empty cell says.")

    @model_validator(mode="before")
    @classmethod
    def _a_name_is_a_column(cls, value: Any) -> Any:
        return {"column": value} if isinstance(value, str) else value

    @model_validator(mode="after")
    def _one_origin(self) -> "ColumnMapping":
        if (self.column is None) == (self.constant is None):
            raise ValueError("name a column or a constant")
        return self


class MappedFiles(BaseModel):
    """Files of one shape."""

    model_config = ConfigDict(extra="forbid")

    path: Path = Field(
        description="A file, or a pattern such as exports/*.csv; .csv or .jsonl, also with .gz."
    )
    kind: Kind = Field(description="What a row is: calls, tool_calls, usage_buckets or costs.")
    name: str = Field(
        "csv",
        pattern="^[a-z][a-z0-9_]{0,30}$",
        description="The source that the rows are said to be of.",
    )
    columns: dict[str, ColumnMapping] = Field(
        description="Our column to the file's column, as its name or as a mapping with more to it."
    )
    delimiter: str = Field(",", min_length=1, max_length=1, description="Between fields.")
    decimal: Literal[".", ","] = Field(".", description="The decimal point of amounts.")
    encoding: Literal["utf-8", "latin-1", "utf-16"] = Field("utf-8", description="Of a CSV file.")
    time_zone: str = Field("UTC", description="Of times that name none, as Europe/Berlin.")
    input_includes_cache: bool = Field(
        False, description="input_tokens counts the cache too, which is then subtracted."
    )
    team: str | None = Field(None, description="The team of rows that name none.")
    report: str = Field(
        "bill", max_length=60, description="Of usage_buckets and costs: what the report is called."
    )
    bucket_width: Literal["1m", "1h", "1d"] = Field(
        "1d", description="Of usage_buckets and costs whose end is not mapped."
    )

    @field_validator("time_zone")
    @classmethod
    def _is_a_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError("is no time zone: use a name such as Europe/Berlin")
        return zone

    @model_validator(mode="after")
    def _fits_the_table(self) -> "MappedFiles":
        table = TABLES[self.kind]
        for name in self.columns:
            is_ours = name in table.columns and name not in OWN_COLUMNS
            if not is_ours and name != CONTENT.get(self.kind):
                raise ValueError(f"columns.{name} is no column of {self.kind}")
        for name in REQUIRED[self.kind]:
            if name not in self.columns:
                raise ValueError(f"columns.{name} is needed for {self.kind}")
        return self

    def fingerprint(self) -> str:
        """Return what changes when the same file would give other rows."""
        text = self.model_dump_json(exclude={"path"})
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @property
    def table(self) -> RawTable:
        """The canonical raw table that the rows land in."""
        return TABLES[self.kind]


def quoted(text: str) -> str:
    """Return a text as a SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """Return a name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def source_text(mapping: ColumnMapping) -> str:
    """Return the SQL text of a mapped column or constant; an empty cell is null or the default."""
    if mapping.constant is not None:
        constant = mapping.constant
        text = str(constant).lower() if isinstance(constant, bool) else str(constant)
        return f"cast({quoted(text)} as varchar)"
    assert mapping.column is not None  # noqa: S101  as checked
    text = f"nullif(trim({identifier(mapping.column)}), '')"
    return text if mapping.default is None else f"coalesce({text}, {quoted(mapping.default)})"


def value_sql(name: str, kind: ColumnType, mapping: ColumnMapping, files: MappedFiles) -> str:
    """Return the SQL value of our column from ``text_<name>``; null where the text does not fit."""
    text = f"text_{name}"
    if name == CONTENT.get(files.kind):
        return text
    # a constant is written as we write numbers
    decimal = "." if mapping.constant is not None else files.decimal
    number = text if decimal == "." else f"replace({text}, ',', '.')"
    amount = (
        f"case when regexp_full_match({number}, '{NUMBER}') then "
        f"cast(try_cast({number} as decimal(29, 15)) * cast('{mapping.factor}' as decimal(9, 6)) "
        "as decimal(38, 15)) end"
    )
    if kind == "timestamp":
        return _time_sql(text, mapping)
    if kind == "usd":
        return amount
    if kind == "bigint":
        return (
            f"case when {amount} between 0 and 999999999999999 and {amount} = trunc({amount}) "
            f"then cast({amount} as bigint) end"
        )
    if kind == "bool":
        return (
            f"case when lower({text}) in ('true', 't', 'yes', '1') then true "
            f"when lower({text}) in ('false', 'f', 'no', '0') then false end"
        )
    if kind == "double":
        return f"try_cast({number} as double)"
    words = "".join(f" when {quoted(k)} then {quoted(v)}" for k, v in mapping.values.items())
    spoken = f"case {text}{words} else {text} end" if words else text
    return (
        f"case when length({spoken}) <= 1000 and not regexp_matches({spoken}, '[[:cntrl:]]') "
        f"then {spoken} end"
    )


def _time_sql(text: str, mapping: ColumnMapping) -> str:
    if mapping.time in EPOCH_MICROSECONDS:
        start = mapping.start_at or datetime(1970, 1, 1, tzinfo=UTC)
        utc = start.astimezone(UTC) if start.tzinfo else start
        microseconds = (
            f"try_cast(round(try_cast({text} as decimal(29, 6)) "
            f"* {EPOCH_MICROSECONDS[mapping.time]}) as bigint)"
        )
        epoch = quoted(utc.strftime("%Y-%m-%d %H:%M:%S.%f"))
        time = f"timestamp {epoch} + to_microseconds({microseconds})"
    elif mapping.time == "iso":
        time = f"make_timestamp(epoch_us(try_cast({text} as timestamptz)))"
    else:
        time = (
            "make_timestamp(epoch_us("
            f"cast(try_strptime({text}, {quoted(mapping.time)}) as timestamptz)))"
        )
    return (
        f"case when {time} between timestamp '2000-01-01' and timestamp '2100-01-01' "
        f"then {time} end"
    )


def type_name(kind: ColumnType) -> str:
    """Return DuckDB's name of a column's type."""
    return DUCKDB_TYPES[kind]
