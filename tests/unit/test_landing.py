"""Files of raw tables on their way to the warehouse."""

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from dlt_pipelines import landing
from dlt_pipelines.landing import LandingTable, RawTable

TABLE = RawTable("told", {"number": "bigint", "word": "text"})


def rows(first, count, word="word"):
    return pa.table({"number": range(first, first + count), "word": [word] * count})


@pytest.fixture
def small_groups(monkeypatch):
    monkeypatch.setattr(landing, "ROWS_PER_GROUP", 10)


def gathered(folder, *parts):
    table = LandingTable(TABLE, folder, "parquet")
    for part in parts:
        table.gather(part)
    table.resource()
    [(path, count)] = table.parts
    file = pq.ParquetFile(path)
    sizes = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
    assert file.read().column("number").to_pylist() == list(range(count))
    return sizes


def test_parts_become_one_file_of_whole_row_groups_and_a_rest(tmp_path, small_groups):
    assert gathered(tmp_path, rows(0, 4), rows(4, 3), rows(7, 25), rows(32, 1)) == [10, 10, 10, 3]


def test_large_rows_do_not_wait_for_a_whole_row_group(tmp_path, small_groups, monkeypatch):
    monkeypatch.setattr(landing, "BYTES_PER_GROUP", 1000)

    assert gathered(tmp_path, rows(0, 3, "w" * 500), rows(3, 2)) == [3, 2]


def test_no_rows_make_no_file(tmp_path):
    table = LandingTable(TABLE, tmp_path, "parquet")

    table.gather(rows(0, 0))
    table.resource()

    assert table.parts == []
    assert list(tmp_path.iterdir()) == []


def test_rows_of_queries_and_gathered_ones_share_a_file_of_the_tables_shape(tmp_path):
    table = LandingTable(TABLE, tmp_path, "parquet")

    with duckdb.connect() as connection:
        table.write(connection, "select '' as word, 1::tinyint as number", {})
        table.gather(rows(2, 1))
        table.write(connection, "select null as word, $number as number", {"number": 3})
    table.resource()

    [(path, count)] = table.parts
    assert count == 3
    assert pq.read_table(path).to_pydict() == {"number": [1, 2, 3], "word": [None, "word", None]}


def test_a_query_without_rows_makes_no_file(tmp_path):
    for file_format in ("parquet", "csv"):
        table = LandingTable(TABLE, tmp_path, file_format)

        with duckdb.connect() as connection:
            table.write(connection, "select 1 as number, 'a' as word where false", {})
        table.resource()

        assert table.parts == []


def test_csv_says_nothing_of_an_empty_text(tmp_path):
    table = LandingTable(TABLE, tmp_path, "csv")

    with duckdb.connect() as connection:
        table.write(connection, "select 1 as number, '' as word", {})
        table.write(connection, "select 2 as number, 'a' as word", {})

    read = [path.read_text() for path, _ in table.parts]
    assert read == ["number,word\n1,\n", "number,word\n2,a\n"]
