"""Do what this build of ClickHouse refuses: ``ON CLUSTER`` for the statements that change tables.

usage: on_cluster_proxy.py UID GID PORT CLUSTER NODE_PORT...

An HTTP proxy before the nodes of a cluster. A statement with ``ON CLUSTER`` goes to every node
without these words, and the first error is the answer. Everything else goes to the first node as it
is, in both directions. Run by ``supervise.py``. Standard library only.
"""

import contextlib
import encodings.idna  # noqa: F401  (to connect; else read when we may no longer read it)
import gzip
import http.client
import http.server
import os
import re
import socketserver
import sys
import urllib.parse
from collections.abc import Iterable, Iterator
from typing import Any

# what is longer, or of unknown length, is data
STATEMENT_BYTES = 1_000_000
BLOCK_BYTES = 65536
# these are about one connection, of which there are two
HOP_HEADERS = {"connection", "content-length", "expect", "keep-alive", "transfer-encoding"}
CHUNKED = ("Transfer-Encoding", "chunked")
COMMENT = r"/\*.*?\*/|--[^\n]*"
CHANGE = re.compile(
    rf"(?:\s|{COMMENT})*(?:alter|attach|create|delete|detach|drop|exchange|grant|kill|optimize"
    r"|rename|replace|revoke|system|truncate|undrop|update)\b",
    re.IGNORECASE | re.DOTALL,
)


def without_on_cluster(statement: str, cluster: str) -> str | None:
    """Return a statement that changes tables without its ON CLUSTER; None if it has none."""
    if not CHANGE.match(statement):
        return None
    name = "|".join(quote + re.escape(cluster) + quote for quote in ("", '"', "`", "'"))
    words = re.compile(
        rf"(?P<other>{COMMENT}|'(?:[^'\\]|\\.)*'|`[^`]*`|\"[^\"]*\")|\bon\s+cluster\s+(?:{name})(?!\w)",
        re.IGNORECASE | re.DOTALL,
    )
    stripped = words.sub(lambda found: found["other"] or "", statement)
    return None if stripped == statement else stripped


def as_it_comes(answer: http.client.HTTPResponse) -> Iterator[bytes]:
    """Yield what has arrived, again and again."""
    while block := answer.read1(BLOCK_BYTES):
        yield block


class Proxy(socketserver.ThreadingTCPServer):
    """Knows the nodes; ``Handler`` does the work."""

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, port: int, cluster: str, node_ports: list[int]) -> None:
        """Listen on ``port``."""
        super().__init__(("127.0.0.1", port), Handler)
        self.cluster = cluster
        self.node_ports = node_ports


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers the requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    error_content_type = "text/plain"
    error_message_format = "%(explain)s\n"
    server: Proxy

    def do_GET(self) -> None:  # noqa: N802
        """Pass on a GET."""
        self._answer()

    def do_POST(self) -> None:  # noqa: N802
        """Pass on a POST."""
        self._answer()

    def log_message(self, *_: Any) -> None:
        """Keep quiet."""

    def _answer(self) -> None:
        length = self.headers.get("Content-Length")
        body: bytes | Iterator[bytes] = b""
        if self._is_chunked():
            body = self._blocks_of_chunks()
        elif length and int(length) > STATEMENT_BYTES:
            body = self._blocks(int(length))
        elif length:
            body = self.rfile.read(int(length))
        nodes = self.server.node_ports[:1]
        path = self.path
        if isinstance(body, bytes):
            stripped = self._without_on_cluster(body)
            if stripped:
                path, body = stripped
                nodes = self.server.node_ports
        self._pass_on(nodes, path, body)

    def _is_chunked(self) -> bool:
        return "chunked" in self.headers.get("Transfer-Encoding", "").lower()

    def _without_on_cluster(self, body: bytes) -> tuple[str, bytes] | None:
        """Return path and body without ON CLUSTER; None if there is none to remove."""
        cluster = self.server.cluster
        parts = urllib.parse.urlsplit(self.path)
        parameters = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
        in_path = dict(parameters).get("query")
        if in_path:
            stripped = without_on_cluster(in_path, cluster)
            if stripped is None:
                return None
            changed = [(n, stripped if n == "query" else value) for n, value in parameters]
            return parts._replace(query=urllib.parse.urlencode(changed)).geturl(), body
        is_zipped = self.headers.get("Content-Encoding") == "gzip"
        text = (gzip.decompress(body) if is_zipped else body).decode(errors="surrogateescape")
        stripped = without_on_cluster(text, cluster)
        if stripped is None:
            return None
        plain = stripped.encode(errors="surrogateescape")
        return self.path, gzip.compress(plain) if is_zipped else plain

    def _pass_on(self, nodes: list[int], path: str, body: bytes | Iterator[bytes]) -> None:
        """Ask every node; answer with the first error, else with what the first node answers."""
        with contextlib.ExitStack() as connections:
            answers: list[tuple[http.client.HTTPResponse, Iterable[bytes]]] = []
            for port in nodes:
                connection = http.client.HTTPConnection("127.0.0.1", port)
                connections.callback(connection.close)
                try:
                    answer = self._ask(connection, path, body)
                    # read to its end, the statement is done before the next node is asked
                    blocks = [answer.read()] if len(nodes) > 1 else as_it_comes(answer)
                except (OSError, http.client.HTTPException) as problem:
                    self.close_connection = True
                    self.send_error(502, explain=f"the node at port {port} is down: {problem}")
                    return
                answers.append((answer, blocks))
            self._send(*next((each for each in answers if each[0].status != 200), answers[0]))

    def _ask(
        self, connection: http.client.HTTPConnection, path: str, body: bytes | Iterator[bytes]
    ) -> http.client.HTTPResponse:
        headers = {n: v for n, v in self.headers.items() if n.lower() not in HOP_HEADERS}
        is_chunked = self._is_chunked()
        if is_chunked:
            headers.update([CHUNKED])
        else:
            length = len(body) if isinstance(body, bytes) else self.headers["Content-Length"]
            headers["Content-Length"] = str(length)
        try:
            connection.request(self.command, path, body, headers, encode_chunked=is_chunked)
        except (BrokenPipeError, ConnectionResetError):
            # it has answered without reading everything, as to a wrong password
            self.close_connection = True
        return connection.getresponse()

    def _send(self, answer: http.client.HTTPResponse, blocks: Iterable[bytes]) -> None:
        """Pass an answer on as it comes in."""
        self.send_response_only(answer.status, answer.reason)
        for name, value in answer.getheaders():
            if name.lower() not in HOP_HEADERS:
                self.send_header(name, value)
        length = answer.getheader("Content-Length")
        self.send_header(*(("Content-Length", length) if length else CHUNKED))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        try:
            for block in filter(None, blocks):
                self.wfile.write(block if length else b"%x\r\n%b\r\n" % (len(block), block))
            if not length:
                self.wfile.write(b"0\r\n\r\n")
        except (OSError, http.client.HTTPException):
            # cut off here as well, so that half an answer does not look like a whole one
            self.close_connection = True

    def _blocks(self, length: int) -> Iterator[bytes]:
        while length:
            block = self.rfile.read1(min(length, BLOCK_BYTES))
            if not block:
                raise ConnectionError("the client went away")
            length -= len(block)
            yield block

    def _blocks_of_chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline().split(b";")[0], 16):
            yield from self._blocks(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            pass


if __name__ == "__main__":
    uid, gid, port, cluster, *node_ports = sys.argv[1:]
    if os.geteuid() != int(uid):
        os.setgroups([])
        os.setgid(int(gid))
        os.setuid(int(uid))
    Proxy(int(port), cluster, [int(node_port) for node_port in node_ports]).serve_forever()
