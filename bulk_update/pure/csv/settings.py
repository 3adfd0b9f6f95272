"""What the header of a table does not tell of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from bulk_update.pure.transcoding import UTF8

Empty = Literal["omit", "null", "keep"]

EMPTY: Final[tuple[Empty, ...]] = ("omit", "null", "keep")


@dataclass(frozen=True, slots=True)
class TableSettings:
    """How to read a table: CSV, and Parquet but for the encoding.

    `columns`: under which header a field stands, where that is not its own name. `empty`: what an empty cell
    says: to leave the field out, null, or the empty string; a cell of JSON is never an empty string, and an
    id never comes of an empty cell. `encoding`: what the bytes were before they became UTF-8.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    empty: Empty = "omit"
    encoding: str = UTF8
