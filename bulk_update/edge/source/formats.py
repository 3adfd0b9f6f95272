"""Formats: told by how an input begins, where its name does not tell."""

from collections.abc import Collection
from typing import Final

from bulk_update.errors import InputError
from bulk_update.pure.csv.header import begins_with_header
from bulk_update.pure.formats import PARQUET_MARK, Format

_UTF8_MARK: Final = b"\xef\xbb\xbf"


def detect_format(head: bytes, headers: Collection[str] = ()) -> Format:
    """Tell the format by how an input begins. InputError if it begins like neither.

    `head`: its first line at least. `headers`: those that stand for a field, though they are no field's name.
    """
    text = head.removeprefix(_UTF8_MARK).lstrip()
    if text.startswith(PARQUET_MARK):
        raise InputError("found Parquet in a stream, which is read from its end; give it as a file")
    if text.startswith(b"{"):
        return "ndjson"
    if begins_with_header(text, headers):
        return "csv"
    found = text[:40].decode(errors="replace").splitlines()
    expected = "neither NDJSON (a JSON object a line) nor CSV (a header with names of fields)"
    is_array = text.startswith(b"[")
    foreign = "if it is a CSV with other headers: --format csv, and --column"
    hint = "write its objects one a line (jq -c '.[]')" if is_array else foreign
    raise InputError(f'found "{found[0]}", which is {expected}; {hint}' if found else f"found nothing, {expected}")
