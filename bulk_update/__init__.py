"""Change Velt activity logs in bulk.

Rows are read, collected into batches of one organization each, sent under a rate limit, and recorded in a
ledger. The flow, by file:

    edge/source -> pure/ndjson, pure/csv -> pure/activity     bytes become changes
    pure/intake -> edge/outbox, pure/batching                 what is not settled waits for its batch
    edge/sender -> edge/pace, edge/transport -> pure/wire     batches go out, answers are judged
    edge/ledger, pure/ledger_lines, pure/ledger_state         what happened is on disk before it is told
    pipeline                                                  wires them; jobs makes one of what is asked for

The names below are the library; `library` tells how to use them. They are imported when first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bulk_update.version import VERSION

if TYPE_CHECKING:
    from bulk_update.edge.books import MaxFailures
    from bulk_update.edge.sender import Persistence
    from bulk_update.errors import BulkUpdateError, NothingSent, StoppedEarly
    from bulk_update.jobs import Api, Changes, Rehearsal
    from bulk_update.library import Updates, open_updates, update
    from bulk_update.model import Credentials, Outcome, RowError, Status
    from bulk_update.plan import Plan
    from bulk_update.pure.group import Limits
    from bulk_update.pure.pacing import Rate
    from bulk_update.pure.tally import Summary
    from bulk_update.reading import Inputs

__version__ = VERSION

_HOME = {
    "Api": "jobs",
    "BulkUpdateError": "errors",
    "Changes": "jobs",
    "Credentials": "model",
    "Inputs": "reading",
    "Limits": "pure.group",
    "MaxFailures": "edge.books",
    "NothingSent": "errors",
    "Outcome": "model",
    "Persistence": "edge.sender",
    "Plan": "plan",
    "Rate": "pure.pacing",
    "Rehearsal": "jobs",
    "RowError": "model",
    "Status": "model",
    "StoppedEarly": "errors",
    "Summary": "pure.tally",
    "Updates": "library",
    "open_updates": "library",
    "update": "library",
}

__all__ = [
    "Api",
    "BulkUpdateError",
    "Changes",
    "Credentials",
    "Inputs",
    "Limits",
    "MaxFailures",
    "NothingSent",
    "Outcome",
    "Persistence",
    "Plan",
    "Rate",
    "Rehearsal",
    "RowError",
    "Status",
    "StoppedEarly",
    "Summary",
    "Updates",
    "__version__",
    "open_updates",
    "update",
]


def __getattr__(name: str) -> object:
    """Import the module that defines `name`, on first use (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
