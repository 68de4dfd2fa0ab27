"""The raw table of the source csv; what files say lands in the tables of every source."""

from dlt_pipelines.landing import RawTable

FILES = RawTable(
    "csv_files",
    {
        "load_id": "text",
        "file_id": "text",
        "source_name": "text",
        "kind": "text",
        "size_bytes": "bigint",
        "modified_ns": "bigint",
        "content_hash": "text",
        "mapping_hash": "text",
        "row_count": "bigint",
        "is_readable": "bool",
    },
)

ALL = (FILES,)
