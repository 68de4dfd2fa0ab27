"""Claude Code's own telemetry, pushed to us or from the files of a collector.

logs     ->  claude_code_otel_requests      one row an api_request, api_error, … event
             claude_code_otel_tool_events   one row a tool_result, or refusal, of an MCP tool
             claude_code_otel_prompts       one row a prompt whose text was switched on
             claude_code_otel_audit_events  one row an event of governance
traces   ->  claude_code_otel_requests, claude_code_otel_tool_events   one row a span
metrics  ->  claude_code_otel_metrics       one row a data point
             claude_code_otel_record_types  how many records of which type
             claude_code_otel_files         how far each file was read

No prompt, answer, tool input, e-mail address or error text leaves this package: see README.md.
"""

from collections.abc import Sequence

import pyarrow as pa

from dlt_pipelines.line_source import LineRoot
from dlt_pipelines.otlp_source import OtlpConfig, OtlpPlugin, OtlpReader, pushed_types
from dlt_pipelines.sources.claude_code_otel import tables, transform


class ClaudeCodeOtelConfig(OtlpConfig):
    """Configuration of the source claude_code_otel."""


class ClaudeCodeOtelPlugin(OtlpPlugin[ClaudeCodeOtelConfig]):
    """Read what Claude Code reported of itself over OpenTelemetry."""

    name = "claude_code_otel"
    version = "1.0.0"
    configuration = ClaudeCodeOtelConfig
    tables = tables.ALL
    event_types = pushed_types("logs", "traces", "metrics")

    def roots(self) -> Sequence[LineRoot]:
        """Return the configured roots: a collector writes where it was told to."""
        return self.config.roots

    def reader(self, files: pa.Table) -> OtlpReader:
        """Return what turns requests into rows."""
        return transform.reader(self.context, files, self.config)
