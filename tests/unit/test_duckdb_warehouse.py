import signal
import threading
import time
from unittest.mock import create_autospec

import dlt
import duckdb
import pytest

from dlt_pipelines.destinations import warehouse_at


def test_an_interrupt_during_a_query_is_an_interrupt_at_once(tmp_path):
    warehouse = warehouse_at(str(tmp_path / "warehouse.duckdb"))
    duckdb.connect(warehouse.url).close()
    interrupt = threading.Timer(0.5, signal.raise_signal, [signal.SIGINT])
    interrupt.start()

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        warehouse.query("select count(*) from range(100000) as a, range(100000) as b where a < b")
    assert time.monotonic() - start < 20, "the query takes a minute"


def test_all_files_of_a_package_load_while_the_warehouse_is_open_once(tmp_path):
    warehouse = warehouse_at(str(tmp_path / "warehouse.duckdb"))

    def load(**_: object) -> None:
        with pytest.raises(duckdb.ConnectionException, match="different configuration"):
            duckdb.connect(warehouse.url, read_only=True)  # this process holds it to write

    pipeline = create_autospec(dlt.Pipeline)
    pipeline.load.side_effect = load
    warehouse.load_packages(pipeline)
    pipeline.load.assert_called_once()
    duckdb.connect(warehouse.url, read_only=True).close()
