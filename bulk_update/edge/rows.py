"""Where rows come from: inputs, a program's own changes, or a ledger. Each hands out blocks of rows."""

from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from itertools import islice
from types import TracebackType
from typing import Final, Protocol, Self

import anyio.to_thread

from bulk_update.errors import InputError
from bulk_update.model import Change, Invalid

BLOCK_ROWS: Final = 500
"""Rows in a block where rows come one by one."""


class Source(Protocol):
    """One input, opened."""

    @property
    def format(self) -> str | None:
        """`ndjson` or `csv` by the input's name, None when that does not tell."""

    @property
    def bytes_read(self) -> int | None:
        """Bytes read so far, as they lie on disk."""

    @property
    def bytes_total(self) -> int | None:
        """Bytes of the whole input, as they lie on disk."""

    async def read(self) -> bytes:
        """Read a block; b"" at the end."""


class BlockReader(Protocol):
    """Turn blocks of bytes into rows."""

    def feed(self, block: bytes) -> list[Change | Invalid]:
        """Read the rows that end within a block."""

    def finish(self) -> list[Change | Invalid]:
        """Read what is left."""


OpenSource = Callable[[str], AbstractAsyncContextManager[Source]]
ChooseReader = Callable[[str | None, bytes, int], BlockReader]


class InputRows:
    """Read inputs one after the other as one stream.

    `choose_reader` is given the format by name, the first block and the index of an input.
    """

    to_resend: int | None = None

    def __init__(self, names: Sequence[str], open_source: OpenSource, choose_reader: ChooseReader) -> None:
        self._names = list(names)
        self._open_source = open_source
        self._choose_reader = choose_reader
        self._next = 0
        self._opened = AsyncExitStack()
        self._source: Source | None = None
        self._reader: BlockReader | None = None
        self._bytes_before: int | None = 0

    async def __aenter__(self) -> Self:
        """Open nothing yet."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the input that is open."""
        await self._opened.aclose()

    @property
    def bytes_read(self) -> int | None:
        """Bytes read of all inputs so far, as they lie on disk."""
        return _sum(self._bytes_before, self._source.bytes_read if self._source is not None else 0)

    @property
    def bytes_total(self) -> int | None:
        """Bytes of the input, where there is only one."""
        return self._source.bytes_total if self._source is not None and len(self._names) == 1 else None

    async def read(self) -> Sequence[Change | Invalid] | None:
        """Read a block of rows; None at the end of the last input. InputError when one cannot be read."""
        if self._source is None:
            if self._next == len(self._names):
                return None
            self._source = await self._opened.enter_async_context(self._open_source(self._names[self._next]))
        block = await self._source.read()
        if self._reader is None:
            self._reader = self._choose_reader(self._source.format, block, self._next)
        if block:
            return self._reader.feed(block)
        rows = self._reader.finish()
        self._bytes_before = _sum(self._bytes_before, self._source.bytes_read)
        self._source = self._reader = None
        self._next += 1
        await self._opened.aclose()
        return rows


class IterableRows:
    """Take a program's own changes, in blocks; `read_change` makes a row of one and its number (from 1)."""

    bytes_read: int | None = None
    bytes_total: int | None = None
    to_resend: int | None = None

    def __init__(
        self,
        changes: Iterable[object] | AsyncIterable[object],
        read_change: Callable[[object, int], Change | Invalid],
    ) -> None:
        self._changes = changes
        self._read_change = read_change
        self._count = 0
        self._iterator: Iterator[object] | AsyncIterator[object] | None = None
        self._error: Exception | None = None

    async def read(self) -> Sequence[Change | Invalid] | None:
        """Take the next changes: a block of an iterable, one of an async iterable; None at the end.

        InputError, with the cause, when the iterable raises.
        """
        try:
            taken = await self._take()
        except Exception as error:
            raise InputError(f"the changes broke off with {type(error).__name__}.") from error
        if not taken:
            return None
        first = self._count + 1
        self._count += len(taken)
        return [self._read_change(change, number) for number, change in enumerate(taken, first)]

    async def _take(self) -> list[object]:
        """Take changes; none at the end. Those before an error come first, the error with the next call."""
        if self._iterator is None:
            changes = self._changes
            self._iterator = aiter(changes) if isinstance(changes, AsyncIterable) else iter(changes)
        if isinstance(self._iterator, AsyncIterator):
            async for change in self._iterator:
                return [change]
            return []
        taken: list[object] = []
        if self._error is None:
            try:
                taken.extend(islice(self._iterator, BLOCK_ROWS))
            except Exception as error:  # noqa: BLE001 - whatever a program's own iterable may raise
                self._error = error
        if self._error is not None and not taken:
            raise self._error
        return taken


class LedgerRows:
    """Read rows of a ledger again; `row_at` makes a row of its index in the plan."""

    bytes_read: int | None = None
    bytes_total: int | None = None

    def __init__(self, count: int, row_at: Callable[[int], Change]) -> None:
        self.to_resend: int | None = count
        self._count = count
        self._row_at = row_at
        self._next = 0

    async def read(self) -> Sequence[Change | Invalid] | None:
        """Read a block of rows; None at the end."""
        begin, self._next = self._next, min(self._next + BLOCK_ROWS, self._count)
        if begin == self._next:
            return None
        return await anyio.to_thread.run_sync(lambda: [self._row_at(at) for at in range(begin, self._next)])


class SeedingRows:
    """Let the sandbox hold each activity that the rows name, before they go on."""

    def __init__(self, rows: "Rows", ensure: Callable[[str, Iterable[str]], None]) -> None:
        self._rows = rows
        self._ensure = ensure

    @property
    def bytes_read(self) -> int | None:
        """Bytes read so far."""
        return self._rows.bytes_read

    @property
    def bytes_total(self) -> int | None:
        """Bytes of the whole input."""
        return self._rows.bytes_total

    @property
    def to_resend(self) -> int | None:
        """Rows of a ledger that are to be sent again."""
        return self._rows.to_resend

    async def read(self) -> Sequence[Change | Invalid] | None:
        """Read a block of rows."""
        rows = await self._rows.read()
        named: dict[str, list[str]] = {}
        for row in rows or ():
            if type(row) is Change:
                named.setdefault(row.organization, []).append(row.id)
        for organization, ids in named.items():
            self._ensure(organization, ids)
        return rows


class Rows(Protocol):
    """Blocks of rows."""

    @property
    def to_resend(self) -> int | None:
        """Rows of a ledger that are to be sent again; None where rows come from an input."""

    @property
    def bytes_read(self) -> int | None:
        """Bytes read so far."""

    @property
    def bytes_total(self) -> int | None:
        """Bytes of the whole input."""

    async def read(self) -> Sequence[Change | Invalid] | None:
        """Read a block of rows; None at the end."""


def _sum(one: int | None, other: int | None) -> int | None:
    return None if one is None or other is None else one + other
