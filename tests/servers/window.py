"""The busiest window of a list of times: what a rate limit promises, measured."""

from collections.abc import Iterable


def busiest_window(times: Iterable[float], seconds: float) -> int:
    """Return the largest number of `times` that any half-open window `[t, t + seconds)` holds.

    `times` may come in any order and are in seconds, like the window.
    """
    ordered = sorted(times)
    busiest = first = 0
    for last, time in enumerate(ordered):
        while time - ordered[first] >= seconds:
            first += 1
        busiest = max(busiest, last - first + 1)
    return busiest
