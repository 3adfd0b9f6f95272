"""The sandbox: an emulator of the Velt activity API on loopback, for rehearsals and tests.

    HTTP request -> server -> admission -> operations -> answers (JSON -> checked request)
                                                      -> store   (SQLite; records)
                                                      -> answers (result -> JSON)

`server` alone knows HTTP, `store` alone knows SQLite; `admission`, `answers` and `records` decide,
without I/O. What each answer rests on (documented, or inferred and chosen here) is listed in `answers`.

Importing this package loads nothing: aiohttp and SQLite come with the first name that is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulk_update.sandbox.server import Sandbox, Statistics, open_sandbox, run_sandbox
    from bulk_update.sandbox.store import Store

__all__ = ["Sandbox", "Statistics", "Store", "open_sandbox", "run_sandbox"]

_HOME = {
    "Sandbox": "server",
    "Statistics": "server",
    "Store": "store",
    "open_sandbox": "server",
    "run_sandbox": "server",
}


def __getattr__(name: str) -> object:
    """Load the module that defines `name`, on first use (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
