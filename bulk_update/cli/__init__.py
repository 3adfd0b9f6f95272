"""The command line: words become options, an outcome becomes words and an exit code.

Nothing heavy is imported before the verb that needs it: `--help` is for someone who waits.
"""

import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Final

from bulk_update.errors import BulkUpdateError

VERBS: Final = {
    "run": "bulk_update.cli.run",
    "retry": "bulk_update.cli.run",
    "check": "bulk_update.cli.check",
    "failures": "bulk_update.cli.failures",
    "report": "bulk_update.cli.report",
    "sandbox": "bulk_update.cli.sandbox",
}
"""Where each verb is carried out; the module has a function of the verb's name."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the words say; return the exit code of DESIGN section 2.1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _carry_out(words)
    except BulkUpdateError as error:
        _say(f"bulk-update: {error}")
        return error.exit_code
    except KeyboardInterrupt:
        _say("bulk-update: interrupted; run the same command again")
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone; there is no one to tell.
        sys.stdout = None
        return 3
    except Exception:  # noqa: BLE001 - a crash must not end in 1, which says that the run finished
        _say(traceback.format_exc().rstrip())
        _say("bulk-update: this is a fault of bulk-update; the ledger holds what was done. Run the command again")
        return 3


def _carry_out(words: list[str]) -> int:
    from bulk_update.cli.options import parse

    options = parse(words)
    if options is None:
        return 0
    verb: Callable[[object], int] = getattr(import_module(VERBS[options.verb]), options.verb)
    return verb(options)


def _say(text: str) -> None:
    try:
        print(text, file=sys.stderr, flush=True)
    except (OSError, ValueError):
        # A closed standard error changes nothing of what happened.
        return
