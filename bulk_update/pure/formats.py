"""What the name of an input tells: its format, and what its records are counted in."""

from collections.abc import Sequence
from typing import Final, Literal

Format = Literal["ndjson", "csv", "parquet"]

PARQUET_MARK: Final = b"PAR1"
"""What a Parquet file begins with."""

SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd"}
_FORMATS: Final[dict[str, Format]] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(name: str) -> Format | None:
    """Tell the format by the name's ending, that of its compression left off; None if it does not tell."""
    stem, ending = _part(name.rpartition("/")[2])
    if ending in SUFFIXES:
        stem, ending = _part(stem)
    return _FORMATS.get(ending)


def are_tables(names: Sequence[str]) -> bool:
    """Tell whether all inputs are CSV by their names."""
    return bool(names) and all(format_of(name) == "csv" for name in names)


def place_of(line: int, name: str) -> str:
    """Say where a record stands: `line 4`, and `row 4` of Parquet, which has no lines."""
    return f"{'row' if format_of(name) == 'parquet' else 'line'} {line:,}"


def _part(name: str) -> tuple[str, str]:
    """Part a name from its ending, in lower case; a dot at its beginning begins none."""
    stem, dot, ending = name.rpartition(".")
    return (stem, f"{dot}{ending}".lower()) if stem else (name, "")
