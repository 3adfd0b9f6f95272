"""A ledger that is no longer at its place while a run writes it: find out where it is, or save what it holds.

The file stays open, so nothing is lost while the run lasts. When the run ends, a file without a name is gone.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final

from bulk_update.errors import LedgerGone

_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Saved:
    """Where what a ledger held is now. `is_copy`: written anew, since the ledger itself has no name any more."""

    path: Path
    is_copy: bool


def rescue(path: Path, descriptor: int) -> LedgerGone:
    """See to it that what a ledger holds outlives the run, and say where it is.

    A ledger that was moved stays where it is; one that was deleted is written anew: at its place if nothing
    else is there, else beside it, else in the folder for temporary files.
    """
    try:
        saved = _moved(descriptor) or _copied(path, descriptor)
    except OSError as error:
        return LedgerGone(
            f"the ledger {path} was deleted while the run was at work, and what it held could not be saved "
            f"({error.strerror}): the same command would send everything again"
        )
    if not saved.is_copy:
        return LedgerGone(
            f"the ledger {path} was moved to {saved.path} while the run was at work; all that was done is recorded "
            "there. Move it back, then run the same command again"
        )
    if saved.path == path:
        return LedgerGone(
            f"the ledger {path} was deleted while the run was at work; it is back, with all that was done. Run the "
            "same command again",
            is_back=True,
        )
    return LedgerGone(
        f"the ledger {path} was deleted or replaced while the run was at work; all that was done is recorded in "
        f"{saved.path}. Move that to where the ledger was, then run the same command again"
    )


def _moved(descriptor: int) -> Saved | None:
    """Find the name that the open file has now; None where it has none, or the system does not tell."""
    with contextlib.suppress(OSError):
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if os.path.samestat(path.stat(), os.fstat(descriptor)):
            return Saved(path, is_copy=False)
    return None


def _copied(path: Path, descriptor: int) -> Saved:
    """Write what the open file holds anew. OSError when it can be written nowhere."""
    try:
        return Saved(_copy(path.parent, _names(path, also=path), descriptor), is_copy=True)
    except OSError:
        folder = Path(tempfile.gettempdir())
        return Saved(_copy(folder, _names(folder / path.name), descriptor), is_copy=True)


def _copy(folder: Path, names: Iterator[Path], descriptor: int) -> Path:
    """Copy under the first name that is free, whole or not at all."""
    number, temporary = tempfile.mkstemp(prefix=".bulk-update-", dir=folder)
    try:
        with open(number, "wb") as file:  # noqa: PTH123 - it is open already
            offset = 0
            while block := os.pread(descriptor, _BLOCK, offset):
                file.write(block)
                offset += len(block)
            file.flush()
            os.fsync(number)
        for name in names:
            with contextlib.suppress(FileExistsError):
                name.hardlink_to(temporary)
                return name
        raise AssertionError("names do not end")
    finally:
        os.unlink(temporary)  # noqa: PTH108 - it is known by its name alone


def _names(path: Path, also: Path | None = None) -> Iterator[Path]:
    if also is not None:
        yield also
    for number in count(1):
        yield path.with_name(f"{path.name}.saved-{number}")
