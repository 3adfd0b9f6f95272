"""What can end a run: the tree of errors, each with its exit code (DESIGN section 2.1).

An exception ends a run; an outcome ends a row. A row that cannot be updated never raises.

    BulkUpdateError
    ├── NothingSent               2    usage, settings, input or ledger cannot be used
    │   ├── UsageError            2
    │   ├── SettingsError         2
    │   ├── InputError            2
    │   └── LedgerError           2
    └── StoppedEarly              3    worth running again
        ├── InputBroken           3    the input broke off after rows were sent
        ├── CredentialsRefused    3
        ├── NotThisApi            3
        ├── OutageOutlasted       3
        ├── LedgerUnwritable      3
        ├── LedgerGone            3    deleted, moved or replaced
        ├── TooManyFailures       3
        └── Interrupted           128 + the signal's number: 129, 130 or 143

Every message is for a person: what was found, where, and what to do; it never holds a secret.
"""

import signal


class BulkUpdateError(Exception):
    """End the run; the message is for a person, the class tells the exit code."""

    exit_code: int = 3


class NothingSent(BulkUpdateError):
    """Report that the run could not begin: nothing was sent."""

    exit_code = 2


class UsageError(NothingSent):
    """Report words on the command line that make no sense."""


class SettingsError(NothingSent):
    """Report a setting that cannot be used: credentials, URL, number."""


class InputError(NothingSent):
    """Report an input that cannot be read; nothing was sent."""


class LedgerError(NothingSent):
    """Report a ledger that cannot be used: damaged, locked, of another input, API or key."""


class StoppedEarly(BulkUpdateError):
    """Report a run that ended before its input did and is worth running again."""

    exit_code = 3


class InputBroken(StoppedEarly):
    """Report an input that broke off after something had been sent."""


class CredentialsRefused(StoppedEarly):
    """Report that the API refused the key or the token; no row is at fault."""


class NotThisApi(StoppedEarly):
    """Report answers that no Velt API gives: a wrong base URL, a proxy, a login page."""


class OutageOutlasted(StoppedEarly):
    """Report that nothing succeeded for as long as `--give-up-after` allows."""


class LedgerUnwritable(StoppedEarly):
    """Report that the ledger could not be written; sending has stopped, or has not begun."""


class LedgerGone(StoppedEarly):
    """Report that the ledger was deleted, moved or replaced under the run. `is_back`: it is at its place again."""

    def __init__(self, message: str, *, is_back: bool = False) -> None:
        super().__init__(message)
        self.is_back = is_back


class TooManyFailures(StoppedEarly):
    """Report that more rows failed than `--max-failures` allows."""


class Interrupted(StoppedEarly):
    """Report that a signal asked the run to end."""

    def __init__(self, number: int) -> None:
        super().__init__(f"interrupted by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def innermost(error: BaseException) -> BaseException:
    """Unwrap an error: a task group wraps what one of its tasks raised."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def exit_code_of(error: BaseException) -> int:
    """Tell the exit code of a run that an error has ended."""
    error = innermost(error)
    if isinstance(error, KeyboardInterrupt):
        return 128 + signal.SIGINT
    return error.exit_code if isinstance(error, BulkUpdateError) else BulkUpdateError.exit_code
