import signal
import threading
import time

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
