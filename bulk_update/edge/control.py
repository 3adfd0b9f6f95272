"""A new rate for a run that goes on: written into a file beside the ledger."""

from pathlib import Path

from bulk_update.errors import UsageError
from bulk_update.pure.pacing import Rate
from bulk_update.pure.quantities import parse_rate


class RateFile:
    """Watch `<ledger>.rate`; what is in it when the run begins is an earlier run's and does not count."""

    def __init__(self, ledger: Path) -> None:
        self.path = ledger.with_name(f"{ledger.name}.rate")
        self._seen = self._stamp()

    def look(self) -> tuple[bool, Rate | None]:
        """Tell whether a rate has been written since the last look, and which. UsageError if it is none."""
        stamp = self._stamp()
        if stamp is None or stamp == self._seen:
            return False, None
        self._seen = stamp
        try:
            return True, parse_rate(self.path.read_text().strip())
        except (OSError, UnicodeDecodeError):
            return False, None
        except UsageError as error:
            raise UsageError(f"{self.path}: {error}") from None

    def _stamp(self) -> tuple[int, int] | None:
        try:
            status = self.path.stat()
        except OSError:
            return None
        return status.st_mtime_ns, status.st_ino
