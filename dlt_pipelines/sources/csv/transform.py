"""Rows of one file to rows of a canonical raw table, in DuckDB."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa

from dlt_pipelines.content import CONTENT_FINGERPRINTS_OF_LOAD, make_fingerprints
from dlt_pipelines.duckdb_warehouse import explain_duckdb
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.landing import (
    CONTENT_FINGERPRINTS,
    QUARANTINE,
    RawTable,
    newest_sql,
    run_statement,
)
from dlt_pipelines.observed_rows import ObservedRows
from dlt_pipelines.plugin import LoadContext
from dlt_pipelines.privacy import fingerprint_sql
from dlt_pipelines.sources.csv import tables
from dlt_pipelines.sources.csv.mapping import (
    CACHE_TOKENS,
    CONTENT,
    INPUT_TOKENS,
    REQUIRED,
    Kind,
    MappedFiles,
    identifier,
    quoted,
    source_text,
    type_name,
    value_sql,
)

if TYPE_CHECKING:
    from dlt_pipelines.sources.csv import FoundFile

LONGEST_ROW = 16 * 2**20
PROBLEMS = {
    "bigint": "is not a whole number",
    "usd": "is not an amount",
    "double": "is not a number",
    "bool": "is neither true nor false",
    "timestamp": "is not a time",
    "text": "is longer than 1000 characters or not plain text",
}
WIDTHS = {"1m": "1 minute", "1h": "1 hour", "1d": "1 day"}
REPORTED = ("usage_buckets", "costs")
# the name and the input of a tool as a transcript has them, so that equal calls are seen as such
CONTENT_TEXTS: dict[Kind, tuple[str, str]] = {
    "calls": ("prompt", "prompt"),
    "tool_calls": (
        "tool_input",
        "'mcp__' || mcp_name || '__' || tool_name || chr(31) || input_fingerprint",
    ),
}
CONTENTS: dict[Kind, str] = {
    kind: f"""
    select distinct '{content_kind}' as content_kind, {text} as content
    from judged
    where problem is null and {text} is not null
    """
    for kind, (content_kind, text) in CONTENT_TEXTS.items()
}


class UnreadableFileError(Exception):
    """A file that cannot be read as a whole; its text is a reason for the quarantine."""


def land_rows(
    context: LoadContext,
    observed: ObservedRows,
    files: MappedFiles,
    file: "FoundFile",
    header: list[str],
    is_known: bool,
) -> int:
    """Write what a file says that is not known; return how many rows it has.

    Raises UnreadableFileError for what is no CSV, MindweaveError for a mapped column that no row of
    JSON lines has.
    """
    parameters: dict[str, Any] = {
        "load_id": context.load_id,
        "path": file.path,
        "file_id": file.file_id,
        "location": file.location,
        "source": files.name,
        "team": files.team,
        "report": files.report,
        **context.key.sql_parameters(),
    }
    counts = context.counts
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.execute("set temp_directory = ''")  # content must not spill to the disk
        connection.execute(f"set timezone = '{files.time_zone}'")

        def run(statement: str) -> int:
            return run_statement(connection, statement, parameters)

        refused = _read(connection, files, file, header, parameters)
        rows = run("select count(*) from file_rows")
        run(_typed(files))
        connection.execute("set timezone = 'UTC'")
        run(_judged(files))
        if CONTENT.get(files.kind) in files.columns:
            fingerprinter = Fingerprinter(context.key, context.fingerprints)
            make_fingerprints(connection, fingerprinter, CONTENTS[files.kind], parameters)
            observed.landing(CONTENT_FINGERPRINTS).write(
                connection, CONTENT_FINGERPRINTS_OF_LOAD, parameters
            )
        quarantined = run("select count(*) from judged where problem is not null") + refused
        run(_named(files))
        usable = rows + refused - quarantined
        run(_refusals(context, connection))
        observed.landing(QUARANTINE).write(connection, "select * from news_refused", parameters)
        before = _before(context, files, file) if is_known else None
        written = _write_news(connection, observed, files, before, parameters)
        gone = run("select count(*) from gone")
    # a row that says that another is gone was in no file
    counts.rows_read += rows + refused + gone
    counts.rows_quarantined += quarantined
    counts.rows_loaded += written
    counts.rows_ignored += usable - (written - gone)
    return rows + refused


def land_file(context: LoadContext, observed: ObservedRows, file: dict[str, Any]) -> None:
    """Write that a file was read."""
    row = {**file, "load_id": context.load_id}
    with duckdb.connect(config={"autoinstall_known_extensions": False}) as connection:
        connection.register(
            "read_file", pa.Table.from_pylist([row], schema=tables.FILES.no_rows().schema)
        )
        observed.landing(tables.FILES).write(connection, "select * from read_file", {})


def _read(
    connection: duckdb.DuckDBPyConnection,
    files: MappedFiles,
    file: "FoundFile",
    header: list[str],
    parameters: dict[str, Any],
) -> int:
    """Make `file_rows` (line_number, the file's columns) and `refused_rows`; count the latter."""
    from dlt_pipelines.sources.csv import is_json_lines

    connection.execute(
        "create table refused_rows (line_number bigint, reason varchar, content varchar)"
    )
    try:
        if is_json_lines(file.path):
            return _read_json_lines(connection, files, file)
        if header:
            return _read_csv(connection, files, file, header)
    except duckdb.IOException as error:
        raise explain_duckdb(error, Path(file.path)) from None
    except duckdb.Error as error:
        raise UnreadableFileError(
            f"the file cannot be read with this delimiter and encoding ({type(error).__name__})"
        ) from None
    columns = {mapping.column for mapping in files.columns.values() if mapping.column}
    names = "".join(f", {identifier(name)} varchar" for name in sorted(columns))
    connection.execute(f"create table file_rows (line_number bigint{names})")
    return 0


def _read_csv(
    connection: duckdb.DuckDBPyConnection, files: MappedFiles, file: "FoundFile", header: list[str]
) -> int:
    mapped = sorted({m.column for m in files.columns.values() if m.column is not None})
    # a name that comes twice, or is empty, can be mapped no more than once
    names = [
        name if name and header.index(name) == place else f"column {place}"
        for place, name in enumerate(header)
    ]
    columns = ", ".join(f"{quoted(name)}: 'VARCHAR'" for name in names)
    selected = "".join(f", {identifier(name)}" for name in mapped)
    connection.execute(
        f"""
        create table read_rows as
        select {", ".join(identifier(name) for name in mapped) or "1 as one"}
        from read_csv(
            {quoted(file.path)}, columns = {{{columns}}}, auto_detect = false, header = true,
            delim = {quoted(files.delimiter)}, quote = '"', escape = '"',
            encoding = '{files.encoding}', max_line_size = {LONGEST_ROW}, store_rejects = true,
            compression = '{"gzip" if file.path.endswith(".gz") else "none"}'
        )
        """
    )
    connection.execute(
        """
        insert into refused_rows
        select line, min(lower(cast(error_type as varchar))), any_value(csv_line)
        from reject_errors
        group by line
        """
    )
    connection.execute(
        """
        update refused_rows set reason = case
            when reason = 'missing columns' then 'the row has fewer fields than the header'
            when reason = 'too many columns' then 'the row has more fields than the header'
            when reason = 'invalid encoding' then 'the row is not in the encoding of the file'
            when reason = 'unquoted value' then 'a quote is not closed'
            when reason = 'line size over maximum' then 'the row is longer than 16 MiB'
            else 'the row is not CSV'
        end
        """
    )
    # the lines that were not refused, in their order: the header is the first
    connection.execute(
        f"""
        create table file_rows as
        with
        lines as (
            select line_number, row_number() over (order by line_number) - 1 as place
            from (
                select unnest(
                    range(2, 2 + (select count(*) from read_rows)
                        + (select count(*) from refused_rows))
                ) as line_number
            )
            anti join refused_rows using (line_number)
        )
        select lines.line_number{selected}
        from read_rows
        inner join lines on read_rows.rowid = lines.place
        """
    )
    row = connection.execute("select count(*) from refused_rows").fetchone()
    return int(row[0]) if row else 0


def _read_json_lines(
    connection: duckdb.DuckDBPyConnection, files: MappedFiles, file: "FoundFile"
) -> int:
    mapped = {m.column: ours for ours, m in files.columns.items() if m.column is not None}
    connection.execute(
        f"""
        create table objects as
        select json
        from read_json_objects(
            {quoted(file.path)}, format = 'newline_delimited', ignore_errors = true,
            maximum_object_size = {LONGEST_ROW},
            compression = '{"gzip" if file.path.endswith(".gz") else "uncompressed"}'
        )
        """
    )
    fields = "".join(
        f", json_extract_string(json, {quoted(path)}) as {identifier(column)}"
        for column in mapped
        for path in [column if column.startswith("$") else f'$."{column}"']
    )
    usable = "coalesce(json_type(json) = 'OBJECT', false)"
    connection.execute(
        f"create table file_rows as select rowid + 1 as line_number{fields} from objects "
        f"where {usable}"
    )
    connection.execute(
        "insert into refused_rows select rowid + 1, 'the line is not a JSON object', "
        f"cast(json as varchar) from objects where not {usable}"
    )
    for column, ours in mapped.items():
        row = connection.execute(
            f"select count(*), count({identifier(column)}) from file_rows"
        ).fetchone()
        if row and row[0] and not row[1] and files.columns[ours].default is None:
            raise MindweaveError(
                f"source csv: no line of {Path(file.path).name} has {column!r}, which "
                f"columns.{ours} names; check the mapping"
            )
    row = connection.execute("select count(*) from refused_rows").fetchone()
    return int(row[0]) if row else 0


def _typed(files: MappedFiles) -> str:
    """Return the statement that makes `typed`: each mapped column as a text and as a value."""
    mappings, columns = files.columns, files.table.columns
    texts = "".join(f", {source_text(m)} as text_{name}" for name, m in mappings.items())
    values = "".join(
        f", {value_sql(name, columns.get(name, 'text'), mapping, files)} as {name}"
        for name, mapping in mappings.items()
    )
    return f"""
    create table typed as
    with texts as (select line_number{texts} from file_rows)
    select *{values} from texts
    """


def _judged(files: MappedFiles) -> str:
    """Return the statement that makes `judged`: with the first problem of a row, if any."""
    mappings, columns = files.columns, files.table.columns
    problems = [
        f"when text_{name} is not null and {name} is null then '{name}: {PROBLEMS[columns[name]]}'"
        for name in mappings
        if name != CONTENT.get(files.kind)
    ]
    required = [f"when {name} is null then '{name}: is missing'" for name in REQUIRED[files.kind]]
    if files.kind == "calls":
        # what was not answered was not counted; what was answered was
        status = "coalesce(status, 'success')" if "status" in mappings else "'success'"
        required += [
            f"when {status} = 'success' and {name} is null then '{name}: is missing'"
            for name in INPUT_TOKENS
            if name in mappings
        ]
        if "status" in mappings:
            required.append(
                "when status not in ('success', 'error', 'rate_limited', 'incomplete') "
                "then 'status: is none of success, error, rate_limited, incomplete'"
            )
    cache = [name for name in CACHE_TOKENS if name in mappings]
    if files.input_includes_cache and cache and "input_tokens" in mappings:
        total = " + ".join(f"coalesce({name}, 0)" for name in cache)
        required.append(
            f"when input_tokens < {total} then 'input_tokens: is less than the cache that it "
            "should include'"
        )
    return f"""
    create table judged as
    select *, case {" ".join(problems + required)} end as problem
    from typed
    """


def _value(name: str, files: MappedFiles) -> str:
    """Return the SQL of one of our columns, mapped or not."""
    mappings, kind = files.columns, files.table.columns[name]
    is_mapped = name in mappings
    value = name if is_mapped else f"cast(null as {type_name(kind)})"
    if name == "team_id":
        return f"coalesce({value}, $team)"
    if name == "user_id" and is_mapped:
        person = "case when contains(user_id, '@') then lower(user_id) else user_id end"
        return f"'person_' || left({fingerprint_sql('person', person)}, 16)"
    if name == "input_fingerprint" and is_mapped or name == "dedup_hash" and "prompt" in mappings:
        return "fingerprints.dedup_hash"
    if name == "input_tokens" and files.input_includes_cache and is_mapped:
        cache = [f"coalesce({token}, 0)" for token in CACHE_TOKENS if token in mappings]
        return " - ".join(["coalesce(input_tokens, 0)", *cache])
    if name in ("report", "bucket_width") and not is_mapped:
        return "$report" if name == "report" else quoted(files.bucket_width)
    if name == "bucket_end_at":
        return f"coalesce({value}, bucket_start_at + interval '{WIDTHS[files.bucket_width]}')"
    if name == "currency" and not is_mapped:
        return "'USD'"
    if name == "is_sidechain":
        return f"coalesce({value}, false)"
    if name == "status":
        return f"coalesce({value}, 'success')"
    if name.endswith("_tokens"):
        return f"coalesce({value}, 0)"
    return value


def _named(files: MappedFiles) -> str:
    """Return the statement that makes `named`: rows of our table, each once, without load_id."""
    own = ("observation_id", "source", "load_id", "bucket_key", "content_hash", "is_empty")
    columns = [name for name in files.table.columns if name not in own]
    values = ", ".join(f"{_value(name, files)} as {name}" for name in columns)
    names = ", ".join(columns)
    told = "judged"
    if CONTENT.get(files.kind) in files.columns:
        # all of them are of one kind
        told += f" left join fingerprints on {CONTENT_TEXTS[files.kind][1]} = fingerprints.content"
    if files.kind in REPORTED:
        return f"""
        create table named as
        with
        ours as (select {values} from judged where problem is null),
        keyed as (
            select *, $file_id || '/' || strftime(bucket_start_at, '%Y-%m-%dT%H:%M:%S')
                as bucket_key,
                cast(row({names}) as varchar) as said
            from ours
        )
        select
            * exclude (said),
            left(md5(string_agg(said, chr(30) order by said) over (
                partition by bucket_key
                rows between unbounded preceding and unbounded following
            )), 32) as content_hash
        from keyed
        """
    ids = ["message_id", "request_id", "record_uuid"]
    ids = ids if files.kind == "calls" else ["tool_use_id"]
    return f"""
    create table named as
    with
    ours as (select line_number, {values} from {told} where problem is null),
    identified as (
        select *, coalesce({", ".join(ids)}, cast(line_number as varchar)) as own_id,
            hash({names}) as said
        from ours
    ),
    distinct_rows as (
        select *,
            row_number() over (partition by own_id, said order by line_number) as repetition
        from identified
    ),
    numbered as (
        select *, row_number() over (partition by own_id order by line_number) as turn
        from distinct_rows
        where repetition = 1
    )
    select
        $file_id || '/' || own_id || case when turn > 1 then '#' || turn else '' end
            as observation_id,
        {names}
    from numbered
    """


def _refusals(context: LoadContext, connection: duckdb.DuckDBPyConnection) -> str:
    """Return the statement that makes `news_refused`: rows for the quarantine, each once."""
    before = context.read_raw(
        "select location, line_number, reason, row_fingerprint from {raw}.quarantine "
        "where source = 'csv'"
    )
    if before is None:
        before = QUARANTINE.no_rows().select(
            ["location", "line_number", "reason", "row_fingerprint"]
        )
    connection.register("refused_before", before)
    fingerprint = fingerprint_sql("record", "coalesce(content, '')")
    return f"""
    create table news_refused as
    with
    refused as (
        select line_number, reason, content from refused_rows
        union all
        select line_number, problem as reason, cast(to_json(judged) as varchar) as content
        from judged
        where problem is not null
    ),
    described as (
        select line_number, reason, {fingerprint} as row_fingerprint,
            strlen(content) as row_bytes
        from refused
    )
    select
        $load_id as load_id,
        'csv' as source,
        $location as location,
        described.line_number,
        described.reason,
        described.row_fingerprint,
        described.row_bytes,
        cast(now() as timestamp) as quarantined_at
    from described
    anti join refused_before
        on $location = refused_before.location
        and described.line_number = refused_before.line_number
        and described.reason = refused_before.reason
        and described.row_fingerprint = refused_before.row_fingerprint
    """


def _before(context: LoadContext, files: MappedFiles, file: "FoundFile") -> pa.Table | None:
    """Return what the file said last, row by row or bucket by bucket."""
    key = "bucket_key" if files.kind in REPORTED else "observation_id"
    where = f"landed.source = '{files.name}' and landed.{key} like '{file.file_id}/%'"
    return context.read_raw(
        newest_sql(files.table.name, files.table.columns, [key], where, all_of_load=True)
    )


def _write_news(
    connection: duckdb.DuckDBPyConnection,
    observed: ObservedRows,
    files: MappedFiles,
    before: pa.Table | None,
    parameters: dict[str, Any],
) -> int:
    """Write what the file says anew and what stands for its rows that are gone; return how many."""
    table = files.table
    connection.execute(table.create_sql().replace(f" {table.name} ", " before ", 1))
    if before is not None:
        connection.register("landed", before)
        columns = ", ".join(
            f"cast({name} as {type_name(kind)})" for name, kind in table.columns.items()
        )
        connection.execute(f"insert into before select {columns} from landed")
    news, gone = _bucket_news(table) if files.kind in REPORTED else _row_news(table)
    connection.execute(f"create table gone as {gone}")
    landing = observed.landing(table)
    return landing.write(connection, news, parameters) + landing.write(
        connection,
        "select * replace ($load_id as load_id, $source as source) from gone",
        parameters,
    )


def _row_news(table: RawTable) -> tuple[str, str]:
    """Return queries for the rows that are new or changed, and for what stands for those gone."""
    said = [name for name in table.columns if name not in ("load_id", "source", "observation_id")]
    values = ", ".join(
        f"nullif({name}, '')" if kind == "text" else name
        for name, kind in table.columns.items()
        if name in said
    )
    known = f"(select observation_id, hash({values}) as said from before) as known"
    news = f"""
    select $load_id as load_id, $source as source, named.*
    from named
    anti join {known}
        on named.observation_id = known.observation_id and hash({values}) = known.said
    """
    # a row that is gone keeps its ids, so that the models find what it was, and counts nothing
    nothing = [
        f"cast({0 if name.endswith('_tokens') else 'null'} as {type_name(kind)}) as {name}"
        for name, kind in table.columns.items()
        if name.endswith(("_tokens", "_requests", "_usd", "_basis"))
    ]
    status = "incomplete" if table.name == "call_events" else "unknown"
    nothing.append(f"'{status}' as status")
    gone = f"""
    select emptied.*
    from (select before.* replace ({", ".join(nothing)}) from before) as emptied
    anti join named on emptied.observation_id = named.observation_id
    anti join {known}
        on emptied.observation_id = known.observation_id and hash({values}) = known.said
    """
    return news, gone


def _bucket_news(table: RawTable) -> tuple[str, str]:
    """Return queries for the buckets that are new or changed, and for those that are empty now."""
    news = """
    select $load_id as load_id, $source as source, false as is_empty, named.*
    from named
    anti join before
        on named.bucket_key = before.bucket_key and named.content_hash = before.content_hash
    """
    kept = (
        "source",
        "load_id",
        "report",
        "vendor",
        "org_id",
        "bucket_start_at",
        "bucket_end_at",
        "bucket_width",
        "currency",
    )
    values = {
        "bucket_key": "bucket_key",
        "content_hash": "'empty'",
        "is_empty": "true",
        **{name: f"any_value({name})" for name in kept},
    }
    columns = ", ".join(
        f"{values.get(name, f'cast(null as {type_name(kind)})')} as {name}"
        for name, kind in table.columns.items()
    )
    gone = f"""
    select {columns}
    from before
    anti join named on before.bucket_key = named.bucket_key
    where not coalesce(before.is_empty, false)
    group by before.bucket_key
    """
    return news, gone
