"""Files that a verb writes beside the ledger: where they may go is checked before anything is done."""

import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bulk_update.cli.streams import safe
from bulk_update.errors import UsageError


@dataclass(frozen=True, slots=True)
class Output:
    """What an option writes. `begins`: how each such file begins, in lower case. `what`: what it is called."""

    option: str
    what: str
    begins: bytes


def output_path(output: Output, text: str, apart: Sequence[Path]) -> Path:
    """Find where a file is to go. UsageError when it cannot: what is there and is no such file stays there.

    `apart`: files that it must not replace, whatever they hold.
    """
    option, shown = output.option, safe(text)
    try:
        path = Path(text).resolve()
        if not path.parent.is_dir():
            raise UsageError(f"{option}: there is no folder {safe(str(path.parent))}")
        if any(_is_same(path, other) for other in apart):
            raise UsageError(f"{option}: {shown} is used already: an input, the ledger, or another file; name another")
        if not path.exists():
            return path
        if not stat.S_ISREG(path.stat().st_mode):
            raise UsageError(f"{option}: {shown} is no file that can be replaced")
        with path.open("rb") as file:
            begin = file.read(len(output.begins))
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{option}: {shown} cannot be used: {reason(error)}") from None
    if begin and begin.lower() != output.begins:
        raise UsageError(f"{option}: {shown} is there already and is no {output.what}; name another file, or remove it")
    return path


def _is_same(path: Path, other: Path) -> bool:
    return path == other.resolve() or (path.exists() and other.exists() and path.samefile(other))


def reason(error: Exception) -> str:
    """Say what is wrong with a file."""
    return (error.strerror if isinstance(error, OSError) else str(error)) or type(error).__name__
