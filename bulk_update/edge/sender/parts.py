"""What is on its way: a batch in parts, and the requests that carry them."""

from dataclasses import dataclass, replace
from typing import Final

from bulk_update.model import Batch

_MANY: Final = 2
"""Rows refused alone, one after the other, after which the next row is asked for alone as well."""


@dataclass(frozen=True, slots=True)
class Part:
    """A batch, or what is left of it.

    `doubtful`: an earlier attempt may have been applied. `asked`: how often its rows were asked for and left
    out of the answer. `patience`: failures that count, until it is given up or split. `successes`: how many
    requests had succeeded when what it is a part of last failed, None if it has not. `refusals`: how many of its
    delivery there had been when it was cut off a part that was refused; None for any other part.
    """

    batch: Batch
    patience: int
    doubtful: bool = False
    asked: int = 0
    successes: int | None = None
    refusals: int | None = None


@dataclass(slots=True)
class Exchange:
    """One recorded request and its attempts.

    `doubtful`: some attempt may have been applied. `counted`: failures while the API answered others; `pending`: the
    first one, until it is known whether it did; 0 where others failed just before. `successes`: how many requests had
    succeeded when this one failed first. `left`: loop time at which the last attempt left. `is_out`: it has left and is
    not answered. `is_open`: the ledger knows that it goes out, not how it ended. `is_fresh`: nothing of its delivery
    was sent before. `is_probe`: its last attempt was the only one, in an outage.
    """

    number: int
    batch: Batch
    doubtful: bool
    attempts: int = 0
    failures: int = 0
    counted: int = 0
    pending: int = 0
    successes: int | None = None
    left: float = 0.0
    is_out: bool = False
    is_open: bool = False
    is_fresh: bool = False
    is_probe: bool = False


@dataclass(slots=True)
class Delivery:
    """One batch on its way.

    `fruitless`: parts in a row that were given up or split for the server's failures. `others`: parts that
    wait for the one under way. `sets_aside`: what is left of that one waits for them. `refusals`: requests that
    were refused whole. `culprits`: rows that were refused alone since one was last taken; `not_found`: the last of
    these, as far as they were not found. `is_fresh`: it is whole, and nothing of it was sent. `is_nowhere`: the API
    seems not to know its organization; `is_sampled`: a row of the part that comes next was not found either.
    """

    rows: int
    fruitless: int = 0
    others: int = 0
    sets_aside: bool = False
    refusals: int = 0
    culprits: int = 0
    not_found: int = 0
    is_fresh: bool = True
    is_nowhere: bool = False
    is_sampled: bool = False

    def taken(self) -> None:
        """Note that a part was answered."""
        self.fruitless = self.culprits = self.not_found = 0
        self.is_nowhere = self.is_sampled = False

    def refused(self, part: Part) -> list[Part]:
        """Note that a part was refused whole; halve it. A row alone has no halves."""
        self.refusals += 1
        if len(part.batch.changes) == 1:
            self.culprits += 1
            return []
        return self._halve(part)

    def cut(self, part: Part) -> list[Part]:
        """Cut a part that would be refused, as far as can be told; one that is to be sent comes back as it is.

        Where a part was refused, and its first half then taken, the culprit is in the other half. And where each row
        is refused, the next is likely to be.
        """
        if len(part.batch.changes) == 1:
            return [part]
        if self.is_nowhere:
            self.is_sampled = not self.is_sampled
            return cut_at(part, len(part.batch.changes) - 1)[::-1] if self.is_sampled else [part]
        if self.culprits >= _MANY:
            # What is not found may stand together: the other end tells more of the rest.
            return cut_at(part, 1) if self.not_found % 2 == 0 else cut_at(part, len(part.batch.changes) - 1)[::-1]
        return self._halve(part) if part.refusals == self.refusals else [part]

    def _halve(self, part: Part) -> list[Part]:
        first, second = halves(part)
        return [replace(first, refusals=None), replace(second, refusals=self.refusals)]

    def is_hopeless(self) -> bool:
        """Tell that no single row can be the culprit: it would have been found by now."""
        return self.fruitless > self.rows.bit_length() + 3

    def finds_nothing(self) -> bool:
        """Tell whether so many rows were not found, each alone, and none taken between them, that none may be."""
        return self.not_found > self.rows.bit_length() + 3


def halves(part: Part) -> list[Part]:
    """Cut a part in two."""
    return cut_at(part, len(part.batch.changes) // 2)


def cut_at(part: Part, place: int) -> list[Part]:
    """Cut a part in two; the first has so many rows. What is known of the whole is known of the second alone."""
    changes, organization = part.batch.changes, part.batch.organization
    first, second = (Batch(organization, rows) for rows in (changes[:place], changes[place:]))
    return [replace(part, batch=first, refusals=None), replace(part, batch=second)]
