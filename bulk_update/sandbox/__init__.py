"""The sandbox: an emulator of the Velt activity API on loopback, for rehearsals and tests.

    HTTP request -> server -> service    limits, faults, manners and the journal, around one call:
                              operations -> admission, bodies (JSON -> checked request)
                                         -> store             (SQLite; records and their history)
                                         -> answers           (result -> JSON)
                           -> admin      look at it and change it; `page` is that in the browser

`server` alone knows HTTP, `store` alone knows SQLite; all else decides, without I/O. What each answer rests on
(documented, or inferred and switchable) is listed in docs/sandbox.md.

    async with open_sandbox(conduct=Conduct(faults=read_faults("flaky"))) as sandbox:
        ...  # requests to sandbox.url
    assert sandbox.statistics.violations == 0

Importing this package loads nothing: aiohttp and SQLite come with the first name that is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bulk_update.sandbox.background import BackgroundSandbox, sandbox_in_background
    from bulk_update.sandbox.faults.presets import PRESETS, read_faults
    from bulk_update.sandbox.faults.rules import Faults, parse_faults
    from bulk_update.sandbox.journal import Entry, Statistics
    from bulk_update.sandbox.limits import Limits
    from bulk_update.sandbox.manners import Violations
    from bulk_update.sandbox.records import Event
    from bulk_update.sandbox.running import Setup, execute, run_sandbox
    from bulk_update.sandbox.server import Access, Sandbox, open_sandbox
    from bulk_update.sandbox.service import Conduct
    from bulk_update.sandbox.store import Store
    from bulk_update.sandbox.switches import Switches, read_switches

_HOME = {
    "Access": "server",
    "BackgroundSandbox": "background",
    "Conduct": "service",
    "Entry": "journal",
    "Event": "records",
    "Faults": "faults.rules",
    "Limits": "limits",
    "PRESETS": "faults.presets",
    "Sandbox": "server",
    "Setup": "running",
    "Statistics": "journal",
    "Store": "store",
    "Switches": "switches",
    "Violations": "manners",
    "execute": "running",
    "open_sandbox": "server",
    "parse_faults": "faults.rules",
    "read_faults": "faults.presets",
    "read_switches": "switches",
    "run_sandbox": "running",
    "sandbox_in_background": "background",
}

__all__ = [
    "PRESETS",
    "Access",
    "BackgroundSandbox",
    "Conduct",
    "Entry",
    "Event",
    "Faults",
    "Limits",
    "Sandbox",
    "Setup",
    "Statistics",
    "Store",
    "Switches",
    "Violations",
    "execute",
    "open_sandbox",
    "parse_faults",
    "read_faults",
    "read_switches",
    "run_sandbox",
    "sandbox_in_background",
]


def __getattr__(name: str) -> object:
    """Load the module that defines `name`, on first use (PEP 562)."""
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)
