"""Model and tool calls of anything that follows OpenTelemetry's GenAI and MCP conventions.

traces  ->  otel_genai_model_spans   one row a span of a model's call
            otel_genai_tool_spans    one row a span of a tool's call: client, server, execution
            otel_genai_mcp_requests  one row a span of another request of MCP
            otel_genai_record_types  how many records of which type
            otel_genai_files         how far each file was read

No prompt, answer, tool argument, result or e-mail address leaves this package: see README.md.
"""

from collections.abc import Sequence

import pyarrow as pa
from pydantic import Field

from dlt_pipelines.line_source import LineRoot
from dlt_pipelines.otlp_source import OtlpConfig, OtlpPlugin, OtlpReader, pushed_types
from dlt_pipelines.sources.otel_genai import tables, transform


class OtelGenaiConfig(OtlpConfig):
    """Configuration of the source otel_genai."""

    server_name_attributes: list[str] = Field(
        ["mcp.server.name", "mcp_server.name", "gen_ai.mcp.server.name"],
        description="Attributes, of the span or the resource, that name the MCP server; first "
        "wins. Without one it goes by its address (`server.address`).",
    )
    counts_unnamed_tools: bool = Field(
        True,
        description="Count a span `execute_tool` that names no MCP server as a call of an MCP tool "
        "(of the server `unknown`). Off: such a tool is held to be a function of the program.",
    )


class OtelGenaiPlugin(OtlpPlugin[OtelGenaiConfig]):
    """Read spans that follow the GenAI and MCP conventions."""

    name = "otel_genai"
    version = "1.0.0"
    configuration = OtelGenaiConfig
    tables = tables.ALL
    event_types = pushed_types("traces")

    def roots(self) -> Sequence[LineRoot]:
        """Return the configured roots: a collector writes where it was told to."""
        return self.config.roots

    def reader(self, files: pa.Table) -> OtlpReader:
        """Return what turns requests into rows."""
        return transform.reader(
            self.context,
            files,
            self.config.team_attributes,
            self.config.project_attributes,
            self.config.server_name_attributes,
            self.config.counts_unnamed_tools,
        )
