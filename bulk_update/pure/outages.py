"""The outages of a run: how many, how long, and since when the last."""

from dataclasses import dataclass


@dataclass(slots=True)
class Outages:
    """Count times in which nothing succeeded. Times are seconds of a clock that never goes back.

    `since`: when the one that goes on began, None when there is none. `last`: when the last one began.
    """

    count: int = 0
    since: float | None = None
    last: float | None = None
    _over: float = 0.0

    def begin(self, since: float) -> None:
        """Note that nothing has succeeded since then."""
        self.count += 1
        self.since = self.last = since

    def end(self, now: float) -> None:
        """Note that something has succeeded again."""
        self._over = self.seconds(now)
        self.since = None

    def seconds(self, now: float) -> float:
        """Tell how long they lasted together, the one that goes on included."""
        return self._over + (max(0.0, now - self.since) if self.since is not None else 0.0)
