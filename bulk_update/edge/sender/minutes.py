"""What the ledger is told of a request: that it goes out, how each attempt ended, what became of its rows."""

from collections.abc import Sequence

import anyio
from msgspec.structs import replace

from bulk_update.edge.sender.parts import Exchange
from bulk_update.model import Attempted, Batch, Change, RowError, Settled, Status
from bulk_update.ports import Clock, Recorder, Witness
from bulk_update.pure.ledger_lines import DOUBT, RequestLine, ResultWriter, encode_line, sending_line
from bulk_update.pure.settled import row_key
from bulk_update.pure.wire import Judgement


class Minutes:
    """Record requests, and tell the witness of what is on disk.

    `doubtful`: keys of rows that may have been applied and have no result; kept current.
    """

    def __init__(
        self, recorder: Recorder, results: ResultWriter, witness: Witness, clock: Clock, doubtful: set[int]
    ) -> None:
        self._recorder = recorder
        self._results = results
        self._witness = witness
        self._clock = clock
        self.doubtful = doubtful

    async def announce(self, exchange: Exchange) -> None:
        """Record that the request goes out, before it does."""
        exchange.is_open = True
        await self._recorder.record(sending_line(exchange.number, self._clock.stamp(), exchange.batch))

    def attempted(self, exchange: Exchange, judgement: Judgement, seconds: float) -> RequestLine:
        """Tell the witness of an attempt, and make the ledger's line of it."""
        batch = exchange.batch
        self._witness.attempted(
            Attempted(batch.organization, len(batch.changes), seconds, judgement.http, judgement.trouble)
        )
        error = None
        if judgement.trouble is not None:
            error = RowError(judgement.code, judgement.message)
        return self._line(exchange, seconds, judgement.http, error)

    async def failed(self, line: RequestLine) -> None:
        """Record an attempt after which there is another: a later run counts both, to keep the rate."""
        await self._recorder.record(encode_line(line))

    def doubt(self, batch: Batch) -> None:
        """Note that the rows of a batch may have been applied, and get no result in this run."""
        self.doubtful.update(_keys(batch.changes))

    def close(self, exchange: Exchange, line: RequestLine) -> None:
        """Note the end of a request that brought its rows no result."""
        exchange.is_open = False
        self._recorder.note(encode_line(replace(line, settled=not exchange.doubtful)))

    def withdraw(self, exchange: Exchange) -> None:
        """Note that nothing of a request which was announced can have been applied."""
        error = RowError("not_sent", "the run stopped before the request left")
        self.close(exchange, replace(self._line(exchange, 0.0, None, error), attempt=0))

    async def settle(
        self,
        batch: Batch,
        line: RequestLine,
        updated: Sequence[Change],
        others: Sequence[tuple[Change, Status, RowError]],
    ) -> None:
        """Record the results of a batch, and tell of them when they are on disk."""
        results, ids = self._results, batch.ids
        if len(updated) < len(ids):
            ids = [change.id for change in (*updated, *(change for change, _, _ in others))]
        lines = [encode_line(line), results.updated(batch.organization, updated)]
        lines += [results.result(change, status, error) for change, status, error in others]
        # What is on disk is counted, also when the run is left at this very moment.
        with anyio.CancelScope(shield=True):
            await self._recorder.record(b"".join(lines))
        if self.doubtful:
            self.doubtful.difference_update(_keys(updated), (_key(change) for change, _, _ in others))
        self._witness.settled(Settled(batch.organization, updated, others, ids, is_final=line.final))

    def with_doubt(self, change: Change, error: RowError, *, is_doubtful: bool) -> RowError:
        """Say of a refusal when an earlier request may have been applied: a clean refusal would be a lie."""
        if is_doubtful or change.doubt or (self.doubtful and _key(change) in self.doubtful):
            return replace(error, message=error.message + DOUBT)
        return error

    def _line(self, exchange: Exchange, seconds: float, http: int | None, error: RowError | None) -> RequestLine:
        return RequestLine(
            exchange.number,
            exchange.batch.organization,
            len(exchange.batch.changes),
            exchange.attempts,
            round(seconds * 1000, 1),
            self._clock.stamp(),
            http,
            error,
        )


def _key(change: Change) -> int:
    return row_key(change.organization, change.id, change.check)


def _keys(changes: Sequence[Change]) -> set[int]:
    return {_key(change) for change in changes}
