"""A DuckDB file as the warehouse."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from dlt_pipelines.destinations import MissingRelationError, Warehouse, disk_full
from dlt_pipelines.errors import MindweaveError

if TYPE_CHECKING:
    import dlt
    from dlt.common.destination import TDestinationReferenceArg

# no row has a place: threads need not wait for each other, and hold less in memory meanwhile
BULK_LOAD = {"preserve_insertion_order": False}


class DuckDBWarehouse(Warehouse):
    """A file, which has one writing process at a time."""

    engine = "duckdb"

    def __init__(self, url: str) -> None:
        """Take a path, or a path after ``duckdb://``."""
        self.path = Path(url.removeprefix("duckdb://")).expanduser().resolve()
        super().__init__(str(self.path))  # the same file from any folder

    @property
    def label(self) -> str:
        """The file's whole path."""
        return str(self.path)

    def check(self) -> None:
        """Do nothing: the file is made when it is first written."""

    def create_schema(self, schema: str) -> None:
        """Make room for the file; dlt makes the schema in it."""
        self.path.parent.mkdir(parents=True, exist_ok=True)

    def drop_schema(self, schema: str) -> None:
        """Drop the schema and its tables; the file keeps their room for what comes next."""
        with self.connection(read_only=False) as connection:
            connection.execute(f'drop schema if exists "{schema}" cascade')

    def query(self, sql: str) -> pa.Table:
        """Run a query on the file, which is closed again at once."""
        if not self.path.exists():
            raise MissingRelationError(f"there is no warehouse {self.label} yet")
        with self.connection() as connection:
            try:
                return connection.execute(sql).to_arrow_table()
            except duckdb.CatalogException as error:
                raise MissingRelationError(str(error).splitlines()[0]) from None

    @contextmanager
    def connection(self, read_only: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """Open the file for the block; raise MindweaveError where that is not possible."""
        try:
            connection = duckdb.connect(self.path, read_only=read_only)
        except duckdb.IOException as error:
            raise explain_duckdb(error, self.path) from None
        with connection, interruptible(connection):
            yield connection

    def dlt_destination(self, schema: str) -> "TDestinationReferenceArg":
        """Return the file as dlt's destination."""
        import dlt
        from dlt.destinations.impl.duckdb.configuration import DuckDbCredentials

        return dlt.destinations.duckdb(DuckDbCredentials(str(self.path), global_config=BULK_LOAD))

    def load_packages(self, pipeline: "dlt.Pipeline") -> None:
        """Load one file at a time: DuckDB uses all threads for each, and memory only once."""
        with self.connection(read_only=False):  # dlt would open and close the file for each
            pipeline.load(workers=1, raise_on_failed_jobs=True)

    def dbt_environment(self) -> dict[str, str]:
        """Return the file's whole path, since dbt runs in another folder."""
        return {"MINDWEAVE_TARGET": "duckdb", "MINDWEAVE_WAREHOUSE": str(self.path)}


@contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Let Ctrl-C be Ctrl-C: DuckDB makes a RuntimeError of it where it meets a query."""
    try:
        yield
    except RuntimeError as error:
        if isinstance(error.__cause__, KeyboardInterrupt):
            # to close the connection would wait for the query's end
            connection.interrupt()
            raise KeyboardInterrupt from None
        raise


def explain_duckdb(error: duckdb.Error, path: Path) -> MindweaveError:
    """Turn DuckDB's error on opening a file into a line that says what to do."""
    text = str(error)
    if "lock" in text.lower():
        return MindweaveError(
            f"the warehouse {path} is in use by another process: wait for it, or close it"
        )
    if "No space left" in text:
        return disk_full(path)
    if "not a valid DuckDB database" in text:
        return MindweaveError(
            f"{path} is not a DuckDB file: move it away or set MINDWEAVE_WAREHOUSE"
        )
    return MindweaveError(f"cannot open the warehouse {path}: {text.splitlines()[0]}")
