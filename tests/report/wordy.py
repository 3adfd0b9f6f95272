"""The ledger of a run whose server says very much, and something else each time."""

from typing import Final

from bulk_update.model import RowError, Status
from tests.report.ledgers import Came, LedgerMaker, change

SAID: Final = "upstream connect error or disconnect/reset before headers; reset reason: connection termination. " * 9
KINDS: Final = [f"kind {letter} of failure: {SAID}" for letter in "abcdefghijklmnopqrstuvwxyz"]


def wordy() -> bytes:
    """Make it: each reason and each of the slowest attempts has a long message."""
    appends: list[bytes] = []
    maker, line = LedgerMaker(appends.append), 0
    maker.run()
    for request, said in enumerate(KINDS, start=1):
        rows = [change(line + place, f"organization-{request}") for place in range(1, 4)]
        line += len(rows)
        maker.sending(request, request, rows)
        maker.attempt(request, request + 0.4, rows, Came(1, 300.0 + request, 500, RowError("INTERNAL", said, 500)))
        maker.attempt(request, request + 0.9, rows, Came(2, 200.0 + request))
        maker.updated(rows[:1])
        for row in rows[1:]:
            maker.result(row, Status.FAILED, RowError("not_updated", said, 200))
        maker.seal()
    maker.end(40.0, 3, {"run_seconds": 40.0, "complete": True, "unsent": 0, "stopped": f"an outage: {SAID}"})
    return b"".join(appends)
