"""What stands for content in the warehouse of a test."""

import pyarrow as pa

from dlt_pipelines.config import FingerprintSettings, Settings
from dlt_pipelines.fingerprints import Fingerprinter
from dlt_pipelines.privacy import customer_key


def prompt_hash(settings: Settings, text: str) -> str:
    """Return the ``dedup_hash`` of a prompt."""
    return _hash(_fingerprinter(settings).prompts(pa.array([text])))


def tool_hash(settings: Settings, name: str, tool_input: str) -> str:
    """Return the ``dedup_hash`` of a tool's input, by the name that a transcript has."""
    return _hash(_fingerprinter(settings).tool_inputs(pa.array([name]), pa.array([tool_input])))


def _fingerprinter(settings: Settings) -> Fingerprinter:
    return Fingerprinter(customer_key(settings.home, settings.customer), FingerprintSettings())


def _hash(fingerprints: pa.Table) -> str:
    return str(fingerprints["dedup_hash"][0].as_py())
