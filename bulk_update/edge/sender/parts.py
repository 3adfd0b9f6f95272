"""What is on its way: a batch in parts, and the requests that carry them."""

from dataclasses import dataclass, replace

from bulk_update.model import Batch


@dataclass(frozen=True, slots=True)
class Part:
    """A batch, or what is left of it.

    `doubtful`: an earlier attempt may have been applied. `asked`: how often its rows were asked for and left
    out of the answer. `patience`: failures that count, until it is given up or split. `successes`: how many
    requests had succeeded when what it is a part of last failed, None if it has not.
    """

    batch: Batch
    patience: int
    doubtful: bool = False
    asked: int = 0
    successes: int | None = None


@dataclass(slots=True)
class Exchange:
    """One recorded request and its attempts.

    `doubtful`: some attempt may have been applied. `counted`: failures while the API answered others.
    `successes`: how many requests had succeeded when this one failed first. `left`: loop time at which the
    last attempt left. `is_out`: it has left and is not answered. `is_open`: the ledger knows that it goes out,
    and not how it ended.
    """

    number: int
    batch: Batch
    doubtful: bool
    attempts: int = 0
    failures: int = 0
    counted: int = 0
    successes: int | None = None
    left: float = 0.0
    is_out: bool = False
    is_open: bool = False


@dataclass(slots=True)
class Delivery:
    """One batch on its way.

    `fruitless`: parts in a row that were given up or split for the server's failures. `others`: parts that
    wait for the one under way. `sets_aside`: what is left of that one waits for them.
    """

    rows: int
    fruitless: int = 0
    others: int = 0
    sets_aside: bool = False

    def is_hopeless(self) -> bool:
        """Tell that no single row can be the culprit: it would have been found by now."""
        return self.fruitless > self.rows.bit_length() + 3


def halves(part: Part) -> list[Part]:
    """Cut a part in two."""
    changes, organization = part.batch.changes, part.batch.organization
    middle = len(changes) // 2
    return [replace(part, batch=Batch(organization, half)) for half in (changes[:middle], changes[middle:])]
