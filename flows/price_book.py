"""Check the price book: what is wrong with it is one line that names file, row and rule.

A build does this before dbt starts, so that nothing is priced with a mistake, and on every engine
alike: the day 2026-13-01 breaks a seed on DuckDB and becomes 1970-01-01 on ClickHouse.
"""

import csv
import io
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from dlt_pipelines.config import CUSTOMER_SLUG, PROJECT_DIR
from dlt_pipelines.errors import MindweaveError, UsageError

# where int_prices__in_force ends an open period; ClickHouse moves a day that it cannot hold
FIRST_DAY, LAST_DAY = date(1970, 1, 1), date(2100, 1, 1)
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?")
WHOLE_NUMBER = re.compile(r"-?[0-9]+")
LONGEST_QUOTE = 60

SENTENCES = {
    "greater_than_equal": "is below {ge}",
    "greater_than": "is not above {gt}",
    "less_than": "is too large",
    "decimal_max_places": "has more than {decimal_places} decimals",
    "decimal_max_digits": "has more than {max_digits} digits",
    "decimal_whole_digits": "has more than {whole_digits} digits before the point",
    "literal_error": "is not one of {expected}",
}

Identity = tuple[Any, ...]


def _day(text: object) -> object:
    if not isinstance(text, str):
        return text
    try:
        day = date.fromisoformat(text) if DAY.fullmatch(text) else None
    except ValueError:
        day = None
    if day is None:
        raise PydanticCustomError("day", "is not a date (YYYY-MM-DD)")
    if not FIRST_DAY <= day <= LAST_DAY:
        raise PydanticCustomError(
            "day", f"is not from {FIRST_DAY} to {LAST_DAY}: leave the cell of an open end empty"
        )
    return day


def _number(text: object) -> object:
    if isinstance(text, str) and not NUMBER.fullmatch(text):
        raise PydanticCustomError("number", "is not a number: write digits, and a point if needed")
    return text


def _whole_number(text: object) -> object:
    if isinstance(text, str) and not WHOLE_NUMBER.fullmatch(text):
        raise PydanticCustomError("number", "is not a whole number")
    return text


def _readable(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise PydanticCustomError("name", "has a blank at an end, or something invisible")
    return text


def _word(text: str) -> str:
    if " " in text or not text.isprintable():
        raise PydanticCustomError("name", "has a blank, or something invisible")
    return text


def _slug(text: str) -> str:
    if not CUSTOMER_SLUG.fullmatch(text):
        raise PydanticCustomError("slug", "is not a customer's slug")
    return text


Day = Annotated[date, BeforeValidator(_day)]
Number = Annotated[Decimal, BeforeValidator(_number)]
Usd = Annotated[Number, Field(ge=0, max_digits=18, decimal_places=6)]
Tokens = Annotated[int, Field(ge=-1, lt=2**63), BeforeValidator(_whole_number)]
Readable = Annotated[str, AfterValidator(_readable)]
Word = Annotated[str, AfterValidator(_word)]
Slug = Annotated[str, AfterValidator(_slug)]
Confidence = Literal["high", "medium", "low", "none"]


class Row(BaseModel):
    """A row of the price book; a file of a user may leave out a field that has a default."""

    model_config = ConfigDict(frozen=True)

    key: ClassVar[tuple[str, ...]]
    """What no two rows share that are known from the same day and in force on one."""

    references: ClassVar[Mapping[tuple[str, ...], str]] = {}
    """Columns whose values are those of the same columns of another seed."""

    has_no_gaps: ClassVar[bool] = False
    """Whether a key has a row in force on every day between its first and its last."""

    @property
    def begin(self) -> date:
        """The first day on which the row is in force."""
        return date.min

    @property
    def end(self) -> date:
        """The first day on which it is over."""
        return date.max

    @property
    def known(self) -> date | None:
        """The day from which the row was known; None where it always was."""
        return None

    @property
    def title(self) -> str:
        """What the row is about, by the values of its key."""
        names = zip(self.key, self.values_of(self.key), strict=True)
        return " ".join(
            f"every {column.removesuffix('_id')}" if value is None else str(value)
            for column, value in names
        )

    def values_of(self, columns: Iterable[str]) -> Identity:
        """Return the values of some columns."""
        return tuple(getattr(self, column) for column in columns)

    def identity(self, thresholds: Mapping[str, int]) -> Identity:
        """Return the key as the models compare it; ``thresholds`` are those of the bands."""
        return self.values_of(self.key)


class DatedRow(Row):
    """A row in force on the UTC days [valid_from_date, valid_to_date); None is open."""

    valid_from_date: Day | None = None
    valid_to_date: Day | None = None
    known_from_date: Day | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.end <= self.begin:
            raise PydanticCustomError(
                "period",
                f"valid_to_date: {self.valid_to_date} is not after the period's begin, "
                f"{self.valid_from_date}",
            )
        return self

    @property
    def begin(self) -> date:
        """The first day on which the row is in force."""
        return self.valid_from_date or date.min

    @property
    def end(self) -> date:
        """The first day on which it is over."""
        return self.valid_to_date or date.max

    @property
    def known(self) -> date | None:
        """The day from which the row was known; None where it always was."""
        return self.known_from_date


class Vendor(Row):
    """Who sells models."""

    key = ("vendor",)

    vendor: Word
    name: Readable
    source: str | None


class PriceBand(Row):
    """Which prompts a price is for."""

    key = ("price_band",)

    price_band: Word
    prompt_tokens_above: Tokens
    description: str | None
    source: str


class ModelPrice(DatedRow):
    """What a model's tokens cost, in USD per million; None is unknown, never free."""

    key = ("vendor", "model_id", "price_band")
    references = {("vendor",): "vendors", ("price_band",): "price_bands"}
    has_no_gaps = True

    vendor: Word
    model_id: Word
    price_band: Word = "standard"
    input_usd_per_mtok: Usd | None
    output_usd_per_mtok: Usd | None
    cache_write_5m_usd_per_mtok: Usd | None
    cache_write_1h_usd_per_mtok: Usd | None
    cache_read_usd_per_mtok: Usd | None
    status: str | None = None
    confidence: Confidence = "none"
    source: str = "a file"
    note: str | None = None

    @model_validator(mode="after")
    def _prices_nothing_or_input_too(self) -> Self:
        prices = [name for name in type(self).model_fields if name.endswith("_usd_per_mtok")]
        if self.input_usd_per_mtok is None and any(self.values_of(prices)):
            raise PydanticCustomError(
                "input", "input_usd_per_mtok is empty, and without it the row prices nothing"
            )
        return self

    def identity(self, thresholds: Mapping[str, int]) -> Identity:
        """Return the key as the models compare it: bands of one threshold are one."""
        return (self.vendor, self.model_id, thresholds.get(self.price_band, self.price_band))


class PriceModifier(DatedRow):
    """What a way of being served makes of the price of tokens; None is unknown."""

    key = ("vendor", "model_id", "modifier")
    references = {("vendor",): "vendors", ("vendor", "model_id"): "model_prices"}

    vendor: Word
    model_id: Word | None
    modifier: Literal["batch", "fast", "us_inference", "regional_endpoint"]
    multiplier: Annotated[Number, Field(gt=0, max_digits=9, decimal_places=4)] | None
    confidence: Confidence
    source: str
    note: str | None


class ServerToolPrice(DatedRow):
    """What a thousand uses of a tool that the vendor runs cost, in USD."""

    key = ("vendor", "tool")
    references = {("vendor",): "vendors"}
    has_no_gaps = True

    vendor: Word
    tool: Literal["web_search"]
    usd_per_1k: Usd
    confidence: Confidence
    source: str
    note: str | None


class ContractDiscount(DatedRow):
    """What a contract makes of the list price of a call."""

    key = ("customer_id", "vendor", "model_id")
    references = {("vendor",): "vendors", ("vendor", "model_id"): "model_prices"}

    customer_id: Slug | None = None
    vendor: Word
    model_id: Word | None = None
    multiplier: Annotated[Number, Field(gt=0, max_digits=9, decimal_places=6)]
    contract: str = "a file"
    note: str | None = None


class ModelAlias(Row):
    """Another name of a model."""

    key = ("alias",)
    references = {("vendor",): "vendors", ("vendor", "model_id"): "model_prices"}

    vendor: Word
    alias: Readable
    model_id: Word
    price_region: Word | None
    source: str


# in the order in which problems are told
SEEDS: Mapping[str, type[Row]] = {
    "vendors": Vendor,
    "price_bands": PriceBand,
    "model_prices": ModelPrice,
    "price_modifiers": PriceModifier,
    "server_tool_prices": ServerToolPrice,
    "contract_discounts": ContractDiscount,
    "model_aliases": ModelAlias,
}


@dataclass(frozen=True)
class Problem:
    """One broken rule of one file."""

    file: str
    rows: tuple[int, ...]
    rule: str

    def __str__(self) -> str:
        """Say it with rows as an editor counts lines: the header is row 1."""
        where = f", row{'s' * (len(self.rows) > 1)} " if self.rows else ""
        return f"{self.file}{where}{' and '.join(map(str, self.rows))}: {self.rule}"


@dataclass
class Table:
    """The rows of one file by the line on which each begins, and what is wrong with them."""

    name: str
    kind: type[Row]
    rows: dict[int, Row] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)

    def report(self, rule: str, *rows: int) -> None:
        """Note a problem."""
        self.problems.append(Problem(self.name, rows, rule))


def check_price_book(project: Path = PROJECT_DIR) -> None:
    """Check the seeds of a project; raise MindweaveError naming the first problem."""
    tables = _read_seeds(project)
    _raise_first(tables.values())
    # in turn: a row that cannot be used is missed elsewhere, too, and that is no second problem
    for check in (_check_names, _check_keys, _check_gaps):
        for table in tables.values():
            check(table, tables)
        _raise_first(tables.values())


def read_file(path: Path, seed: str, project: Path = PROJECT_DIR) -> list[Row]:
    """Return the rows of a user's file that is like a seed; it may leave columns out.

    Raises UsageError where there is no such file, MindweaveError naming the first problem in it.
    """
    if not path.is_file():
        raise UsageError(f"there is no file {path}")
    table = _read_table(path, str(path), SEEDS[seed], is_seed=False)
    tables = _read_seeds(project)
    _raise_first([table, *tables.values()])
    for check in (_check_names, _check_keys):
        check(table, tables)
        _raise_first([table])
    return list(table.rows.values())


def _raise_first(tables: Iterable[Table]) -> None:
    problems = [problem for table in tables for problem in table.problems]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise MindweaveError(f"{problems[0]}{more}")


def _read_seeds(project: Path) -> dict[str, Table]:
    return {
        seed: _read_table(project / "seeds" / f"{seed}.csv", f"seeds/{seed}.csv", kind)
        for seed, kind in SEEDS.items()
    }


def _read_table(path: Path, name: str, kind: type[Row], is_seed: bool = True) -> Table:
    table = Table(name, kind)
    try:
        content = path.read_bytes()
        _read_rows(table, content.decode("utf-8-sig"), is_seed)
    except FileNotFoundError:
        table.report("the file is missing")
    except OSError as error:
        table.report(f"the file cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        table.report("is not UTF-8: save the file in that encoding", row)
    return table


def _read_rows(table: Table, text: str, is_seed: bool) -> None:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header: list[str] = []
    row = 1
    try:
        for cells in reader:
            if row == 1:
                header = cells
                _check_header(table, header, is_seed)
                if table.problems:
                    return
            else:
                _read_row(table, row, header, cells)
            row = reader.line_num + 1
    except csv.Error:
        table.report("the quotes of a cell do not match", row)
    if not header and not table.problems:
        table.report("the file is empty")


def _check_header(table: Table, header: Sequence[str], is_seed: bool) -> None:
    if len(header) == 1 and (found := re.search(r"[;\t|]", header[0])):
        return table.report(f"the cells are separated by {_quoted(found[0])}: use commas", 1)
    for column, field_ in table.kind.model_fields.items():
        if column not in header and (is_seed or field_.is_required()):
            table.report(f"the column {column} is missing")
    for column, count in Counter(header).items():
        if column not in table.kind.model_fields:
            table.report(f"the column {_quoted(column)} is unknown", 1)
        elif count > 1:
            table.report(f"the column {column} is there twice", 1)


def _read_row(table: Table, row: int, header: Sequence[str], cells: Sequence[str]) -> None:
    if not cells:
        return table.report("is empty", row)
    if len(cells) != len(header):
        return table.report(f"has {len(cells)} cells, and the header {len(header)}", row)
    for column, cell in zip(header, cells, strict=True):
        if cell.lower() == "null":  # a text on DuckDB, empty on the others
            table.report(f"{column}: {_quoted(cell)} is not a value: leave the cell empty", row)
            return
    values = {column: cell or None for column, cell in zip(header, cells, strict=True)}
    try:
        table.rows[row] = table.kind.model_validate(values)
    except ValidationError as failure:
        for error in failure.errors(include_url=False):
            table.report(_sentence(error), row)


def _sentence(error: ErrorDetails) -> str:
    column, value = ".".join(map(str, error["loc"])), error["input"]
    if not column:
        return error["msg"]
    if value is None:
        return f"{column} is empty"
    sentence = SENTENCES.get(error["type"], error["msg"])
    return f"{column}: {_quoted(value)} {sentence.format(**error.get('ctx', {}))}"


def _quoted(value: object) -> str:
    text = str(value)
    shown = text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}…"
    return json.dumps(shown, ensure_ascii=False)


def _check_names(table: Table, tables: Mapping[str, Table]) -> None:
    """Look for names that are not in the seed that has them all."""
    there = {
        columns: {row.values_of(columns) for row in tables[seed].rows.values()}
        for columns, seed in table.kind.references.items()
    }
    for number, row in table.rows.items():
        for columns, seed in table.kind.references.items():
            *owners, name = row.values_of(columns)
            if name is not None and (*owners, name) not in there[columns]:
                of = "".join(f" of {owner}" for owner in owners)
                rule = f"{columns[-1]}: {_quoted(name)}{of} is not in {tables[seed].name}"
                table.report(rule, number)
                break
    if table.kind is ModelAlias:
        models = {row.values_of(["model_id"]) for row in tables["model_prices"].rows.values()}
        for number, row in table.rows.items():
            if row.values_of(["alias"]) in models:
                table.report(f"alias: {row.title} is a model of the book itself", number)


def _check_keys(table: Table, tables: Mapping[str, Table]) -> None:
    """Look for rows of one key and day of knowledge that are in force on one day."""
    thresholds = _thresholds(tables)
    keys = {row: (*key.identity(thresholds), key.known) for row, key in table.rows.items()}
    for rows in _in_groups(keys):
        for earlier, later in pairwise(_by_begin(table, rows)):
            one, other = table.rows[earlier], table.rows[later]
            if other.begin >= one.end:
                continue
            names = " and ".join(dict.fromkeys([one.title, other.title]))
            known = f", both known from {one.known}" if one.known else ""
            if one == other or not issubclass(table.kind, DatedRow):
                rule = f"{names} is there twice"
            else:
                rule = f"the periods of {names} overlap{known}"
            table.report(rule, *sorted([earlier, later]))


def _check_gaps(table: Table, tables: Mapping[str, Table]) -> None:
    """Look for days without a price between the first and the last with one."""
    if not table.kind.has_no_gaps:
        return
    thresholds = _thresholds(tables)
    keys = {number: row.identity(thresholds) for number, row in table.rows.items()}
    for rows in _in_groups(keys):
        latest, *others = _by_begin(table, rows)
        for number in others:
            end, begin = table.rows[latest].end, table.rows[number].begin
            if end < begin:
                rule = f"{table.rows[number].title} has no price {_days(end, begin)}"
                table.report(rule, *sorted([latest, number]))
            latest = max(latest, number, key=lambda row: table.rows[row].end)
    if table.kind is ModelPrice:
        _check_short_prompts(table, thresholds)


def _check_short_prompts(table: Table, thresholds: Mapping[str, int]) -> None:
    """Look for days on which a model has a price for long prompts only."""
    models = {number: row.values_of(["vendor", "model_id"]) for number, row in table.rows.items()}
    for rows in _in_groups(models):
        every = [table.rows[number] for number in rows]
        short = [row for row in every if row.identity(thresholds)[-1] < 0]
        begin = min((row.begin for row in short), default=date.max)
        end = max((row.end for row in short), default=date.max)
        for number in rows:
            row = table.rows[number]
            for first, after in (
                (row.begin, min(row.end, begin)),
                (max(row.begin, end), row.end),
            ):
                if first < after:
                    rule = f"{row.title} is for long prompts, and short ones have no price "
                    table.report(rule + _days(first, after), number)


def _thresholds(tables: Mapping[str, Table]) -> dict[str, int]:
    return {
        row.price_band: row.prompt_tokens_above
        for row in tables["price_bands"].rows.values()
        if isinstance(row, PriceBand)
    }


def _in_groups(keys: Mapping[int, Identity]) -> list[list[int]]:
    """Return the rows that share a key, group by group."""
    groups: defaultdict[Identity, list[int]] = defaultdict(list)
    for row, key in keys.items():
        groups[key].append(row)
    return list(groups.values())


def _by_begin(table: Table, rows: Iterable[int]) -> list[int]:
    return sorted(rows, key=lambda row: (table.rows[row].begin, row))


def _days(first: date, after: date) -> str:
    """Name the days from ``first`` until ``after``, which is none of them."""
    last = after - timedelta(days=1)
    if after == date.max:
        return "on any day" if first == date.min else f"from {first} on"
    if first == date.min:
        return f"until {last}"
    return f"on {first}" if first == last else f"from {first} to {last}"
