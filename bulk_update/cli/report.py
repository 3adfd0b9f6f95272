"""`report`: what happened, from the ledger alone, as text, as JSON, or as a page."""

import argparse
import sys
from pathlib import Path
from typing import Final

from bulk_update.cli.outputs import Output, output_path, reason
from bulk_update.cli.streams import columns_of, data_stream, give, give_json, safe, say
from bulk_update.edge.clock import WallClock
from bulk_update.edge.folder import current_folder
from bulk_update.edge.ledger import open_ledger_for_reading
from bulk_update.edge.whole_file import replace_file
from bulk_update.errors import LedgerError, SettingsError, UsageError
from bulk_update.report.data import ReportData
from bulk_update.report.facts import facts_of
from bulk_update.report.gather import Gathering
from bulk_update.report.page import render
from bulk_update.report.text import describe

STANDARD_OUTPUT: Final = "-"
_PAGE: Final = Output("--html", "page", b"<!doctype html")


def report(options: argparse.Namespace) -> int:
    """Tell what the ledger holds; 0."""
    ledger, page = Path(options.ledger), options.html
    if page == STANDARD_OUTPUT and options.json:
        raise UsageError("--html - and --json both go to standard output; name a file for one of them")
    target = None if page in (None, STANDARD_OUTPUT) else output_path(_PAGE, page, [ledger])
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
        give(describe(data, is_unicode=is_unicode, columns=columns_of(sys.stdout)))
    return 0


def _read(path: Path) -> ReportData:
    gathering = Gathering()
    with open_ledger_for_reading(path) as file:
        tail = file.read(gathering.fold)
    if gathering.is_empty:
        raise LedgerError(f"{safe(str(path))} holds no run")
    return gathering.data(str(path), len(tail), current_folder())


def _page(data: ReportData) -> bytes:
    return render(data, WallClock().seconds()).encode()


def _write(path: Path, page: bytes) -> int:
    """Put a page in the place of what is there, for its owner's eyes only; return its bytes."""
    try:
        replace_file(path, page, 0o600)
    except OSError as error:
        raise SettingsError(f"--html: {safe(str(path))} cannot be written: {reason(error)}") from None
    return len(page)
