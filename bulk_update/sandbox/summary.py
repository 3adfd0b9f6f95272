"""What a sandbox saw, in words for a person. Pure."""

from collections.abc import Mapping
from typing import Final

from bulk_update.pure.plural import counted
from bulk_update.sandbox.journal import Statistics

KINDS: Final[Mapping[str, str]] = {
    "over_limit": "requests over the rate limit",
    "repeated_ids": "an id twice in a request",
    "overlapping_ids": "an id in two requests at once",
    "out_of_order": "a change out of order",
    "credentials_in_body": "credentials in a body",
}
"""The kinds of violations, in words."""


def describe(statistics: Statistics) -> list[str]:
    """Write what was seen, a line each for requests, verdicts, and what a client did that none may do."""
    seen = statistics
    requests = [counted(seen.requests, "request")]
    for count, words in ((seen.refused, "refused"), (seen.dropped, "without a whole answer")):
        if count:
            requests.append(f"{count:,} {words}")
    if seen.faults:
        requests.append(f"{seen.faults:,} with a fault")
    lines = [", ".join(requests), f"{counted(seen.updated, 'update')} made, {seen.failed:,} failed"]
    if not seen.violations:
        return [*lines, "no violations"]
    lines.append(f"{counted(seen.violations, 'violation')}:")
    counts = {kind: getattr(seen.manners, kind) for kind in KINDS}
    return lines + [f"{count:>7,} {KINDS[kind]}" for kind, count in counts.items() if count]
