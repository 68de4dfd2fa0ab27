"""Transcript lines to typed rows, in DuckDB: content is seen here for the last time."""

from collections.abc import Iterator, Sequence

import pyarrow as pa

from dlt_pipelines.jsonl_files import LINES_SCHEMA, JsonlFile, LineBatch
from dlt_pipelines.landing import QUARANTINE
from dlt_pipelines.line_source import Landing, LineReader, set_aside_sql
from dlt_pipelines.plugin import LoadContext, RowCounts
from dlt_pipelines.privacy import fingerprint_sql
from dlt_pipelines.sources.claude_code import tables

LINES_PER_FILE = 150_000

# Counts are JSON and not text, so that a text like "5 7" keeps its quotes and is no number.
TOKENS = """
    "input_tokens": "JSON", "output_tokens": "JSON",
    "cache_creation_input_tokens": "JSON", "cache_read_input_tokens": "JSON",
    "cache_creation": {
        "ephemeral_5m_input_tokens": "JSON", "ephemeral_1h_input_tokens": "JSON"
    }
"""

MESSAGE = f"""{{
    "id": "VARCHAR", "model": "VARCHAR",
    "content": [{{
        "type": "VARCHAR", "id": "VARCHAR", "name": "VARCHAR", "input": "JSON",
        "tool_use_id": "VARCHAR", "is_error": "BOOLEAN"
    }}],
    "usage": {{
        {TOKENS},
        "iterations": [{{"type": "VARCHAR", "model": "VARCHAR", {TOKENS}}}],
        "server_tool_use": {{"web_search_requests": "JSON"}},
        "service_tier": "VARCHAR", "speed": "VARCHAR", "inference_geo": "VARCHAR"
    }}
}}"""

RECORD = f"""{{
    "type": "VARCHAR", "uuid": "VARCHAR", "requestId": "VARCHAR", "timestamp": "VARCHAR",
    "sessionId": "VARCHAR", "isSidechain": "BOOLEAN", "cwd": "VARCHAR",
    "costUSD": "VARCHAR", "isApiErrorMessage": "BOOLEAN", "toolDenialKind": "VARCHAR",
    "message": {MESSAGE}
}}"""

# older versions wrap a sub-agent's record into the data of a progress record
WRAPPER = f"""{{
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

TOKEN_COUNTS = {
    "input_tokens": "input_tokens",
    "cache_creation_input_tokens": "cache_creation_input_tokens",
    "ephemeral_5m_input_tokens": "cache_creation.ephemeral_5m_input_tokens",
    "ephemeral_1h_input_tokens": "cache_creation.ephemeral_1h_input_tokens",
    "cache_read_input_tokens": "cache_read_input_tokens",
    "output_tokens": "output_tokens",
}
QUANTITIES = TOKEN_COUNTS | {"web_search_requests": "server_tool_use.web_search_requests"}

KNOWN_TYPES_SQL = ", ".join(f"'{name}'" for name in KNOWN_RECORD_TYPES)

# Text cut in the middle of an emoji leaves half a surrogate pair, which JSON parsers refuse. The
# half character is content, which does not land, so the line can be read without it. Other escapes
# are matched to be kept: the second backslash of an escaped one starts nothing.
HALF_CHARACTER = r"(\\[^u])|\\u[dD][89a-fA-F][0-9a-fA-F]{2}"
REPAIRED = rf"regexp_replace(line, '{HALF_CHARACTER}', '\1', 'g')"

# Every line: an answer with its usage, results of tools, or just a type. `problem` says why a line
# cannot be used, and only such a line is kept, for its fingerprint.
RECORDS = """
create table records as
with

readable as (
    select
        file_index,
        line_number,
        line,
        case
            when json_valid(line) then line
            when line like '%\\ud%' or line like '%\\uD%'
                then case when json_valid({repaired}) then {repaired} end
        end as json_line
    from lines
),

parsed as (
    select
        *,
        from_json(json_line, $record) as record
    from readable
),

opened as (
    select
        *,
        case when record.type = 'progress' then from_json(json_line, $wrapper) end as wrapper
    from parsed
),

unwrapped as (
    select
        *,
        coalesce(wrapper.data.message.type = 'assistant', false) as is_wrapped,
        case when is_wrapped then wrapper.data.message.message else record.message end as message,
        case when is_wrapped then wrapper.data.message.timestamp else record.timestamp end
            as time_text
    from opened
),

typed as (
    select
        file_index,
        line_number,
        line,
        json_line,
        -- what the client wrote itself was never sent to a model, so never billed
        (is_wrapped or coalesce(record.type = 'assistant', false))
        and message.model is distinct from '<synthetic>'
        and not coalesce(record.isApiErrorMessage, false) as is_answer,
        record is null as is_no_object,
        record.type as record_type,
        record.sessionId as session_id,
        record.cwd as cwd,
        record.costUSD as cost_text,
        record.toolDenialKind as denial_kind,
        coalesce(record.isSidechain, false) or is_wrapped as is_sidechain,
        case when is_wrapped then wrapper.data.message.uuid else record.uuid end as record_uuid,
        -- an empty id is none: everything without one would be one call
        nullif(
            case when is_wrapped then wrapper.data.message.requestId else record.requestId end, ''
        ) as request_id,
        nullif(message.id, '') as message_id,
        case when is_answer then message.usage end as usage,
        -- asked first, as it is false of most lines, and what is not evaluated costs nothing
        is_answer and len(message.usage.iterations) > 0 as has_iterations,
        case
            when has_iterations then list_filter(
                message.usage.iterations, entry -> entry.type = 'fallback_message'
            )
        end as fallbacks,
        -- where one model declined midway, the answer may still name it and not who answered
        case
            when has_iterations then coalesce(fallbacks[-1].model, message.model)
            else message.model
        end as model,
        -- What the usage leaves out. Of the attempts at the answer it leaves out those that were
        -- declined before another model answered; these are free unless they wrote something.
        case
            when has_iterations then list_filter(
                message.usage.iterations,
                entry -> case
                    when entry.type = 'message'
                        then len(fallbacks) > 0
                        and cast(entry.output_tokens as varchar) is distinct from '0'
                    else entry.type is distinct from 'fallback_message'
                end
            )
        end as passes,
        -- a time without a zone is UTC
        make_timestamp(epoch_us(try_cast(time_text as timestamptz))) as observed_at,
        coalesce(observed_at between timestamp '2020-01-01' and timestamp '2100-01-01', false)
            as has_time,
        case
            when is_answer then list_filter(
                message.content,
                block -> block.type = 'tool_use' and starts_with(block.name, 'mcp__')
            )
        end as mcp_tool_uses,
        case
            when record.type = 'user' and has_time then list_filter(
                message.content,
                block -> block.type = 'tool_result' and length(block.tool_use_id) between 1 and 300
            )
        end as tool_results
    from unwrapped
),

judged as (
    select
        *,
        case
            when is_no_object and trim(line, ' \t\r\n') = '' then null
            when json_line is null then 'the line is not valid JSON'
            when is_no_object then 'the line is not a JSON object'
            when record_type is null then 'the record has no type'
            when not is_answer then null
            when usage is null then 'the answer has no usage'
            when observed_at is null then 'the timestamp is missing or is not a time'
            when not has_time then 'the timestamp is out of range'
            when usage.input_tokens is null or usage.output_tokens is null
                then 'the usage has no input_tokens or no output_tokens'
            when not regexp_full_match(
                concat_ws(' ', {quantities}), '[0-9]{{1,12}}( [0-9]{{1,12}})*'
            )
                then 'a token count is not a whole number'
            when cost_text is not null and try_cast(cost_text as decimal(38, 15)) is null
                then 'costUSD is not an amount'
            when length(concat({texts})) > 1000 or regexp_matches(concat({texts}), '[[:cntrl:]]')
                then 'an id or a name is not plain text'
            when len(passes) > 0 then case
                when len(
                    list_filter(
                        passes,
                        pass -> pass.type is null
                        or pass.input_tokens is null
                        or pass.output_tokens is null
                    )
                ) > 0
                    then 'a pass has no type, no input_tokens or no output_tokens'
                when len(
                    list_filter(
                        passes,
                        pass -> not regexp_full_match(
                            concat_ws(' ', {pass_tokens}), '[0-9]{{1,12}}( [0-9]{{1,12}})*'
                        )
                    )
                ) > 0
                    then 'a token count of a pass is not a whole number'
                when len(
                    list_filter(
                        passes,
                        pass -> length(pass.model) > 1000
                        or regexp_matches(pass.model, '[[:cntrl:]]')
                    )
                ) > 0
                    then 'an id or a name is not plain text'
            end
        end as problem
    from typed
)

select
    * exclude (line, json_line, is_no_object, has_time, is_answer, has_iterations, fallbacks),
    case when problem is not null then line end as refused_line,
    is_answer and problem is null as is_answer,
    problem is null and (is_answer or len(tool_results) > 0) as is_loaded
from judged
""".format(
    repaired=REPAIRED,
    quantities=", ".join(f"usage.{path}" for path in QUANTITIES.values()),
    pass_tokens=", ".join(f"pass.{path}" for path in TOKEN_COUNTS.values()),
    texts="record_uuid, session_id, request_id, message_id, model",
)

# a type is a word; anything else could be content
RECORD_TYPES = f"""
insert into record_type_counts
select
    case
        when record_type in ({KNOWN_TYPES_SQL}) then record_type
        when regexp_full_match(record_type, '[a-z][a-z-]{{0,30}}') then record_type
        else 'other'
    end as record_type,
    count(*) as record_count
from records
where record_type is not null
group by all
"""

BROKEN_LINES = set_aside_sql("records", "records.problem", "records.refused_line")

QUANTITY_COLUMNS = ",\n    ".join(
    f"cast(cast(records.usage.{path} as varchar) as bigint) as {name}"
    for name, path in QUANTITIES.items()
)
PASS_COLUMNS = ",\n    ".join(
    f"cast(cast(numbered.pass.{path} as varchar) as bigint) as {name}"
    for name, path in TOKEN_COUNTS.items()
)
TOOL_CALL = "blocks.block.name || chr(31) || coalesce(blocks.block.input, 'null')"

MESSAGES = f"""
with

projects as (
    select
        cwd,
        left({fingerprint_sql("project", "cwd")}, 32) as project_fingerprint,
        nullif(regexp_extract(cwd, '([^/\\\\]+)[/\\\\]*$', 1), '') as project_name
    from (select distinct cwd from records where cwd is not null)
)

select
    $load_id as load_id,
    files.file_id,
    records.line_number,
    -- needed as identity only where the vendor gave none
    case when coalesce(records.message_id, records.request_id) is null then records.record_uuid end
        as record_uuid,
    records.session_id,
    records.observed_at,
    records.is_sidechain,
    projects.project_fingerprint,
    case when $keep_project_name then left(projects.project_name, 300) end as project_name,
    files.user_id,
    files.team_id,
    records.message_id,
    records.request_id,
    records.model,
    {QUANTITY_COLUMNS},
    left(records.usage.service_tier, 40) as service_tier,
    left(records.usage.speed, 40) as speed,
    left(records.usage.inference_geo, 40) as inference_geo,
    cast(records.cost_text as decimal(38, 15)) as cost_usd
from records
inner join files on records.file_index = files.file_index
left join projects on records.cwd = projects.cwd
where records.is_answer
"""

PASSES = f"""
with

numbered as (
    select
        *,
        unnest(range(1, len(passes) + 1)) as pass_index,
        passes[pass_index] as pass
    from records
    where is_answer and len(passes) > 0
)

select
    $load_id as load_id,
    files.file_id,
    numbered.line_number,
    numbered.pass_index,
    numbered.record_uuid,
    numbered.message_id,
    numbered.request_id,
    numbered.is_sidechain,
    -- a type is a word; anything else could be content
    case
        when regexp_full_match(numbered.pass.type, '[a-z][a-z0-9_]{{0,39}}')
            then numbered.pass.type
        else 'other'
    end as pass_type,
    numbered.pass.model as model,
    {PASS_COLUMNS},
    numbered.observed_at
from numbered
inner join files on numbered.file_index = files.file_index
"""

TOOL_USES = f"""
with

blocks as (
    select
        *,
        unnest(range(1, len(mcp_tool_uses) + 1)) as block_index,
        mcp_tool_uses[block_index] as block
    from records
    where len(mcp_tool_uses) > 0
)

select
    $load_id as load_id,
    files.file_id,
    blocks.line_number,
    blocks.block_index,
    blocks.record_uuid,
    blocks.message_id,
    blocks.request_id,
    left(blocks.block.id, 300) as tool_use_id,
    left(blocks.block.name, 300) as tool_name,
    {fingerprint_sql("tool_input", TOOL_CALL)} as input_fingerprint,
    blocks.observed_at
from blocks
inner join files on blocks.file_index = files.file_index
"""

# Results of every tool: the call may have landed earlier, and the result does not name the tool.
TOOL_RESULTS = """
with

blocks as (
    select
        *,
        unnest(range(1, len(tool_results) + 1)) as block_index,
        tool_results[block_index] as block
    from records
    where is_loaded and len(tool_results) > 0
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
"""

LANDED = {
    tables.MESSAGES.name: MESSAGES,
    tables.PASSES.name: PASSES,
    tables.TOOL_USES.name: TOOL_USES,
    tables.TOOL_RESULTS.name: TOOL_RESULTS,
    QUARANTINE.name: "select * from quarantine",
}

RECORD_TYPE_TOTALS = f"""
select
    $load_id as load_id,
    record_type,
    record_type in ({KNOWN_TYPES_SQL}) as is_known,
    cast(sum(record_count) as bigint) as record_count
from record_type_counts
group by all
"""

LINES_PER_SLICE = 8192


class TranscriptLines(LineReader):
    """Turns lines into files of the raw tables, part by part."""

    def __init__(self, context: LoadContext, files: pa.Table, keep_project_name: bool) -> None:
        """Take ``files``: file_index, file_id, location, user_id, team_id."""
        parameters = {
            "record": RECORD,
            "wrapper": WRAPPER,
            "keep_project_name": keep_project_name,
        }
        self.landing = Landing(context, "claude_code", tables.ALL, files, parameters)
        self.landing.run(
            "create table record_type_counts (record_type varchar, record_count bigint)"
        )

    def part(self, first: LineBatch, more: Iterator[LineBatch]) -> Iterator[LineBatch]:
        """Yield batches until there are enough lines for a file."""
        yield first
        lines = first.lines.num_rows
        while lines < LINES_PER_FILE and (batch := next(more, None)):
            yield batch
            lines += batch.lines.num_rows

    def add(self, batches: Iterator[LineBatch]) -> RowCounts:
        """Write one part, which must fit in memory once it is typed; return what it held.

        Raises MindweaveError without DuckDB's own words, which may quote what it read.
        """
        undecodable: list[pa.Table] = []
        counts = RowCounts()
        landing = self.landing

        def slices() -> Iterator[pa.RecordBatch]:
            for batch in batches:
                counts.bytes_read += batch.bytes_read
                undecodable.append(batch.undecodable)
                # small enough for DuckDB's threads to share a batch
                yield from batch.lines.to_batches(max_chunksize=LINES_PER_SLICE)

        with landing.unquoted("transcripts"):
            lines = pa.RecordBatchReader.from_batches(LINES_SCHEMA, slices())
            landing.connection.register("lines", lines)
            landing.run(RECORDS)
            counts.rows_quarantined += landing.run(BROKEN_LINES)
            undecodable_lines = landing.quarantine_undecodable(undecodable)
            counts.rows_quarantined += undecodable_lines
            counts.rows_read = landing.run("select count(*) from records") + undecodable_lines
            counts.rows_loaded = landing.run("select count(*) from records where is_loaded")
            landing.run(RECORD_TYPES)
            for name, query in LANDED.items():
                landing.write(name, query)
            landing.run("drop table records")
            landing.run("truncate quarantine")
        counts.rows_ignored = counts.rows_read - counts.rows_loaded - counts.rows_quarantined
        return counts

    def finish(self, files: Sequence[JsonlFile]) -> RowCounts:
        """Write the rest, and what is known once every line is read: bookmarks, record types."""
        self.landing.write(tables.RECORD_TYPES.name, RECORD_TYPE_TOTALS)
        return self.landing.finish(files)
