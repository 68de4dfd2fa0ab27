"""Content on its way to fingerprints, in DuckDB, whose memory is the only place that holds it.

What a model was asked is the text of the last message of its user: a request repeats all that was
said before. Messages come as a model's vendor, a gateway or an instrument writes them.
"""

from collections.abc import Mapping
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.landing import named_parameters

MACROS = (
    # what a person wrote: neither pictures nor what tools answered
    """
    create macro text_of(content) as
        case json_type(content)
            when 'VARCHAR' then json_extract_string(content, '$')
            when 'ARRAY' then nullif(
                array_to_string(
                    list_transform(
                        list_filter(
                            from_json(
                                content,
                                '[{"type": "VARCHAR", "text": "VARCHAR", "content": "JSON"}]'
                            ),
                            lambda part: coalesce(part.type, 'text') in ('text', 'input_text')
                        ),
                        lambda part: coalesce(
                            part.text,
                            case
                                when json_type(part.content) = 'VARCHAR'
                                    then json_extract_string(part.content, '$')
                            end
                        )
                    ),
                    chr(10)
                ),
                ''
            )
        end
    """,
    """
    create macro last_user_text(messages) as
        list_last(
            list_filter(
                list_transform(
                    from_json(
                        messages, '[{"role": "VARCHAR", "content": "JSON", "parts": "JSON"}]'
                    ),
                    lambda message: case
                        when message.role = 'user'
                            then coalesce(text_of(message.content), text_of(message.parts))
                    end
                ),
                lambda words: words is not null
            )
        )
    """,
    # of one message: null where it is a text and no JSON
    "create macro parts_of(words) as case when json_valid(words) then text_of(words) end",
    """
    create macro without_quotes(words) as
        case
            when json_valid(words) and json_type(words) = 'VARCHAR'
                then json_extract_string(words, '$')
            else words
        end
    """,
    """
    create macro asked_in(words) as
        case
            when not json_valid(words) then words
            when json_type(words) = 'ARRAY' then last_user_text(words)
            when json_type(words) = 'OBJECT'
                then last_user_text(json_extract(words, '$.messages'))
            else words
        end
    """,
    # of messages as JSON, or of a prompt as a text
    "create macro prompt_of(words) as asked_in(without_quotes(words))",
)

# what was asked for, and the name and the input of a tool where they are one text
CONTENTS = """
select
    content_kind,
    content,
    split_part(content, chr(31), 1) as tool_name,
    substr(content, strpos(content, chr(31)) + 1) as tool_input
from ({query})
"""

# contents that are equal once normalised have one fingerprint
CONTENT_FINGERPRINTS_OF_LOAD = """
select distinct on (dedup_hash)
    $load_id as load_id,
    $source as source,
    * exclude (content)
from fingerprints
where dedup_hash is not null
"""


def make_fingerprints(
    connection: duckdb.DuckDBPyConnection,
    fingerprinter: Fingerprinter,
    query: str,
    parameters: Mapping[str, Any],
) -> None:
    """Make the table ``fingerprints`` of contents.

    ``query`` yields distinct contents: content_kind, and content, which is a prompt's text, or of a
    ``tool_input`` the tool's name, chr(31) and the input. The table has both, and the columns of
    `FINGERPRINT_SCHEMA`; `CONTENT_FINGERPRINTS_OF_LOAD` is what lands of it.
    """
    statement = CONTENTS.format(query=query)
    contents = connection.execute(
        statement, named_parameters(statement, parameters)
    ).to_arrow_table()
    is_tool = pc.equal(contents["content_kind"], "tool_input")
    prompts, tools = contents.filter(pc.invert(is_tool)), contents.filter(is_tool)
    fingerprints = pa.concat_tables(
        [
            fingerprinter.prompts(prompts["content"]),
            fingerprinter.tool_inputs(tools["tool_name"], tools["tool_input"]),
        ]
    )
    for name in ("content", "content_kind"):
        column = pa.chunked_array([*prompts[name].chunks, *tools[name].chunks], pa.string())
        fingerprints = fingerprints.add_column(0, name, column)
    connection.register("made", fingerprints)
    connection.execute("create or replace table fingerprints as select * from made")
    connection.unregister("made")
