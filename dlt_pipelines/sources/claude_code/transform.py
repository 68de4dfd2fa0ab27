"""Transcript lines to typed rows, in DuckDB: content is seen here for the last time."""

from collections.abc import Sequence

import duckdb
import numpy as np
import pyarrow as pa

from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.jsonl_files import JsonlFile, LineBatch
from dlt_pipelines.plugin import LoadContext
from dlt_pipelines.privacy import fingerprint_sql

MESSAGE = """{
    "id": "VARCHAR", "model": "VARCHAR", "stop_reason": "VARCHAR",
    "content": [{
        "type": "VARCHAR", "id": "VARCHAR", "name": "VARCHAR", "input": "JSON",
        "tool_use_id": "VARCHAR", "is_error": "BOOLEAN"
    }],
    "usage": {
        "input_tokens": "VARCHAR", "output_tokens": "VARCHAR",
        "cache_creation_input_tokens": "VARCHAR", "cache_read_input_tokens": "VARCHAR",
        "cache_creation": {
            "ephemeral_5m_input_tokens": "VARCHAR", "ephemeral_1h_input_tokens": "VARCHAR"
        },
        "server_tool_use": {"web_search_requests": "VARCHAR"},
        "service_tier": "VARCHAR", "speed": "VARCHAR", "inference_geo": "VARCHAR"
    }
}"""

# older versions wrap a sub-agent's record into the data of a progress record
RECORD = f"""{{
    "type": "VARCHAR", "uuid": "VARCHAR", "requestId": "VARCHAR", "timestamp": "VARCHAR",
    "sessionId": "VARCHAR", "isSidechain": "BOOLEAN", "cwd": "VARCHAR", "version": "VARCHAR",
    "costUSD": "VARCHAR", "isApiErrorMessage": "BOOLEAN", "toolDenialKind": "VARCHAR",
    "message": {MESSAGE},
    "data": {{"message": {{
        "type": "VARCHAR", "uuid": "VARCHAR", "requestId": "VARCHAR", "timestamp": "VARCHAR",
        "message": {MESSAGE}
    }}}}
}}"""

KNOWN_RECORD_TYPES = (
    "assistant",
    "user",
    "system",
    "summary",
    "ai-title",
    "custom-title",
    "tag",
    "last-prompt",
    "mode",
    "relocated",
    "attachment",
    "file-history-snapshot",
    "queue-operation",
    "progress",
    "cost-state",
)

QUANTITIES = {
    "input_tokens": "usage.input_tokens",
    "cache_creation_input_tokens": "usage.cache_creation_input_tokens",
    "ephemeral_5m_input_tokens": "usage.cache_creation.ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens": "usage.cache_creation.ephemeral_1h_input_tokens",
    "cache_read_input_tokens": "usage.cache_read_input_tokens",
    "output_tokens": "usage.output_tokens",
    "web_search_requests": "usage.server_tool_use.web_search_requests",
}

# A line is parsed once. Most lines of a batch are objects, as their first and last character tell;
# where one of these is broken all the same, the batch is parsed again, each line checked first.
TRUST = "looks_like_object then line when json_valid(line)"
VERIFY = "json_valid(line)"

# Text cut in the middle of an emoji leaves half a surrogate pair, which JSON parsers refuse. The
# half character is content, which does not land, so the line can be read without it.
HALF_CHARACTER = r"\\u[dD][89a-fA-F][0-9a-fA-F]{2}"

PARSE = """
create or replace temp table parsed as
select
    place,
    file_index,
    line_number,
    from_json(
        case
            when {is_json} then line
            when line like '%\\ud%' or line like '%\\uD%'
                then case when json_valid({repaired}) then {repaired} end
        end,
        $record
    ) as record
from lines
"""

ANSWERS = """
create or replace temp table answers as
with

unwrapped as (
    select
        place,
        file_index,
        line_number,
        record,
        record.type = 'progress' as is_wrapped,
        case when is_wrapped then record.data.message.message else record.message end as message,
        case when is_wrapped then record.data.message.uuid else record.uuid end as record_uuid,
        case when is_wrapped then record.data.message.requestId else record.requestId end
            as request_id,
        case when is_wrapped then record.data.message.timestamp else record.timestamp end
            as time_text
    from parsed
    where
        record.type = 'assistant'
        or (record.type = 'progress' and record.data.message.type = 'assistant')
),

typed as (
    select
        * exclude (record, message, is_wrapped),
        record.sessionId as session_id,
        record.cwd as cwd,
        record.version as client_version,
        record.costUSD as cost_text,
        coalesce(record.isSidechain, false) or is_wrapped as is_sidechain,
        message.id as message_id,
        message.model as model,
        message.stop_reason as stop_reason,
        message.usage as usage,
        list_filter(
            message.content, block -> block.type = 'tool_use' and starts_with(block.name, 'mcp__')
        ) as mcp_tool_uses,
        -- a time without a zone is UTC
        make_timestamp(epoch_us(try_cast(time_text as timestamptz))) as observed_at
    from unwrapped
    -- written by the client itself: never sent to a model, never billed
    where
        message.model is distinct from '<synthetic>'
        and not coalesce(record.isApiErrorMessage, false)
)

select
    *,
    case
        when usage is null then 'the answer has no usage'
        when observed_at is null then 'the timestamp is missing or is not a time'
        when observed_at not between timestamp '2020-01-01' and timestamp '2100-01-01'
            then 'the timestamp is out of range'
        when usage.input_tokens is null or usage.output_tokens is null
            then 'the usage has no input_tokens or no output_tokens'
        when not regexp_full_match(concat_ws(' ', {quantities}), '([0-9]{{1,12}} ?)*')
            then 'a token count is not a whole number'
        when cost_text is not null and try_cast(cost_text as decimal(38, 15)) is null
            then 'costUSD is not an amount'
        when length(concat({texts})) > 1000 or regexp_matches(concat({texts}), '[[:cntrl:]]')
            then 'an id or a name is not plain text'
    end as problem
from typed
"""

MESSAGES = """
insert into claude_code_messages by name
with

projects as (
    select
        cwd,
        {project_fingerprint} as project_fingerprint,
        nullif(regexp_extract(cwd, '([^/\\\\]+)[/\\\\]*$', 1), '') as project_name
    from (select distinct cwd from answers where problem is null and cwd is not null)
)

select
    $load_id as load_id,
    files.file_id,
    answers.line_number,
    answers.record_uuid,
    answers.session_id,
    answers.observed_at,
    answers.is_sidechain,
    projects.project_fingerprint,
    case when $keep_project_name then projects.project_name end as project_name,
    files.user_id,
    files.team_id,
    answers.client_version,
    answers.message_id,
    answers.request_id,
    answers.model,
    answers.stop_reason,
    {quantities},
    answers.usage.service_tier as service_tier,
    answers.usage.speed as speed,
    answers.usage.inference_geo as inference_geo,
    cast(answers.cost_text as decimal(38, 15)) as cost_usd
from answers
inner join files on answers.file_index = files.file_index
left join projects on answers.cwd = projects.cwd
where answers.problem is null
"""

TOOL_USES = """
insert into claude_code_tool_uses by name
with

blocks as (
    select
        *,
        unnest(range(1, len(mcp_tool_uses) + 1)) as block_index,
        mcp_tool_uses[block_index] as block
    from answers
    where problem is null and len(mcp_tool_uses) > 0
)

select
    $load_id as load_id,
    files.file_id,
    blocks.line_number,
    blocks.block_index,
    blocks.record_uuid,
    blocks.message_id,
    blocks.request_id,
    blocks.block.id as tool_use_id,
    left(blocks.block.name, 300) as tool_name,
    {input_fingerprint} as input_fingerprint,
    blocks.observed_at
from blocks
inner join files on blocks.file_index = files.file_index
"""

# Results of every tool: the call may have landed earlier, and the result does not name the tool.
TOOL_RESULTS = """
insert into claude_code_tool_results by name
with

blocks as (
    select
        file_index,
        line_number,
        record.toolDenialKind as denial_kind,
        make_timestamp(epoch_us(try_cast(record.timestamp as timestamptz))) as observed_at,
        record.message.content as content,
        unnest(range(1, len(content) + 1)) as block_index,
        content[block_index] as block
    from parsed
    where record.type = 'user' and len(record.message.content) > 0
)

select
    $load_id as load_id,
    files.file_id,
    blocks.line_number,
    blocks.block_index,
    blocks.block.tool_use_id as tool_use_id,
    coalesce(blocks.block.is_error, false) as is_error,
    left(blocks.denial_kind, 40) as denial_kind,
    blocks.observed_at
from blocks
inner join files on blocks.file_index = files.file_index
where
    blocks.block.type = 'tool_result'
    and length(blocks.block.tool_use_id) between 1 and 300
    and blocks.observed_at between timestamp '2020-01-01' and timestamp '2100-01-01'
"""

# Which lines of the batch cannot be used; the lines themselves are gathered by their place in it.
REFUSED = """
select
    place,
    case when record is null then 'the line is not a JSON object' else 'the record has no type' end
        as reason
from parsed
where record.type is null
union all
select
    place,
    problem as reason
from answers
where problem is not null
"""

BROKEN_LINES = """
insert into quarantine by name
select
    $load_id as load_id,
    'claude_code' as source,
    files.location,
    broken.line_number,
    case when json_valid(broken.line) then broken.reason else 'the line is not valid JSON' end
        as reason,
    {line_fingerprint} as row_fingerprint,
    strlen(rtrim(broken.line, chr(10))) as row_bytes,
    cast(now() as timestamp) as quarantined_at
from broken
inner join files on broken.file_index = files.file_index
where trim(broken.line, ' \t\r\n') != ''
"""

UNDECODABLE_LINES = """
insert into quarantine by name
select
    $load_id as load_id,
    'claude_code' as source,
    files.location,
    undecodable.line_number,
    'the line is not UTF-8' as reason,
    {line_fingerprint} as row_fingerprint,
    octet_length(undecodable.line) - 1 as row_bytes,
    cast(now() as timestamp) as quarantined_at
from undecodable
inner join files on undecodable.file_index = files.file_index
"""

RECORD_TYPES = """
insert into record_type_counts
select
    -- a type is a word; anything else could be content
    case
        when record.type in ({known_types}) then record.type
        when regexp_full_match(record.type, '[a-z][a-z-]{{0,30}}') then record.type
        else 'other'
    end as record_type,
    count(*) as record_count
from parsed
where record.type is not null
group by all
"""


class TranscriptLines:
    """Turns batches of lines into rows of the landing tables, which exist in ``connection``."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        context: LoadContext,
        files: pa.Table,
        keep_project_name: bool,
    ) -> None:
        """Take ``files``: file_index, file_id, location, user_id, team_id."""
        self._connection = connection
        self._counts = context.counts
        self._parameters = {
            "load_id": context.load_id,
            "record": RECORD,
            "keep_project_name": keep_project_name,
            **context.key.sql_parameters(),
        }
        connection.execute("create temp table files as select * from files")
        connection.execute(
            "create temp table record_type_counts (record_type varchar, record_count bigint)"
        )

    def add(self, batch: LineBatch) -> None:
        """Add one batch.

        Raises MindweaveError without DuckDB's own words, which may quote what it read.
        """
        try:
            self._add(batch)
        except duckdb.Error as error:
            raise MindweaveError(
                f"source claude_code: reading transcripts failed ({type(error).__name__}); "
                "nothing of this run was loaded"
            ) from None

    def _add(self, batch: LineBatch) -> None:
        before = self._row_counts()
        lines = batch.lines.append_column("place", pa.array(np.arange(batch.lines.num_rows)))
        # slices let DuckDB's threads share the batch
        slices = pa.Table.from_batches(lines.to_batches(max_chunksize=8192))
        self._connection.register("lines", slices)
        self._connection.register("undecodable", batch.undecodable)
        repaired = rf"regexp_replace(line, '{HALF_CHARACTER}', '\ufffd', 'g')"
        try:
            self._run(PARSE.format(is_json=TRUST, repaired=repaired))
        except duckdb.InvalidInputException:
            self._run(PARSE.format(is_json=VERIFY, repaired=repaired))
        texts = "record_uuid, session_id, request_id, message_id, model, client_version"
        self._run(ANSWERS.format(quantities=", ".join(QUANTITIES.values()), texts=texts))
        self._run(
            MESSAGES.format(
                project_fingerprint=fingerprint_sql("project", "cwd"),
                quantities=", ".join(
                    f"cast(answers.{path} as bigint) as {name}" for name, path in QUANTITIES.items()
                ),
            )
        )
        call = "blocks.block.name || chr(31) || coalesce(blocks.block.input, 'null')"
        self._run(TOOL_USES.format(input_fingerprint=fingerprint_sql("tool_input", call)))
        self._run(TOOL_RESULTS)
        refused = self._connection.execute(REFUSED).to_arrow_table()
        if refused.num_rows:
            broken = lines.take(refused["place"]).append_column("reason", refused["reason"])
            self._connection.register("broken", broken)
            fingerprint = fingerprint_sql("line", "broken.line")
            self._run(BROKEN_LINES.format(line_fingerprint=fingerprint))
        if batch.undecodable.num_rows:
            fingerprint = fingerprint_sql("line", "hex(undecodable.line)")
            self._run(UNDECODABLE_LINES.format(line_fingerprint=fingerprint))
        self._run(
            RECORD_TYPES.format(known_types=", ".join(f"'{name}'" for name in KNOWN_RECORD_TYPES))
        )
        self._count(batch, before)

    def finish(self, files: Sequence[JsonlFile], touched: Sequence[JsonlFile]) -> None:
        """Add what is known once every line is read: bookmarks, record types, unread files."""
        bookmarks = [file.bookmark() for file in touched]
        rows = pa.table(
            {
                "load_id": [self._parameters["load_id"]] * len(touched),
                "file_id": [file.file_id for file in touched],
                **{
                    name: [getattr(bookmark, name) for bookmark in bookmarks]
                    for name in ("size_bytes", "modified_ns", "consumed_bytes", "consumed_lines")
                },
                "prefix_hash": [bookmark.prefix_hash for bookmark in bookmarks],
            }
        )
        self._connection.register("bookmarks", rows)
        self._run("insert into claude_code_files by name select * from bookmarks")
        problems = [
            (index, line, reason)
            for index, file in enumerate(files)
            for line, reason in file.problems
        ]
        for index, line, reason in problems:
            self._connection.execute(
                """
                insert into quarantine by name
                select
                    ? as load_id, 'claude_code' as source, location, ? as line_number,
                    ? as reason, cast(now() as timestamp) as quarantined_at
                from files where file_index = ?
                """,
                [self._parameters["load_id"], line, reason, index],
            )
        self._counts.rows_read += len(problems)
        self._counts.rows_quarantined += len(problems)
        known = ", ".join(f"'{name}'" for name in KNOWN_RECORD_TYPES)
        self._run(
            f"""
            insert into claude_code_record_types by name
            select
                $load_id as load_id,
                record_type,
                record_type in ({known}) as is_known,
                cast(sum(record_count) as bigint) as record_count
            from record_type_counts
            group by all
            """
        )

    def _count(self, batch: LineBatch, before: tuple[int, int, int]) -> None:
        messages, result_lines, quarantined = (
            after - earlier for after, earlier in zip(self._row_counts(), before, strict=True)
        )
        read = batch.lines.num_rows + batch.undecodable.num_rows
        self._counts.rows_read += read
        self._counts.rows_loaded += messages + result_lines
        self._counts.rows_quarantined += quarantined
        self._counts.rows_ignored += read - messages - result_lines - quarantined

    def _row_counts(self) -> tuple[int, int, int]:
        row = self._connection.execute(
            """
            select
                (select count(*) from claude_code_messages),
                (
                    select count(*)
                    from (select distinct file_id, line_number from claude_code_tool_results)
                ),
                (select count(*) from quarantine)
            """
        ).fetchone()
        assert row is not None  # noqa: S101  # an aggregate without a group has one row
        return row[0], row[1], row[2]

    def _run(self, statement: str) -> None:
        names = [name for name in self._parameters if f"${name}" in statement]
        self._connection.execute(statement, {name: self._parameters[name] for name in names})
