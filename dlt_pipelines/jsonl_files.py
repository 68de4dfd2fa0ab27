"""New lines of append-only JSON-lines files, as Arrow: no byte is read twice, no line is split.

A bookmark says how far a file was read and what stood there, so that a file that grew is read from
there on, and one that shrank or was replaced is read anew. A last line that is still being written
stays where it is until the next time.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pyarrow as pa

BATCH_BYTES = 16 * 2**20
LONGEST_LINE_BYTES = 64 * 2**20
TOO_LONG = f"the line is longer than {LONGEST_LINE_BYTES // 2**20} MiB"
NEWLINES_SLICE_BYTES = 2**18  # small enough for the cache: five times faster than one pass
PREFIX_SAMPLE_BYTES = 1024
UTF8_MARK = b"\xef\xbb\xbf"
UNFINISHED_DOCUMENT = "the file is one JSON document that is not whole"
LINE_ENDS_TO_SPACES = bytes.maketrans(b"\r\n", b"  ")
DOCUMENT_HEAD_BYTES = 4096  # a document is written with short lines
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
LINES_SCHEMA = pa.schema(
    {"file_index": pa.int32(), "line_number": pa.int64(), "line": pa.large_string()}
)


@dataclass(frozen=True)
class Bookmark:
    """How far a file was read when it had this size and time of change."""

    size_bytes: int
    modified_ns: int
    consumed_bytes: int
    consumed_lines: int
    prefix_hash: str


@dataclass
class JsonlFile:
    """A file with bytes to read; ``consumed_…`` move on while it is read."""

    path: str
    file_id: str
    size_bytes: int
    modified_ns: int
    consumed_bytes: int = 0
    consumed_lines: int = 0
    prefix_hash: str = ""
    problems: list[tuple[int | None, str]] = field(default_factory=list)
    """Line number (None: the whole file) and reason of what could not be read."""

    @property
    def unread_bytes(self) -> int:
        """Bytes that were there when the file was found and are not read yet."""
        return self.size_bytes - self.consumed_bytes

    def bookmark(self) -> Bookmark:
        """Return the bookmark for what has been consumed."""
        return Bookmark(
            size_bytes=self.size_bytes,
            modified_ns=self.modified_ns,
            consumed_bytes=self.consumed_bytes,
            consumed_lines=self.consumed_lines,
            prefix_hash=self.prefix_hash,
        )


@dataclass(frozen=True)
class LineBatch:
    """Whole lines of some files.

    ``lines``: file_index, line_number (from 1), line (text). ``undecodable``:
    file_index, line_number, line (bytes that are not UTF-8). ``bytes_read`` counts both.
    """

    lines: pa.Table
    undecodable: pa.Table
    bytes_read: int


def unread_part(file: JsonlFile, bookmark: Bookmark | None, key: bytes) -> JsonlFile | None:
    """Return ``file`` positioned after what ``bookmark`` covers, or None where nothing is new."""
    if bookmark is None:
        return file
    if (file.size_bytes, file.modified_ns) == (bookmark.size_bytes, bookmark.modified_ns):
        # what could not be read then may be readable now: rights do not change the time
        was_read = bookmark.consumed_bytes > 0 or file.size_bytes == 0
        return None if was_read or not os.access(file.path, os.R_OK) else file
    if file.size_bytes >= bookmark.consumed_bytes and _starts_as_before(file, bookmark, key):
        file.consumed_bytes = bookmark.consumed_bytes
        file.consumed_lines = bookmark.consumed_lines
        return file if file.unread_bytes else None
    return file


def read_lines(
    files: list[JsonlFile],
    key: bytes,
    batch_bytes: int = BATCH_BYTES,
    whole_documents: bool = False,
) -> Iterator[LineBatch]:
    """Yield the unread lines of ``files`` in batches of about ``batch_bytes``.

    A file that cannot be read, or is not UTF-8, says so in ``problems``; ``key`` keys what is kept
    of a file's content to know it again. With ``whole_documents`` a file whose first line is no
    JSON by itself may be one JSON document over several lines, which is then its only line.
    """
    batch = _Batch(batch_bytes)
    for index, file in enumerate(files):
        try:
            with open(file.path, "rb", buffering=0) as stream:
                descriptor = stream.fileno()
                if file.consumed_bytes == 0 and _has_utf16_mark(descriptor):
                    file.problems.append((None, "the file is UTF-16: convert it to UTF-8"))
                    file.consumed_bytes = file.size_bytes
                    continue
                if whole_documents and file.consumed_bytes == 0 and _is_document(descriptor, file):
                    document = os.pread(descriptor, file.size_bytes, 0)
                    document = document.replace(UTF8_MARK, b"   ", 1)
                    if not _is_json_object(document):
                        file.problems.append((None, UNFINISHED_DOCUMENT))
                        file.consumed_bytes = file.size_bytes  # it is read anew once it changed
                        continue
                    if not batch.has_room(len(document)):
                        if batch.segments:
                            yield batch.finish()
                        batch = _Batch(max(batch_bytes, len(document)))
                    batch.take_document(document, index, file)
                    file.prefix_hash = _prefix_hash(descriptor, file.consumed_bytes, key)
                    continue
                _take_late_newline(descriptor, file)
                window = batch_bytes
                while file.unread_bytes:
                    length = min(window, file.unread_bytes)
                    if not batch.has_room(length):
                        if batch.segments:
                            yield batch.finish()
                        batch = _Batch(max(batch_bytes, length))
                    if batch.take(descriptor, index, file, length):
                        window = batch_bytes
                    elif length == file.unread_bytes:
                        break  # what is left is a line still being written
                    elif window < LONGEST_LINE_BYTES:
                        window *= 2
                    else:
                        _skip_line(descriptor, file)
                        file.problems.append((file.consumed_lines, TOO_LONG))
                file.prefix_hash = _prefix_hash(descriptor, file.consumed_bytes, key)
        except OSError as error:
            file.problems.append((None, f"the file cannot be read: {error.strerror}"))
            if file.consumed_bytes:
                file.modified_ns = 0  # so that the next run tries the rest again
    if batch.segments:
        yield batch.finish()


@dataclass
class _Batch:
    """A buffer that whole lines of several files are read into, one after the other."""

    capacity: int
    used: int = 0
    segments: list[tuple[int, int, int]] = field(default_factory=list)  # file, lines, first number
    buffer: bytearray = field(init=False)

    def __post_init__(self) -> None:
        self.buffer = bytearray(self.capacity + 1)  # one more for a last newline that is missing

    def has_room(self, length: int) -> bool:
        return self.used + length <= self.capacity

    def take(self, descriptor: int, index: int, file: JsonlFile, length: int) -> bool:
        """Read ``length`` bytes, keep the whole lines; False where there is not one."""
        start = self.used
        target = memoryview(self.buffer)[start : start + length]
        got = os.preadv(descriptor, [target], file.consumed_bytes)
        if got < length:  # cut short since it was found
            file.size_bytes = file.consumed_bytes + got
        end = self.buffer.rfind(b"\n", start, start + got) + 1 or start
        if got == file.unread_bytes and _is_json_object(self.buffer[end : start + got]):
            end = start + got
            consumed = end - start
            self.buffer[end] = ord("\n")
            end += 1
        else:
            consumed = end - start
        if end == start:
            return False
        if file.consumed_bytes == 0 and self.buffer.startswith(UTF8_MARK, start):
            self.buffer[start : start + len(UTF8_MARK)] = b"   "
        lines = self.buffer.count(b"\n", start, end)
        self.segments.append((index, lines, file.consumed_lines + 1))
        file.consumed_bytes += consumed
        file.consumed_lines += lines
        self.used = end
        return True

    def take_document(self, document: bytes, index: int, file: JsonlFile) -> None:
        """Keep a whole file as one line; no text in JSON has a line end that is not escaped."""
        start, end = self.used, self.used + len(document)
        self.buffer[start:end] = document.translate(LINE_ENDS_TO_SPACES)
        self.buffer[end] = ord("\n")
        self.segments.append((index, 1, 1))
        file.consumed_bytes = file.size_bytes = len(document)
        file.consumed_lines = 1
        self.used = end + 1

    def finish(self) -> LineBatch:
        """Return the lines as Arrow arrays over the buffer, without copying them."""
        content = np.frombuffer(self.buffer, dtype=np.uint8, count=self.used)
        newlines = _newlines(content)
        offsets = np.concatenate(([0], newlines + 1)).astype(np.int64)
        table = pa.table(
            {
                "file_index": np.repeat(
                    np.array([index for index, _, _ in self.segments], dtype=np.int32),
                    [count for _, count, _ in self.segments],
                ),
                "line_number": np.concatenate(
                    [np.zeros(0, dtype=np.int64)]
                    + [np.arange(first, first + count) for _, count, first in self.segments]
                ),
                "line": pa.LargeBinaryArray.from_buffers(
                    pa.large_binary(),
                    len(newlines),
                    [None, pa.py_buffer(offsets), pa.py_buffer(self.buffer)],
                ),
            }
        )
        lines, undecodable = _split_undecodable(table)
        return LineBatch(lines=lines, undecodable=undecodable, bytes_read=self.used)


def _newlines(content: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
    found = [np.zeros(0, dtype=np.int64)] + [
        np.flatnonzero(content[start : start + NEWLINES_SLICE_BYTES] == ord("\n")) + start
        for start in range(0, len(content), NEWLINES_SLICE_BYTES)
    ]
    return np.concatenate(found)


def _split_undecodable(table: pa.Table) -> tuple[pa.Table, pa.Table]:
    column = table.column("line").combine_chunks()
    place = table.column_names.index("line")
    try:
        text = column.cast(pa.large_string())
        bad = table.slice(0, 0)
    except pa.ArrowInvalid:  # not UTF-8 somewhere: find out where, line by line
        decodable = pa.array([_is_utf8(line.as_buffer()) for line in column])
        bad = table.filter(pa.compute.invert(decodable))
        table = table.filter(decodable)
        text = table.column("line").cast(pa.large_string())
    return table.set_column(place, "line", text), bad


def _is_utf8(line: pa.Buffer) -> bool:
    try:
        str(memoryview(line), "utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _is_json_object(tail: bytes | bytearray) -> bool:
    try:
        return isinstance(json.loads(tail), dict)
    except (ValueError, RecursionError):  # also what is not UTF-8
        return False


def _is_document(descriptor: int, file: JsonlFile) -> bool:
    """Tell whether a file is one JSON document over several lines, by its first two lines."""
    if file.size_bytes > LONGEST_LINE_BYTES:
        return False
    head = os.pread(descriptor, DOCUMENT_HEAD_BYTES, 0).removeprefix(UTF8_MARK).lstrip()
    first, newline, rest = head.partition(b"\n")
    # a line that was cut off may end like this too, but what follows it is an object
    is_open = bool(newline) and first.rstrip().endswith((b"{", b"[", b","))
    return is_open and not _is_json_object(rest.lstrip().partition(b"\n")[0])


def _has_utf16_mark(descriptor: int) -> bool:
    return os.pread(descriptor, 2, 0) in UTF16_MARKS


def _take_late_newline(descriptor: int, file: JsonlFile) -> None:
    """Count a newline to the line before it, where that was taken when it had none yet."""
    if file.consumed_bytes:
        around = os.pread(descriptor, 2, file.consumed_bytes - 1)
        file.consumed_bytes += around[:1] != b"\n" and around[1:] == b"\n"


def _skip_line(descriptor: int, file: JsonlFile) -> None:
    """Move behind the next newline, or to the end where there is none."""
    position = file.consumed_bytes
    while block := os.pread(descriptor, BATCH_BYTES, position):
        newline = block.find(b"\n")
        if newline >= 0:
            position += newline + 1
            break
        position += len(block)
    file.consumed_bytes = min(position, file.size_bytes)
    file.consumed_lines += 1


def _starts_as_before(file: JsonlFile, bookmark: Bookmark, key: bytes) -> bool:
    try:
        with open(file.path, "rb", buffering=0) as stream:
            prefix_hash = _prefix_hash(stream.fileno(), bookmark.consumed_bytes, key)
    except OSError:
        return False
    return prefix_hash == bookmark.prefix_hash


def _prefix_hash(descriptor: int, consumed_bytes: int, key: bytes) -> str:
    """Fingerprint the first and the last bytes of what was consumed."""
    sample = min(PREFIX_SAMPLE_BYTES, consumed_bytes)
    head = os.pread(descriptor, sample, 0)
    last = os.pread(descriptor, sample, consumed_bytes - sample)
    return hashlib.blake2b(head + last, key=key, digest_size=16).hexdigest()
