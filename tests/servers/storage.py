"""A Google Cloud Storage on loopback, as far as it takes to read objects: told to clients by STORAGE_EMULATOR_HOST.

with serve_storage({"bucket": {"dir/rows.csv": data}}) as server:
...  # read gs://bucket/dir/rows.csv
"""

import base64
import json
import re
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

_OBJECT: Final = re.compile(r"/(?:download/)?storage/v1/b/([^/]+)/o/(.+)")
_LIST: Final = re.compile(r"/storage/v1/b/([^/]+)/o/?")
_BUCKET: Final = re.compile(r"/storage/v1/b/([^/]+)/?")
_RANGE: Final = re.compile(r"bytes=(\d+)-(\d*)")


class StorageServer(ThreadingHTTPServer):
    """A running server. `status`: what to answer with in the place of 200. `asked`: method, path and range."""

    daemon_threads = True

    def __init__(self, buckets: Mapping[str, Mapping[str, bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.buckets = {name: dict(objects) for name, objects in buckets.items()}
        self.status = 200
        self.asked: list[tuple[str, str, str]] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients may go."""


@contextmanager
def serve_storage(buckets: Mapping[str, Mapping[str, bytes]]) -> Iterator[StorageServer]:
    """Serve objects until the block ends."""
    with StorageServer(buckets) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Answer(BaseHTTPRequestHandler):
    server: StorageServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        self.server.asked.append((self.command, url.path, self.headers.get("Range", "")))
        query = parse_qs(url.query)
        if self.server.status != 200:
            self._refuse(self.server.status, "the storage is told to refuse this")
        elif match := _OBJECT.fullmatch(url.path):
            self._object(unquote(match[1]), unquote(match[2]), is_media=query.get("alt") == ["media"])
        elif match := _LIST.fullmatch(url.path):
            self._list(unquote(match[1]), query.get("prefix", [""])[0])
        elif (match := _BUCKET.fullmatch(url.path)) and match[1] in self.server.buckets:
            self._json({"kind": "storage#bucket", "name": match[1], "id": match[1]})
        else:
            self._refuse(404, "Not Found")

    def log_message(self, *words: Any) -> None:
        """Say nothing."""

    def _object(self, bucket: str, name: str, *, is_media: bool) -> None:
        data = self.server.buckets.get(bucket, {}).get(name)
        if data is None:
            self._refuse(404, f"No such object: {bucket}/{name}")
        elif not is_media:
            self._json(self._described(bucket, name, data))
        else:
            match = _RANGE.fullmatch(self.headers.get("Range", ""))
            begin = int(match[1]) if match else 0
            end = min(int(match[2] or len(data)), len(data) - 1) if match else len(data) - 1
            self._send(206 if match else 200, data[begin : end + 1], "application/octet-stream")

    def _list(self, bucket: str, prefix: str) -> None:
        if bucket not in self.server.buckets:
            self._refuse(404, "The specified bucket does not exist.")
            return
        found = {name: data for name, data in self.server.buckets[bucket].items() if name.startswith(prefix)}
        items = [self._described(bucket, name, data) for name, data in found.items()]
        self._json({"kind": "storage#objects", "items": items})

    def _described(self, bucket: str, name: str, data: bytes) -> dict[str, object]:
        checksum = zlib.crc32(data)
        return {
            "kind": "storage#object",
            "id": f"{bucket}/{name}/{checksum}",
            "name": name,
            "bucket": bucket,
            "size": str(len(data)),
            "etag": base64.b64encode(str(checksum).encode()).decode(),
            "generation": str(checksum),
            "contentType": "application/octet-stream",
            "timeCreated": "2026-01-01T00:00:00.000Z",
            "updated": "2026-01-01T00:00:00.000Z",
        }

    def _json(self, value: object, status: int = 200) -> None:
        self._send(status, json.dumps(value).encode(), "application/json")

    def _refuse(self, status: int, message: str) -> None:
        self._json({"error": {"code": status, "message": message, "errors": [{"message": message}]}}, status)

    def _send(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
