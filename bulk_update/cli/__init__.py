"""The command line: words become options, an outcome becomes words and an exit code.

Nothing heavy is imported before the verb that needs it: `--help` is for someone who waits.
"""

import gc
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from bulk_update.cli.streams import LONGEST, complain, fill_closed_descriptors, leave_streams, safe, say
from bulk_update.errors import BulkUpdateError, NothingSent, exit_code_of, innermost

if TYPE_CHECKING:
    from argparse import Namespace

VERBS: Final = {
    "run": "bulk_update.cli.run",
    "retry": "bulk_update.cli.run",
    "check": "bulk_update.cli.check",
    "failures": "bulk_update.cli.failures",
    "report": "bulk_update.cli.report",
    "sandbox": "bulk_update.cli.sandbox",
    "config": "bulk_update.cli.config",
    "completion": "bulk_update.cli.completion",
    "man": "bulk_update.cli.man",
}
"""Where each verb is carried out; the module has a function of the verb's name."""

GARBAGE: Final = (100_000, 50, 1_000)
"""Objects that are made, and collections of the younger ones, before garbage is collected again."""

_FAULT: Final = "this is a fault of bulk-update; the ledger holds what was done. Run the command again"


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say; return the exit code of DESIGN section 2.1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    log_format = _log_format(words)
    fill_closed_descriptors()
    try:
        from bulk_update.cli.parsing import parse

        options = parse(words, os.environ)
        if options is None:
            return 0
        log_format = getattr(options, "log_format", log_format)
        return _carry_out(options)
    except KeyboardInterrupt:
        complain("interrupted; run the same command again", log_format)
        return 130
    except Exception as error:  # noqa: BLE001 - a crash must not end in 1, which says that the run finished
        if isinstance(innermost(error), BulkUpdateError):
            complain(safe(str(innermost(error)), LONGEST), log_format)
        else:
            _tell_fault(log_format)
        return exit_code_of(error)
    finally:
        leave_streams()


def _log_format(words: Sequence[str]) -> str:
    """Find how to write what is wrong with the words themselves, which are not understood yet."""
    options = words[: words.index("--")] if "--" in words else words
    is_json = "--log-format=json" in options or ("--log-format", "json") in pairwise(options)
    return "json" if is_json else "text"


def _tell_fault(log_format: str) -> None:
    trace = traceback.format_exc().rstrip()
    if log_format == "json":
        complain(f"{_FAULT}\n{trace}", log_format)
        return
    say(trace)
    complain(_FAULT)


def _carry_out(options: "Namespace") -> int:
    # Rows and lines of a ledger are many and have no cycles: the collector would visit them again and again.
    gc.set_threshold(*GARBAGE)
    verb: Callable[[object], int] = getattr(import_module(VERBS[options.verb]), options.verb)
    gc.freeze()
    try:
        return verb(options)
    except NothingSent as error:
        from bulk_update.cli.sources import with_sources

        raise type(error)(with_sources(str(error), options)) from None
