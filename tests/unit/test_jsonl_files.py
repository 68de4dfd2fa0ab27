import json
import os
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dlt_pipelines import jsonl_files
from dlt_pipelines.jsonl_files import JsonlFile, read_lines, unread_part

KEY = b"k" * 32


def look_at(path, bookmark=None):
    """Return the file as a load finds it, or None where nothing is new."""
    status = path.stat()
    file = JsonlFile(str(path), "id", status.st_size, status.st_mtime_ns)
    return unread_part(file, bookmark, KEY)


def read_file(file, batch_bytes=jsonl_files.BATCH_BYTES):
    """Return numbered lines without their newline, in the order of the file."""
    lines = []
    for batch in read_lines([file], KEY, batch_bytes):
        for table in (batch.lines, batch.undecodable):
            assert set(table["file_index"].to_pylist()) <= {0}
            for number, line in zip(table["line_number"], table["line"], strict=True):
                value = line.as_py()
                text = value.encode() if isinstance(value, str) else bytes(value)
                lines.append((number.as_py(), text.removesuffix(b"\n")))
    return sorted(lines)


def read(path, bookmark=None, batch_bytes=jsonl_files.BATCH_BYTES):
    """Return the new lines and the bookmark behind them."""
    file = look_at(path, bookmark)
    assert file, "there is nothing new"
    return read_file(file, batch_bytes), file.bookmark()


def replace(path, content):
    """Write a file anew, seen to be later even where the clock is coarse."""
    later = path.stat().st_mtime_ns + 10**9
    path.write_bytes(content)
    os.utime(path, ns=(later, later))


@pytest.fixture
def path(tmp_path):
    return tmp_path / "session.jsonl"


def test_only_what_was_appended_is_read(path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    first, bookmark = read(path)
    with path.open("ab") as stream:
        stream.write(b'{"n":3}\n')

    second, _ = read(path, bookmark)

    assert first == [(1, b'{"n":1}'), (2, b'{"n":2}')]
    assert second == [(3, b'{"n":3}')]


def test_of_a_file_that_grew_no_old_line_is_read_from_disk(path, monkeypatch):
    path.write_bytes(b'{"n":1}\n' * 100_000)
    _, bookmark = read(path)
    with path.open("ab") as stream:
        stream.write(b'{"n":2}\n')
    bytes_read = 0
    preadv, pread = os.preadv, os.pread

    def counted(function):
        def call(*arguments):
            nonlocal bytes_read
            got = function(*arguments)
            bytes_read += got if isinstance(got, int) else len(got)
            return got

        return call

    monkeypatch.setattr(os, "preadv", counted(preadv))
    monkeypatch.setattr(os, "pread", counted(pread))

    assert read(path, bookmark)[0] == [(100_001, b'{"n":2}')]
    assert bytes_read < 10_000


def test_a_half_written_last_line_is_taken_the_next_time(path):
    path.write_bytes(b'{"n":1}\n{"n":')
    first, bookmark = read(path)
    with path.open("ab") as stream:
        stream.write(b'2}\n{"n":3}\n')

    second, _ = read(path, bookmark)

    assert first == [(1, b'{"n":1}')]
    assert second == [(2, b'{"n":2}'), (3, b'{"n":3}')]


def test_a_file_with_nothing_but_a_half_written_line_keeps_it_for_later(path):
    path.write_bytes(b'{"n":')
    first, bookmark = read(path)
    path.write_bytes(b'{"n":1}\n')

    assert first == []
    assert read(path, bookmark)[0] == [(1, b'{"n":1}')]


def test_a_complete_last_line_without_newline_is_taken_now_and_only_once(path):
    path.write_bytes(b'{"n":1}\n{"n":2}')
    first, bookmark = read(path)
    with path.open("ab") as stream:
        stream.write(b'\n{"n":3}\n')

    second, _ = read(path, bookmark)

    assert first == [(1, b'{"n":1}'), (2, b'{"n":2}')]
    assert second == [(3, b'{"n":3}')], "the newline belongs to the line that was taken"


def test_a_last_line_of_brackets_without_end_is_no_error(path):
    path.write_bytes(b'{"n":1}\n' + b'{"a":' * 100_000)

    assert read(path)[0] == [(1, b'{"n":1}')]


def test_a_file_that_shrank_is_read_anew(path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    _, bookmark = read(path)
    replace(path, b'{"n":9}\n')

    assert read(path, bookmark)[0] == [(1, b'{"n":9}')]


@pytest.mark.parametrize("content", [b'{"n":8}\n{"n":9}\n', b'{"n":7}\n{"n":8}\n{"n":9}\n'])
def test_a_file_that_was_replaced_by_one_as_large_or_larger_is_read_anew(path, content):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    _, bookmark = read(path)
    replace(path, content)

    assert read(path, bookmark)[0] == list(enumerate(content.splitlines(), start=1))


def test_a_file_whose_last_read_line_was_changed_is_read_anew(path):
    head = b"".join(b'{"n":%d}\n' % number for number in range(1000))
    path.write_bytes(head + b'{"n":"old"}\n')
    _, bookmark = read(path)
    replace(path, head + b'{"n":"new"}\n{"n":"next"}\n')

    lines, _ = read(path, bookmark)

    assert len(lines) == 1002
    assert lines[-2:] == [(1001, b'{"n":"new"}'), (1002, b'{"n":"next"}')]


def test_a_file_that_was_only_touched_has_nothing_new(path):
    path.write_bytes(b'{"n":1}\n')
    _, bookmark = read(path)
    os.utime(path, ns=(1, 1))

    assert look_at(path, bookmark) is None


def test_an_unchanged_file_is_not_even_opened(path, monkeypatch):
    path.write_bytes(b'{"n":1}\n')
    _, bookmark = read(path)
    monkeypatch.setattr("builtins.open", lambda *_, **__: pytest.fail("the file was opened"))

    assert look_at(path, bookmark) is None


def test_a_line_longer_than_a_batch_is_read_whole(path):
    long = json.dumps({"text": "x" * 5000}).encode()
    path.write_bytes(b'{"n":1}\n' + long + b'\n{"n":3}\n')

    assert read(path, batch_bytes=64)[0] == [(1, b'{"n":1}'), (2, long), (3, b'{"n":3}')]


def test_a_line_longer_than_64_mib_is_a_problem_and_the_rest_is_read(path):
    with path.open("wb") as stream:
        stream.write(b'{"n":1}\n{"text":"')
        stream.write(b"x" * (65 * 2**20))
        stream.write(b'"}\n{"n":3}\n')
    file = look_at(path)

    lines = read_file(file)

    assert lines == [(1, b'{"n":1}'), (3, b'{"n":3}')]
    assert file.problems == [(2, "the line is longer than 64 MiB")]


def test_the_longest_line_goes_by_the_line_and_not_by_the_window(path, monkeypatch):
    monkeypatch.setattr(jsonl_files, "LONGEST_LINE_BYTES", 1000)
    path.write_bytes(b"{}\n" + b"x" * 5000 + b"\n" + b"y" * 900 + b"\n{}")
    file = look_at(path)

    assert read_file(file, batch_bytes=100) == [(1, b"{}"), (3, b"y" * 900), (4, b"{}")]
    assert [number for number, _ in file.problems] == [2]


def test_windows_line_ends_are_no_part_of_what_makes_a_line_an_object(path):
    path.write_bytes(b'{"n":1}\r\n{"n":2}\r\n')

    assert [(number, line.strip()) for number, line in read(path)[0]] == [
        (1, b'{"n":1}'),
        (2, b'{"n":2}'),
    ]


@pytest.mark.parametrize("end", [b"\n", b""])
def test_a_utf8_byte_order_mark_is_no_part_of_the_first_line(path, end):
    path.write_bytes(b'\xef\xbb\xbf{"n":1}' + end)

    [(number, line)] = read(path)[0]

    assert (number, json.loads(line)) == (1, {"n": 1})


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_a_utf16_file_says_so_once_and_again_only_when_it_changed(path, encoding):
    path.write_bytes(('\ufeff{"n":1}\n').encode(encoding))
    file = look_at(path)
    assert read_file(file) == []
    assert file.problems == [(None, "the file is UTF-16: convert it to UTF-8")]
    assert look_at(path, file.bookmark()) is None

    replace(path, b'{"n":1}\n')

    assert read(path, file.bookmark())[0] == [(1, b'{"n":1}')]


def test_a_line_that_is_not_utf8_is_set_apart_with_its_number(path):
    path.write_bytes(b'{"n":1}\n{"n":"\xff\xfe"}\n{"n":3}\n')
    [batch] = read_lines([look_at(path)], KEY)

    assert batch.lines["line_number"].to_pylist() == [1, 3]
    assert batch.undecodable["line_number"].to_pylist() == [2]


def test_a_line_of_nul_bytes_is_a_line(path):
    path.write_bytes(b'{"n":1}\n\x00\x00\x00\n{"n":3}\n')

    assert read(path)[0] == [(1, b'{"n":1}'), (2, b"\0\0\0"), (3, b'{"n":3}')]


def test_an_empty_file_has_no_lines_and_is_read_once_it_has(path):
    path.touch()
    first, bookmark = read(path)
    assert first == []
    assert look_at(path, bookmark) is None
    path.write_bytes(b'{"n":1}\n')

    assert read(path, bookmark)[0] == [(1, b'{"n":1}')]


def test_a_binary_file_is_lines_like_any_other_and_no_error(path):
    content = bytes(range(256)) * 50 + b"\n"
    path.write_bytes(content)

    assert read(path)[0] == list(enumerate(content.split(b"\n")[:-1], start=1))


def test_a_file_that_is_gone_is_a_problem_and_the_others_are_read(tmp_path):
    present, gone = tmp_path / "present.jsonl", tmp_path / "gone.jsonl"
    present.write_bytes(b'{"n":1}\n')
    gone.write_bytes(b'{"n":2}\n')
    files = [look_at(gone), look_at(present)]
    gone.unlink()

    [batch] = read_lines(files, KEY)

    assert batch.lines["file_index"].to_pylist() == [1]
    assert files[0].problems == [(None, "the file cannot be read: No such file or directory")]


def test_a_file_that_shrinks_while_it_is_read_ends_where_it_ends(path):
    path.write_bytes(b'{"n":1}\n{"n":2}\n')
    file = look_at(path)
    path.write_bytes(b'{"n":1}\n')

    assert read_file(file) == [(1, b'{"n":1}')]
    assert file.bookmark().consumed_bytes == 8


def test_lines_of_many_files_share_a_batch_and_keep_their_file_and_number(tmp_path):
    files = []
    for index in range(3):
        path = tmp_path / f"{index}.jsonl"
        path.write_bytes(b"".join(b'{"file":%d,"n":%d}\n' % (index, n) for n in (1, 2)))
        files.append(look_at(path))

    [batch] = read_lines(files, KEY)

    assert [json.loads(line) for line in batch.lines["line"].to_pylist()] == [
        {"file": index, "n": number}
        for index, number in zip(
            batch.lines["file_index"].to_pylist(),
            batch.lines["line_number"].to_pylist(),
            strict=True,
        )
    ]
    assert batch.lines.num_rows == 6


TEXTS = st.text('aé\0{}"\\', max_size=30)
OBJECTS = st.dictionaries(TEXTS, TEXTS, max_size=2)
# no brace: an object with something behind it is whole before the rest of its line is written
PIECES = [b"a", b'"', b"}", b"\0", b" ", b"\r", "é".encode(), b"\xc3", b"\x80", b"null"]
LINES = st.one_of(
    OBJECTS.map(lambda record: json.dumps(record, ensure_ascii=False).encode()),
    st.lists(st.sampled_from(PIECES), max_size=40).map(b"".join),
)


@settings(max_examples=200, deadline=None)
@given(
    lines=st.lists(LINES, max_size=12),
    last=LINES,
    cuts=st.lists(st.floats(0, 1), max_size=5),
    batch_bytes=st.integers(1, 200),
)
def test_however_a_file_grew_its_lines_are_the_same_as_read_at_once(lines, last, cuts, batch_bytes):
    content = b"".join(line + b"\n" for line in lines) + last
    ends = sorted({int(cut * len(content)) for cut in cuts} | {len(content)})
    found, bookmark = [], None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "session.jsonl")
        for end in ends:
            path.write_bytes(content[:end])
            file = look_at(path, bookmark)
            if file:
                found += read_file(file, batch_bytes)
                assert file.problems == []
                bookmark = file.bookmark()

    last_is_whole = last.startswith(b"{")
    expected = [*lines, last] if last_is_whole else lines
    assert found == list(enumerate(expected, start=1))


def read_document(path, bookmark=None):
    """Return the lines of a file that may be one document, its problems and its bookmark."""
    file = look_at(path, bookmark)
    batches = list(read_lines([file], KEY, whole_documents=True))
    lines = [line for batch in batches for line in batch.lines["line"].to_pylist()]
    return lines, file.problems, file.bookmark()


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_document_over_several_lines_is_one_line_where_it_may_be(path, mark):
    path.write_bytes(mark + json.dumps({"n": [1, 2], "text": "a\nb"}, indent=2).encode())

    [line], problems, bookmark = read_document(path)

    assert (json.loads(line), problems) == ({"n": [1, 2], "text": "a\nb"}, [])
    assert look_at(path, bookmark) is None


def test_a_document_that_is_not_whole_says_so_and_is_read_once_it_is(path):
    whole = json.dumps({"n": [1, 2]}, indent=2).encode()
    path.write_bytes(whole[:-3])
    lines, problems, bookmark = read_document(path)
    assert (lines, problems) == ([], [(None, "the file is one JSON document that is not whole")])
    assert look_at(path, bookmark) is None

    replace(path, whole)

    assert [json.loads(line) for line in read_document(path, bookmark)[0]] == [{"n": [1, 2]}]


@pytest.mark.parametrize("first", [b'{"n":1}', b'{"n":[', b'{"n":', b""])
def test_lines_stay_lines_even_where_the_first_is_cut_off(path, first):
    path.write_bytes(first + b'\n{"n":2}\n')

    assert [line.strip() for line in read_document(path)[0]] == [first.decode(), '{"n":2}']
