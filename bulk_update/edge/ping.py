"""Tell a URL when a job starts and how it ended, in the manner of healthchecks.io.

A thread of its own does it, over the standard library's client: a job that cannot begin says so, too, when
there is no event loop yet, or none any more; and what hangs there can be left behind. The client of
`edge.transport` waits for its turn among the requests to the API, which a ping must never take. No redirect is
followed. The URL is as good as a password: no word said here holds more of it than its host.
"""

import http.client
import queue
import ssl
import threading
from dataclasses import dataclass
from typing import Final

from bulk_update.version import VERSION

TIMEOUT: Final = 3.0
"""Seconds that one step of a ping may take: to connect, to send, to answer."""

LONGEST: Final = 5.0
"""Seconds that the end of a job may be held up."""

_OK: Final = range(200, 300)


@dataclass(frozen=True, slots=True, repr=False)
class PingUrl:
    """Where to tell of a job. `query`: with its question mark, or empty."""

    is_tls: bool
    host: str
    port: int | None
    path: str
    query: str = ""

    def at(self, place: str) -> str:
        """Name a place under it."""
        return f"{self.path.rstrip('/')}/{place}{self.query}"


class Pings:
    """Send pings, one after the other. Nothing that befalls them hurts, or is said before `wait`."""

    def __init__(self, url: PingUrl) -> None:
        self._url = url
        self._places: queue.SimpleQueue[tuple[str, bytes] | None] = queue.SimpleQueue()
        self._failure = ""
        self._thread = threading.Thread(target=self._send_all, name="pings", daemon=True)
        self._thread.start()

    def send(self, place: str, body: bytes = b"") -> None:
        """Tell a place under the URL, without waiting for it."""
        self._places.put((place, body))

    def wait(self, seconds: float = LONGEST) -> str:
        """Wait until all is told, and say what went wrong first; "" when nothing did."""
        self._places.put(None)
        self._thread.join(seconds)
        if self._thread.is_alive() and not self._failure:
            return f"{self._url.host} has not answered within {seconds:g} s"
        return self._failure

    def _send_all(self) -> None:
        while (told := self._places.get()) is not None:
            failure = self._send(*told)
            self._failure = self._failure or failure

    def _send(self, place: str, body: bytes) -> str:
        """Send one ping; say what went wrong. Words of the client are left out: they may hold the URL."""
        try:
            status = self._post(place, body)
        except TimeoutError:
            return f"{self._url.host} has not answered within {TIMEOUT:g} s"
        except (OSError, ValueError, http.client.HTTPException) as error:
            reason = error.strerror if isinstance(error, OSError) and not isinstance(error, ssl.SSLError) else None
            return f"{self._url.host} cannot be told: {reason or type(error).__name__}"
        return "" if status in _OK else f"{self._url.host} answered with HTTP {status}"

    def _post(self, place: str, body: bytes) -> int:
        url = self._url
        if url.is_tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                url.host, url.port, timeout=TIMEOUT, context=ssl.create_default_context()
            )
        else:
            connection = http.client.HTTPConnection(url.host, url.port, timeout=TIMEOUT)
        headers = {"User-Agent": f"bulk-update/{VERSION}", "Content-Type": "application/json"}
        try:
            connection.request("POST", url.at(place), body, headers)
            return connection.getresponse().status
        finally:
            connection.close()
