"""Which rows may have been applied although no result says so: they were on their way when a run ended."""

from collections.abc import Collection


class Doubts:
    """The requests that no line tells the end of, and the keys of the rows that went out with them.

    A key may have gone out with several of them: in the run that died, and in one that sent it again. All is
    done for the rows of a request at once: of a million, none is looked at by itself.
    """

    def __init__(self) -> None:
        self._open: dict[int, set[int]] = {}
        """By the number of a request: keys of its rows that have no result since."""
        self._keys: set[int] = set()
        """All of these keys."""
        self._shared: set[int] = set()
        """Keys that more than one request had; those of which it is not so any more may still be here."""

    @property
    def keys(self) -> set[int]:
        """Keys of the rows that are in doubt."""
        return set(self._keys)

    @property
    def requests(self) -> Collection[int]:
        """Numbers of the requests that no line tells the end of."""
        return self._open.keys()

    def send(self, request: int, keys: set[int]) -> None:
        """Note that a request is about to go out."""
        if not self._keys.isdisjoint(keys):
            self._shared |= self._keys & keys
        self._open[request] = keys
        self._keys |= keys

    def end(self, request: int) -> None:
        """Note that nothing of a request is open any more."""
        keys = self._open.pop(request, None)
        if not keys:
            return
        if self._shared.isdisjoint(keys):
            self._keys -= keys
            return
        self._keys = set().union(*self._open.values())
        self._shared &= self._keys

    def have_results(self, keys: Collection[int]) -> None:
        """Note that rows have their result now, with whatever requests they went out."""
        if self._keys.isdisjoint(keys):
            return
        ended = self._keys.intersection(keys)
        self._keys -= ended
        self._shared -= ended
        for request, held in list(self._open.items()):
            if not held.isdisjoint(ended):
                held.difference_update(ended)
                if not held:
                    del self._open[request]
