"""Formats: told by an input's name, or by how it begins."""

from collections.abc import Collection
from pathlib import PurePath
from typing import Final, Literal

from bulk_update.errors import InputError
from bulk_update.pure.csv.header import begins_with_header

Format = Literal["ndjson", "csv", "parquet"]

_FORMATS: Final[dict[str, Format]] = {
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}
SUFFIXES: Final = {".gz": "gzip", ".zst": "zstd"}
_UTF8_MARK: Final = b"\xef\xbb\xbf"


def format_of(name: str) -> Format | None:
    """Tell the format by the name's ending, that of its compression left off; None if it does not tell."""
    path = PurePath(name)
    if path.suffix.lower() in SUFFIXES:
        path = path.with_suffix("")
    return _FORMATS.get(path.suffix.lower())


def detect_format(head: bytes, headers: Collection[str] = ()) -> Format:
    """Tell the format by how an input begins. InputError if it begins like neither.

    `head`: its first line at least. `headers`: those that stand for a field, though they are no field's name.
    """
    text = head.removeprefix(_UTF8_MARK).lstrip()
    if text.startswith(b"PAR1"):
        raise InputError("found Parquet in a stream, which is read from its end; give it as a file")
    if text.startswith(b"{"):
        return "ndjson"
    if begins_with_header(text, headers):
        return "csv"
    found = text[:40].decode(errors="replace").splitlines()
    expected = "neither NDJSON (a JSON object a line) nor CSV (a header with names of fields)"
    hint = "write its objects one a line (jq -c '.[]')" if text.startswith(b"[") else "--format tells which it is"
    raise InputError(f'found "{found[0]}", which is {expected}; {hint}' if found else f"found nothing, {expected}")
