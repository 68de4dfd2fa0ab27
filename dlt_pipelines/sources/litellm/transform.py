"""Spend-log records to typed rows, in DuckDB, whichever way they came."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from dlt_pipelines.content import CONTENT_FINGERPRINTS_OF_LOAD, MACROS, make_fingerprints
from dlt_pipelines.duckdb_warehouse import explain_duckdb
from dlt_pipelines.errors import MindweaveError
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.landing import CONTENT_FINGERPRINTS, QUARANTINE, run_statement
from dlt_pipelines.observed_rows import ObservedRows
from dlt_pipelines.plugin import LoadContext
from dlt_pipelines.privacy import fingerprint_sql
from dlt_pipelines.sources.litellm import tables

# What both ways hand over, each as text: a JSON value as it is written, a missing one as null.
RECORD_FIELDS = (
    "request_id",
    "litellm_call_id",
    "call_type",
    "api_key",
    "spend",
    "prompt_tokens",
    "completion_tokens",
    "start_time",
    "end_time",
    "first_token_time",
    "request_duration_ms",
    "model",
    "model_group",
    "custom_llm_provider",
    "user_name",
    "user_email",
    "end_user",
    "team_id",
    "org_id",
    "project",
    "session_id",
    "agent_id",
    "status",
    "error_code",
    "error_class",
    "cache_hit",
    "namespaced_tool_name",
    "usage",
    "additional_usage",
    "cost_breakdown",
    "tool_call",
    "batch_models",
    "attempted_retries",
    "attempted_fallbacks",
    "used_client_oauth_token",
    "messages",
    "written_time",
)
RECORDS_SCHEMA = pa.schema([(name, pa.string()) for name in RECORD_FIELDS])

# Counts are JSON and not text, so that a text like "5 7" keeps its quotes and is no number.
CACHE_SPLIT = '{"ephemeral_5m_input_tokens": "JSON", "ephemeral_1h_input_tokens": "JSON"}'
USAGE = f"""{{
    "prompt_tokens": "JSON", "completion_tokens": "JSON",
    "input_tokens": "JSON", "output_tokens": "JSON",
    "cache_read_input_tokens": "JSON", "cache_creation_input_tokens": "JSON",
    "cache_creation": {CACHE_SPLIT},
    "prompt_tokens_details": {{
        "cached_tokens": "JSON", "cache_creation_tokens": "JSON",
        "cache_creation_token_details": {CACHE_SPLIT}
    }},
    "input_tokens_details": {{"cached_tokens": "JSON"}},
    "server_tool_use": {{"web_search_requests": "JSON"}},
    "service_tier": "VARCHAR", "speed": "VARCHAR", "inference_geo": "VARCHAR"
}}"""
ADDITIONAL_USAGE = '{"cache_read_input_tokens": "JSON", "cache_creation_input_tokens": "JSON"}'
COST_BREAKDOWN = """{
    "original_cost": "VARCHAR", "total_cost": "VARCHAR", "discount_amount": "VARCHAR",
    "margin_total_amount": "VARCHAR", "service_tier": "VARCHAR", "data_residency": "VARCHAR",
    "vertex_location": "VARCHAR"
}"""
TOOL_CALL = """{
    "name": "VARCHAR", "arguments": "JSON", "mcp_server_name": "VARCHAR",
    "namespaced_tool_name": "VARCHAR"
}"""

COUNTS = {
    "prompt_tokens": "prompt_tokens",
    "completion_tokens": "completion_tokens",
    "usage_prompt_tokens": "told.prompt_tokens",
    "usage_completion_tokens": "told.completion_tokens",
    "usage_input_tokens": "told.input_tokens",
    "usage_output_tokens": "told.output_tokens",
    "cache_read_input_tokens": "coalesce(told.cache_read_input_tokens, "
    "more.cache_read_input_tokens)",
    "cached_tokens": "coalesce(told.prompt_tokens_details.cached_tokens, "
    "told.input_tokens_details.cached_tokens)",
    "cache_creation_input_tokens": "coalesce(told.cache_creation_input_tokens, "
    "told.prompt_tokens_details.cache_creation_tokens, more.cache_creation_input_tokens)",
    "ephemeral_5m_input_tokens": "coalesce("
    "told.prompt_tokens_details.cache_creation_token_details.ephemeral_5m_input_tokens, "
    "told.cache_creation.ephemeral_5m_input_tokens)",
    "ephemeral_1h_input_tokens": "coalesce("
    "told.prompt_tokens_details.cache_creation_token_details.ephemeral_1h_input_tokens, "
    "told.cache_creation.ephemeral_1h_input_tokens)",
    "web_search_requests": "told.server_tool_use.web_search_requests",
    "request_duration_ms": "request_duration_ms",
    "attempted_retries": "attempted_retries",
    "attempted_fallbacks": "attempted_fallbacks",
}
AMOUNTS = {
    "spend_usd": "spend",
    "original_cost_usd": "costs.original_cost",
    "total_cost_usd": "costs.total_cost",
    "discount_amount_usd": "costs.discount_amount",
    "margin_amount_usd": "costs.margin_total_amount",
}
TEXTS = (
    "request_id",
    "litellm_call_id",
    "call_type",
    "api_key",
    "model",
    "model_group",
    "custom_llm_provider",
    "team_id",
    "org_id",
    "project",
    "session_id",
    "agent_id",
    "status",
    "error_code",
    "error_class",
    "tool.name",
    "server_and_tool",
)


def _time(column: str) -> str:
    # a time without a zone is UTC
    return f"make_timestamp(epoch_us(try_cast({column} as timestamptz)))"


# A provider's own id of the answer, without what the gateway appends to keep its rows apart.
OWN_IDS = (
    "^(msg_(?:bdrk_|vrtx_)?[A-Za-z0-9]+|(?:chatcmpl|cmpl)-[A-Za-z0-9-]+)(?:_.*)?$",
    "^((?:resp|gen|embd)[-_].+?)(?:_cache_hit[0-9.]+)?$",
)
MESSAGE_ID = "coalesce({}, {})".format(
    *(f"nullif(regexp_extract(request_id, '{pattern}', 1), '')" for pattern in OWN_IDS)
)

RECORDS = f"""
create table records as
with

opened as (
    select
        *,
        from_json(usage, $usage) as told,
        from_json(additional_usage, $additional_usage) as more,
        from_json(cost_breakdown, $cost_breakdown) as costs,
        from_json(tool_call, $tool_call) as tool
    from arriving
),

counted as (
    select
        *,
        case
            when call_type = 'call_mcp_tool' then 'tool'
            -- listing tools, reading prompts: no tool ran and no model was asked
            when contains(call_type, 'mcp') then 'other'
            else 'model'
        end as kind,
        coalesce(tool.namespaced_tool_name, namespaced_tool_name) as server_and_tool,
        {_time("start_time")} as started_at,
        coalesce(started_at between timestamp '2020-01-01' and timestamp '2100-01-01', false)
            as has_time,
        {
    ", ".join(
        f"nullif(cast({path} as varchar), 'null') as n_{name}" for name, path in COUNTS.items()
    )
}
    from opened
),

judged as (
    select
        *,
        case
            when coalesce(request_id, '') = '' then 'the record has no request_id'
            when coalesce(call_type, '') = '' then 'the record has no call_type'
            when started_at is null then 'startTime is missing or is not a time'
            when not has_time then 'startTime is out of range'
            when kind = 'model' and (n_prompt_tokens is null or n_completion_tokens is null)
                then 'the record has no prompt_tokens or no completion_tokens'
            when not regexp_full_match(
                concat_ws(' ', {", ".join(f"n_{name}" for name in COUNTS)}),
                '([0-9]{{1,12}}( [0-9]{{1,12}})*)?'
            )
                then 'a count is not a whole number'
            when {
    " or ".join(
        f"({path} is not null and try_cast({path} as decimal(38, 15)) is null)"
        for path in AMOUNTS.values()
    )
}
                then 'an amount of money is not a number'
            when length(concat({", ".join(TEXTS)})) > 4000
                or regexp_matches(concat({", ".join(TEXTS)}), '[[:cntrl:]]')
                then 'an id or a name is not plain text'
        end as problem
    from counted
)

-- of what was read, the texts are kept where the row is refused, for its fingerprint
select
    * replace (
        case when problem is not null then messages end as messages,
        case when problem is not null then usage end as usage,
        case when problem is not null then additional_usage end as additional_usage,
        case when problem is not null then cost_breakdown end as cost_breakdown,
        case when problem is not null then tool_call end as tool_call
    ),
    case when problem is null and kind = 'model' then prompt_of(judged.messages) end as prompt
from judged
"""

PEOPLE = f"""
create table people as
select
    name,
    'person_' || left({fingerprint_sql("person", "name")}, 16) as person_id
from (
    select {{person}} as name from records
    union
    select {{end_user}} as name from records
) as names
where name is not null
"""
# an e-mail is one person however it is written
PERSON = """coalesce(
    lower(nullif(user_email, '')),
    case when contains(user_name, '@') then lower(user_name) else nullif(user_name, '') end
)"""
END_USER = "case when contains(end_user, '@') then lower(end_user) else nullif(end_user, '') end"

IDENTITIES = """
    records.request_id,
    records.litellm_call_id,
    left(records.status, 40) as status,
    left(records.error_code, 40) as error_code,
    left(records.error_class, 100) as error_class,
    -- a key that an old version did not hash is hashed as the gateway does
    case when starts_with(records.api_key, 'sk-') then sha256(records.api_key)
        else records.api_key end as api_key_id,
    people.person_id as user_id,
    end_users.person_id as end_user_id,
    records.team_id,
    records.org_id,
    records.project,
    records.session_id"""
FROM_RECORDS = f"""
from records
left join people on {PERSON} = people.name
left join people as end_users on {END_USER} = end_users.name
left join fingerprints
    on fingerprints.content_kind = {{kind}} and fingerprints.content = {{content}}
where records.problem is null"""


def _amount(name: str) -> str:
    return f"cast({AMOUNTS[name]} as decimal(38, 15)) as {name}"


def _count(name: str) -> str:
    return f"cast(n_{name} as bigint) as {name}"


SPEND_LOGS = f"""
select
    {IDENTITIES},
    {MESSAGE_ID} as message_id,
    call_type,
    agent_id,
    fingerprints.dedup_hash,
    model,
    model_group,
    custom_llm_provider,
    left(coalesce(told.service_tier, costs.service_tier), 40) as service_tier,
    left(told.speed, 40) as speed,
    left(coalesce(told.inference_geo, costs.data_residency), 40) as inference_geo,
    left(costs.vertex_location, 40) as region,
    coalesce(lower(cache_hit) = 'true', false) as is_cache_hit,
    coalesce(batch_models not in ('null', '[]'), false) or contains(call_type, 'batch') as is_batch,
    coalesce(used_client_oauth_token = 'true', false) as used_client_oauth_token,
    {", ".join(_count(name) for name in COUNTS)},
    {", ".join(_amount(name) for name in AMOUNTS)},
    started_at,
    {_time("end_time")} as ended_at,
    {_time("first_token_time")} as first_token_at,
    {_time("written_time")} as written_at,
    $unknown_fields as unknown_fields
{FROM_RECORDS.format(kind="'prompt'", content="records.prompt")}
    and records.kind = 'model'
"""

MCP_NAME = """coalesce(
    nullif(tool.mcp_server_name, ''),
    case when contains(server_and_tool, '/') then nullif(split_part(server_and_tool, '/', 1), '')
    end,
    'unknown'
)"""
TOOL_NAME = """coalesce(
    nullif(tool.name, ''),
    case
        when contains(server_and_tool, '/')
            then substr(server_and_tool, position('/' in server_and_tool) + 1)
        else server_and_tool
    end
)"""
# as a transcript has it, where a tool is called mcp__<server>__<tool>
TOOL_INPUT = (
    f"'mcp__' || {MCP_NAME} || '__' || coalesce({TOOL_NAME}, '') || chr(31) "
    "|| coalesce(cast(tool.arguments as varchar), 'null')"
)
CONTENTS = f"""
select distinct 'prompt' as content_kind, prompt as content
from records
where prompt is not null
union all
select distinct 'tool_input' as content_kind, {TOOL_INPUT} as content
from records
where problem is null and kind = 'tool'
"""
TOOL_CALLS = f"""
select
    {IDENTITIES},
    {MCP_NAME} as mcp_name,
    {TOOL_NAME} as tool_name,
    fingerprints.dedup_hash as input_fingerprint,
    {_amount("spend_usd")},
    {_count("request_duration_ms")},
    started_at,
    {_time("end_time")} as ended_at,
    {_time("written_time")} as written_at,
    $unknown_fields as unknown_fields
{FROM_RECORDS.format(kind="'tool_input'", content=TOOL_INPUT)}
    and records.kind = 'tool'
"""

# when a record was written, and what else we cannot read of it, does not change what it says
NOT_HASHED = ("load_id", "written_at", "unknown_fields", "content_hash")


def _news(columns: Iterable[str], query: str) -> str:
    """Return the rows of ``query`` that are not known with the same content."""
    hashed = ", ".join(name for name in columns if name not in NOT_HASHED)
    return f"""
    select $load_id as load_id, hashed.*
    from (
        select *, printf('%016x', hash({hashed})) as content_hash
        from ({query})
    ) as hashed
    anti join known
        on hashed.request_id = known.request_id and hashed.content_hash = known.content_hash
    """


NEWS = {
    tables.SPEND_LOGS.name: _news(tables.SPEND_LOGS.columns, SPEND_LOGS),
    tables.TOOL_CALLS.name: _news(tables.TOOL_CALLS.columns, TOOL_CALLS),
}
NEW_FINGERPRINTS = f"""
select *
from ({CONTENT_FINGERPRINTS_OF_LOAD}) as made
where made.dedup_hash in (
    select dedup_hash from ({NEWS[tables.SPEND_LOGS.name]})
    union all
    select input_fingerprint from ({NEWS[tables.TOOL_CALLS.name]})
)
"""

REFUSED = f"""
insert into quarantine by name
with

refused as (
    select
        problem as reason,
        {fingerprint_sql("record", "to_json(records)")} as row_fingerprint,
        strlen(to_json(records)) as row_bytes
    from records
    where problem is not null
)

select
    $load_id as load_id,
    'litellm' as source,
    $location as location,
    refused.reason,
    refused.row_fingerprint,
    refused.row_bytes,
    cast(now() as timestamp) as quarantined_at
from refused
anti join refused_before
    on refused.reason = refused_before.reason
    and refused.row_fingerprint = refused_before.row_fingerprint
"""

# a type is a word; anything else could be content
CALL_TYPES = """
insert into call_types
select
    case when regexp_full_match(call_type, '[A-Za-z0-9_/.:-]{1,60}') then call_type else 'other' end
        as call_type,
    kind != 'other' as is_read,
    count(*) as record_count
from records
where problem is null
group by all
"""
CALL_TYPE_TOTALS = """
select
    $load_id as load_id,
    call_type,
    is_read,
    cast(sum(record_count) as bigint) as record_count
from call_types
group by all
"""


class SpendLogRecords:
    """Turns records into files of the raw tables, part by part."""

    def __init__(
        self,
        context: LoadContext,
        observed: ObservedRows,
        location: str,
        unknown_fields: str | None,
        known: pa.Table | None,
        refused_before: pa.Table | None,
    ) -> None:
        """Take what landed: request_id and content_hash, and what was refused for which reason."""
        self.unknown_fields = unknown_fields
        self._context = context
        self._parameters: dict[str, Any] = {
            "load_id": context.load_id,
            "source": "litellm",
            "location": location,
            "usage": USAGE,
            "additional_usage": ADDITIONAL_USAGE,
            "cost_breakdown": COST_BREAKDOWN,
            "tool_call": TOOL_CALL,
            **context.key.sql_parameters(),
        }
        self._landing = {
            table.name: observed.landing(table)
            for table in (
                *(tables.SPEND_LOGS, tables.TOOL_CALLS, tables.CALL_TYPES),
                *(CONTENT_FINGERPRINTS, QUARANTINE),
            )
        }
        self._fingerprinter = Fingerprinter(context.key, context.fingerprints)
        self._connection = duckdb.connect(config={"autoinstall_known_extensions": False})
        # content must not spill to the disk, and a time without a zone is UTC
        self._connection.execute("set temp_directory = ''; set timezone = 'UTC'")
        self._connection.execute("set preserve_insertion_order = false")
        for macro in MACROS:
            self._connection.execute(macro)
        self._connection.execute(QUARANTINE.create_sql())
        self._connection.execute(
            "create table call_types (call_type varchar, is_read boolean, record_count bigint)"
        )
        self._copy("known", known, ("request_id", "content_hash"))
        self._copy("refused_before", refused_before, ("reason", "row_fingerprint"))

    @property
    def rows_loaded(self) -> int:
        """How many rows wait to be handed over."""
        return sum(
            self._landing[table.name].row_count for table in (tables.SPEND_LOGS, tables.TOOL_CALLS)
        )

    def add(self, records: Iterator[pa.RecordBatch]) -> None:
        """Write one part, which must fit in memory once it is typed.

        Raises MindweaveError without DuckDB's own words, which may quote what it read.
        """
        counts = self._context.counts
        self._parameters["unknown_fields"] = self.unknown_fields
        with _unquoted():
            reader = pa.RecordBatchReader.from_batches(RECORDS_SCHEMA, records)
            self._connection.register("arriving", reader)
            rows_read = self._run(RECORDS)
            self._run(PEOPLE.format(person=PERSON, end_user=END_USER))
            make_fingerprints(self._connection, self._fingerprinter, CONTENTS, self._parameters)
            loaded_before = self.rows_loaded
            for table, query in NEWS.items():
                self._landing[table].write(self._connection, query, self._parameters)
            if self._run("select count(*) from fingerprints"):
                self._landing[CONTENT_FINGERPRINTS.name].write(
                    self._connection, NEW_FINGERPRINTS, self._parameters
                )
            quarantined = self._run(REFUSED)
            self._landing[QUARANTINE.name].write(
                self._connection, "select * from quarantine", self._parameters
            )
            self._run(CALL_TYPES)
            self._run("truncate quarantine")
            self._run("drop table records")
            self._run("drop table people")
        loaded = self.rows_loaded - loaded_before
        counts.rows_read += rows_read
        counts.rows_loaded += loaded
        counts.rows_quarantined += quarantined
        counts.rows_ignored += rows_read - loaded - quarantined

    def finish(self) -> None:
        """Write how many records of which type there were, where any landed."""
        if self.rows_loaded or self._landing[QUARANTINE.name].row_count:
            self._landing[tables.CALL_TYPES.name].write(
                self._connection, CALL_TYPE_TOTALS, self._parameters
            )
        self._connection.close()

    def _copy(self, name: str, rows: pa.Table | None, columns: Sequence[str]) -> None:
        described = ", ".join(f"{column} varchar" for column in columns)
        self._connection.execute(f"create table {name} ({described})")
        if rows is not None and rows.num_rows:
            self._connection.register("landed", rows)
            self._connection.execute(f"insert into {name} select {', '.join(columns)} from landed")
            self._connection.unregister("landed")

    def _run(self, statement: str) -> int:
        return run_statement(self._connection, statement, self._parameters)


@contextmanager
def _unquoted() -> Iterator[None]:
    try:
        yield
    except duckdb.IOException as error:
        raise explain_duckdb(error, Path("the landing folder")) from None
    except duckdb.Error as error:
        raise MindweaveError(
            f"source litellm: reading spend logs failed ({type(error).__name__}); "
            "nothing of this part was loaded"
        ) from None
