"""Monitoring for a job that nobody watches: a file of metrics, a summary in a file, a URL that is told of it.

None of it changes what the ledger or the exit code says, and a failure of any is told once.
"""

import argparse
import contextlib
import json
import re
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Final
from urllib.parse import urlsplit

import anyio
import anyio.to_thread

from bulk_update.cli.outputs import Output, output_path, reason
from bulk_update.cli.settings import is_host, is_loopback, ledger_path
from bulk_update.cli.streams import LONGEST, complain, safe
from bulk_update.edge.clock import WallClock
from bulk_update.edge.ping import Pings, PingUrl
from bulk_update.edge.signals import SIGNALS
from bulk_update.edge.whole_file import replace_file
from bulk_update.errors import BulkUpdateError, UsageError, exit_code_of
from bulk_update.model import Snapshot, Status
from bulk_update.pure.ledger_lines import RETRY
from bulk_update.pure.metrics import BEGINS, Figures, Last, expose, read_last
from bulk_update.pure.names import readable
from bulk_update.pure.standing import Course, Standing
from bulk_update.version import VERSION

PING_URL: Final = "BULK_UPDATE_PING_URL"
"""Where a URL to be told is found that no option names: it stands in no list of processes there."""

EVERY: Final = 15.0
"""Seconds between two files of metrics."""

_METRICS: Final = Output("--metrics-file", "file of metrics", BEGINS.lower())
_SUMMARY: Final = Output("--summary-file", "summary", b'{"rows"')

_PUBLIC: Final = 0o644
"""A collector runs as another user; metrics hold counts, and no word from elsewhere but the ledger's name."""

_PRIVATE: Final = 0o600
"""As the ledger: a summary holds ids, and words of the API."""

_TOLD: Final = ("exit", "rows", *(status.value for status in Status), "unsent", "seconds", "complete")
"""What a ping says of a summary: counts, no ids and no words."""

_EXPECTED_URL: Final = "expected a URL such as https://hc-ping.com/your-uuid, without a user name"


@contextmanager
def monitored(options: argparse.Namespace, environ: Mapping[str, str]) -> "Iterator[Monitor]":
    """Tell of what the block does: that it begins, how it goes on, and with which exit code it ends.

    `Monitor.exit` is the code, or what a raised error makes of it. UsageError when it cannot be told of.
    """
    url = _ping_url(options.ping_url or environ.get(PING_URL) or None)
    monitor = Monitor(None if url is None else Pings(url), options.log_format)
    try:
        monitor.begin(options)
        yield monitor
    except BaseException as error:
        monitor.finish(exit_code_of(error))
        raise
    monitor.finish(monitor.exit)


class Monitor:
    """Tell of a run. `exit`: the code in which it has ended."""

    def __init__(self, pings: Pings | None, log_format: str) -> None:
        self.exit = BulkUpdateError.exit_code
        self._log_format = log_format
        self._pings = pings
        self._metrics: Path | None = None
        self._summary: Path | None = None
        self._clock = WallClock()
        self._began = self._clock.seconds()
        self._run: dict[str, str] = {}
        self._course = Course()
        self._last = Last()
        self._standing: Standing | None = None
        self._body = b""
        self._has_failed = False

    def begin(self, options: argparse.Namespace) -> None:
        """Tell that the job begins. The last one's summary goes: it is not this one's. UsageError as of `monitored`."""
        if self._pings is not None:
            self._pings.send("start")
        self._metrics, self._summary, ledger = _files(options)
        self._run = {"verb": options.verb, "version": VERSION, "ledger": ledger}
        if self._metrics is not None:
            with contextlib.suppress(OSError, ValueError):
                self._last = read_last(self._metrics.read_text())
            self._tell(self._warn, self._write_metrics(is_running=True))
        if self._summary is not None:
            with contextlib.suppress(OSError):
                self._summary.unlink(missing_ok=True)

    async def follow(self, snapshot: Callable[[], Snapshot], notice: Callable[[str], None], limit: int | None) -> None:
        """Tell how the run stands, again and again; run it as a task until it is cancelled.

        `limit`: rows after which it stops reading.
        """
        self._course = Course(limit)
        while self._metrics is not None:
            self._standing = self._course.follow(snapshot())
            self._tell(notice, await anyio.to_thread.run_sync(lambda: self._write_metrics(is_running=True)))
            await anyio.sleep(EVERY)
        await anyio.sleep_forever()

    def ended(self, snapshot: Snapshot) -> None:
        """Take note of how the run stood when it ended."""
        self._standing = self._course.follow(snapshot)

    def told(self, summary: Mapping[str, object]) -> None:
        """Write the summary: the object that `--json` gives."""
        self._body = json.dumps({name: summary[name] for name in _TOLD}).encode()
        if self._summary is None:
            return
        text = json.dumps(summary, ensure_ascii=False).encode(errors="backslashreplace") + b"\n"
        try:
            replace_file(self._summary, text, _PRIVATE)
        except OSError as error:
            self._warn(f"WARNING: --summary-file: {safe(str(self._summary))} cannot be written: {reason(error)}")

    def finish(self, code: int) -> None:
        """Tell with which exit code the job ends."""
        now = self._clock.seconds()
        self._last = Last(code, now, now if code == 0 else self._last.success)
        self._tell(self._warn, self._write_metrics(is_running=False))
        if self._pings is not None:
            failure = _tell_end(self._pings, code, self._body)
            if failure:
                self._warn(f"WARNING: --ping-url: {safe(failure)}")

    def _write_metrics(self, *, is_running: bool) -> str:
        """Write the file of metrics, if one is wanted; say what went wrong."""
        if self._metrics is None:
            return ""
        began, now = self._began, self._clock.seconds()
        name = readable(self._metrics.stem)
        figures = Figures(name, self._run, began, now, max(0.0, now - began), is_running, self._last, self._standing)
        try:
            replace_file(self._metrics, expose(figures).encode(), _PUBLIC)
        except OSError as error:
            return f"WARNING: --metrics-file: {safe(str(self._metrics))} cannot be written: {reason(error)}"
        return ""

    def _warn(self, message: str) -> None:
        complain(safe(message, LONGEST), self._log_format, "warning")

    def _tell(self, notice: Callable[[str], None], failure: str) -> None:
        """Say once that metrics cannot be written."""
        if failure and not self._has_failed:
            self._has_failed = True
            notice(failure)


class _Enough(BaseException):
    """Leave what is waited for: a person or a system wants the program to end."""


def _tell_end(pings: Pings, code: int, body: bytes) -> str:
    """Tell of the end and wait for that; a signal ends the waiting, and not the program: its exit code is settled."""
    is_main = threading.current_thread() is threading.main_thread()
    with contextlib.suppress(_Enough), _signals_are_enough() if is_main else contextlib.nullcontext():
        pings.send(str(code), body)
        return pings.wait()
    return ""


@contextmanager
def _signals_are_enough() -> Iterator[None]:
    def leave(_number: int, _frame: FrameType | None) -> None:
        raise _Enough

    heeded = [number for number in SIGNALS if signal.getsignal(number) not in (signal.SIG_IGN, None)]
    before = {number: signal.signal(number, leave) for number in heeded}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _files(options: argparse.Namespace) -> tuple[Path | None, Path | None, str]:
    """Find where metrics and summary go, and what the ledger is called. UsageError when they cannot go there."""
    ledger = None
    with contextlib.suppress(UsageError):  # it is said when the job is read
        ledger = Path(options.ledger) if options.verb == RETRY else ledger_path(options)
    apart = [Path(name) for name in getattr(options, "inputs", ()) if name != "-"]
    apart += [] if ledger is None else [ledger]
    metrics = summary = None
    if options.metrics_file is not None:
        metrics = output_path(_METRICS, options.metrics_file, apart)
        apart.append(metrics)
    if options.summary_file is not None:
        summary = output_path(_SUMMARY, options.summary_file, apart)
    return metrics, summary, "" if ledger is None else readable(ledger.name)


def _ping_url(text: str | None) -> PingUrl | None:
    """Check a URL to be told. It is never shown: who knows it can tell it anything."""
    if text is None:
        return None
    try:
        url = urlsplit(text.strip())
        host, port = url.hostname or "", url.port
    except ValueError:
        raise UsageError(f"--ping-url: {_EXPECTED_URL}") from None
    is_plain = re.fullmatch(r"[\x21-\x7e]+", text.strip()) and not url.fragment and url.username is None
    if url.scheme not in ("http", "https") or not is_host(host) or not is_plain:
        raise UsageError(f"--ping-url: {_EXPECTED_URL}")
    if url.scheme == "http" and not is_loopback(host):
        raise UsageError(
            f"--ping-url: plain http would show the URL to the network on its way to {host}, so it is allowed only "
            "to this machine; use https"
        )
    return PingUrl(url.scheme == "https", host, port, url.path, f"?{url.query}" if url.query else "")
