"""Files of records: NDJSON, plain or gzip, as `sandbox export` writes them and `--seed` reads them."""

import gzip
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from bulk_update.errors import InputError
from bulk_update.sandbox.records import Record, seed_record


def read_seed(path: Path) -> Iterator[Record]:
    """Read the records of a file; raise InputError, with the line number for a line that is no record."""
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rb") as lines:
            yield from seed_records(str(path), lines)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"cannot read the seed {path}: {reason}") from None


def seed_records(name: str, lines: Iterable[bytes]) -> Iterator[Record]:
    """Read lines, each a record or blank; raise InputError with the line number. `name`: where they are from."""
    for number, line in enumerate(lines, 1):
        text = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if not text.strip():
            continue
        try:
            yield seed_record(text)
        except ValueError as error:
            raise InputError(f"{name}, line {number}: no record of a seed: {error}") from None
