"""A web server of files on loopback, in a thread of its own: with ranges or without.

with serve_files({"/rows.csv": data}) as server:
...  # read server.url + "/rows.csv"
"""

import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final

_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class FileServer(ThreadingHTTPServer):
    """A running server.

    `files`: by path, to be changed at any time. `asked`: the method and range of each request. `status`: what
    to answer with in the place of 200.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], *, has_ranges: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files = dict(files)
        self.has_ranges = has_ranges
        self.asked: list[tuple[str, str]] = []
        self.status = 200
        self.url = f"http://127.0.0.1:{self.server_address[1]}"


@contextmanager
def serve_files(files: Mapping[str, bytes], *, has_ranges: bool = True) -> Iterator[FileServer]:
    """Serve files until the block ends."""
    with FileServer(files, has_ranges=has_ranges) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        wanted = self.headers.get("Range", "")
        self.server.asked.append((self.command, wanted))
        data = self.server.files.get(self.path.partition("?")[0])
        if data is None or self.server.status != 200:
            self._send(404 if data is None else self.server.status, b"no")
            return
        match = _RANGE.fullmatch(wanted) if self.server.has_ranges else None
        begin = int(match[1]) if match else 0
        end = min(int(match[2] or len(data)), len(data) - 1) if match else len(data) - 1
        headers = {"ETag": f'"{zlib.crc32(data)}"'}
        if match:
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(data)}"
        self._send(206 if match else 200, data[begin : end + 1], headers)

    def _send(self, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)
