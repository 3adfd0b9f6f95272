"""`report`: what happened, from the ledger alone, as text, as JSON, or as a page."""

import argparse
import contextlib
import os
import stat
import sys
import tempfile
from pathlib import Path
from typing import Final

from bulk_update.cli.streams import data_stream, give, give_json, safe, say
from bulk_update.edge.clock import WallClock
from bulk_update.edge.ledger import open_ledger_for_reading
from bulk_update.errors import LedgerError, SettingsError, UsageError
from bulk_update.report.data import ReportData
from bulk_update.report.facts import facts_of
from bulk_update.report.gather import Gathering
from bulk_update.report.page import render
from bulk_update.report.text import describe

STANDARD_OUTPUT: Final = "-"
_PAGE_BEGINS: Final = b"<!doctype html"


def report(options: argparse.Namespace) -> int:
    """Tell what the ledger holds; 0."""
    ledger, page = Path(options.ledger), options.html
    if page == STANDARD_OUTPUT and options.json:
        raise UsageError("--html - and --json both go to standard output; name a file for one of them")
    target = None if page in (None, STANDARD_OUTPUT) else _page_path(page, ledger)
    data = _read(ledger)
    if page == STANDARD_OUTPUT:
        with data_stream() as stream:
            stream.write(_page(data))
    elif target is not None:
        size = _write(target, _page(data))
        say(f"wrote {safe(str(target))} ({size:,} bytes); a browser shows it, offline too")
    is_unicode = (getattr(sys.stdout, "encoding", None) or "").lower().startswith("utf")
    if options.json:
        give_json(facts_of(data))
    elif page is None:
        give(describe(data, is_unicode=is_unicode))
    return 0


def _read(path: Path) -> ReportData:
    gathering = Gathering()
    with open_ledger_for_reading(path) as file:
        tail = file.read(gathering.fold)
    if gathering.is_empty:
        raise LedgerError(f"{safe(str(path))} holds no run")
    return gathering.data(str(path), len(tail))


def _page(data: ReportData) -> bytes:
    return render(data, WallClock().seconds()).encode()


def _page_path(text: str, ledger: Path) -> Path:
    """Check where the page is to go, before anything is read: what is there and is no page stays there."""
    shown = safe(text)
    try:
        path = Path(text).resolve()
        if not path.parent.is_dir():
            raise UsageError(f"--html: there is no folder {safe(str(path.parent))}")
        if not path.exists():
            return path
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"--html: {shown} is no file that can be replaced; - is standard output")
        if ledger.exists() and path.samefile(ledger):
            raise UsageError(f"--html: {shown} is the ledger itself; name another file")
        with path.open("rb") as file:
            begin = file.read(len(_PAGE_BEGINS))
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"--html: {shown} cannot be used: {_words(error)}") from None
    if begin and begin.lower() != _PAGE_BEGINS:
        raise UsageError(f"--html: {shown} is there already and is no page; name another file, or remove it")
    return path


def _write(path: Path, page: bytes) -> int:
    """Put a page in the place of what is there, whole or not at all, for its owner's eyes only."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=".bulk-update-", suffix=".html", dir=path.parent)
        try:
            with open(descriptor, "wb") as file:  # noqa: PTH123 - it is open already
                file.write(page)
                file.flush()
                os.fsync(descriptor)
            Path(name).replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                Path(name).unlink()
            raise
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        raise SettingsError(f"--html: {safe(str(path))} cannot be written: {_words(error)}") from None
    return len(page)


def _words(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
