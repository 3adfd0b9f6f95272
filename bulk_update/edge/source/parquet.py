"""Parquet: rows become the JSON objects that lines of NDJSON would have been.

Columns are named as those of a CSV are. A value is written as what it is: a whole number with all its digits,
a decimal with its scale, a time as ISO 8601 with the digits of its unit, a struct or a map as an object. What
JSON has not (NaN, text that is marked as JSON and is none) is written so that the row is no JSON, either: it
is invalid, and no other row with it.
"""

import math
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import date
from io import RawIOBase
from itertools import pairwise
from typing import IO, Any, Final, TypeAlias

import msgspec

from bulk_update.edge.source.descriptor import BLOCK
from bulk_update.edge.source.extras import explain_missing
from bulk_update.errors import InputError
from bulk_update.pure.csv.columns import Column, find_columns
from bulk_update.pure.csv.layout import Layout
from bulk_update.pure.csv.settings import Empty, TableSettings
from bulk_update.pure.instants import time_text, timestamp_text

_MOST_ROWS: Final = 1_024
_BATCH: Final = 4 * BLOCK
"""Bytes that the rows decoded at once take in the file, about."""

_BUFFER: Final = 1 << 20
"""Bytes of a column that are read at once."""

_JSON: Final = "arrow.json"
_UUID: Final = "arrow.uuid"
_OBJECT: Final = b"{}"

_encode: Final = msgspec.json.Encoder().encode
_to_raw: Final = msgspec.json.Decoder(msgspec.Raw).decode

Arrow: TypeAlias = Any
"""Something of pyarrow, which has no types."""

Text = bytes | None
"""A value as JSON; None for null."""


class ParquetRows:
    """The rows of a Parquet file.

    `label`: what the file is called. `rows`: of the whole file; `rows_read`: of those that have been handed
    out. InputError when the file is none, or its columns are no fields. The file is not closed.
    """

    def __init__(self, label: str, file: IO[bytes] | RawIOBase, settings: TableSettings) -> None:
        pyarrow, parquet = _import(label)
        self._label = label
        self._arrow_error = pyarrow.ArrowException
        self._texts = _Texts(pyarrow, settings.empty)
        with self._translated():
            self._file = self._open(parquet, file)
        schema = self._file.schema_arrow
        where = f"{label}, its columns"
        columns = find_columns(schema.names, settings.columns, where)
        for column in columns:
            if refusal := self._texts.refuse(schema.field(column.position).type, marked=column.is_marked):
                raise InputError(f"{where}: {column}: {refusal}")
        self._layout = Layout(",", schema.names, columns)
        self.rows: int = self._file.metadata.num_rows
        self.rows_read = 0

    def blocks(self) -> Iterator[bytes]:
        """Yield blocks of NDJSON, a line a row."""
        columns = self._layout.columns
        null = msgspec.Raw(b"null")
        names = [column.header for column in columns]
        lines: list[bytes] = []
        size = 0
        for batch in self._batches(names):
            with self._translated():
                texts = [self._column(batch, column) for column in columns]
            for values in zip(*texts, strict=True):
                row: list[Any] = [""] * self._layout.width
                for column, value in zip(columns, values, strict=True):
                    if value is not None:
                        row[column.position] = msgspec.Raw(value)
                    elif self._texts.empty == "null" and not column.names_activity:
                        row[column.position] = null
                lines.append(self._layout.assemble(row))
                size += len(lines[-1])
                self.rows_read += 1
                if size >= BLOCK:
                    yield b"\n".join(lines) + b"\n"
                    lines, size = [], 0
        if lines:
            yield b"\n".join(lines) + b"\n"

    def _column(self, batch: Arrow, column: Column) -> Sequence[Text]:
        array = batch.column(column.header)
        texts = self._texts.of(array, marked=column.is_marked)
        return self._texts.without_hollow(array.type, texts)

    def _batches(self, names: Sequence[str]) -> Iterator[Arrow]:
        metadata = self._file.metadata
        size = sum(metadata.row_group(index).total_byte_size for index in range(metadata.num_row_groups))
        rows = max(1, min(_MOST_ROWS, _BATCH * max(1, self.rows) // max(1, size)))
        batches = self._file.iter_batches(batch_size=rows, columns=names, use_threads=False)
        while True:
            with self._translated():
                batch = next(batches, None)
            if batch is None:
                return
            yield batch

    def _open(self, parquet: Arrow, file: IO[bytes] | RawIOBase) -> Arrow:
        # A text that many rows share is kept once: a small file may hold rows without end.
        how = {"buffer_size": _BUFFER, "pre_buffer": False, "arrow_extensions_enabled": True}
        names = parquet.ParquetFile(file, **how).schema_arrow
        shared = [field.name for field in names if str(field.type) in ("string", "large_string")]
        return parquet.ParquetFile(file, read_dictionary=shared, **how)

    def _translated(self) -> "_Translated":
        return _Translated(self._label, self._arrow_error)


class _Translated:
    """Tell errors of the library in words that name the input."""

    def __init__(self, label: str, arrow_error: type[Exception]) -> None:
        self._label = label
        self._arrow_error = arrow_error

    def __enter__(self) -> None:
        """Expect errors."""

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        """Raise an InputError in the place of the library's."""
        if isinstance(error, OSError) and error.errno is not None:
            raise InputError(f"{self._label} cannot be read: {error.strerror}") from None
        if isinstance(error, self._arrow_error | OSError):  # what has no number is the library's own
            words = str(error).split("\n", maxsplit=1)[0][:200]
            raise InputError(f"{self._label} cannot be read as Parquet: {words}") from None
        if isinstance(error, OverflowError):
            raise InputError(f"{self._label} holds a time beyond the years 1 to 9999") from None


class _Texts:
    """Write values as JSON. `empty`: whether nulls inside structs are left out."""

    def __init__(self, pyarrow: Arrow, empty: Empty) -> None:
        self._arrow = pyarrow
        self._types = pyarrow.types
        self.empty = empty
        types = pyarrow.types
        self._scalars: list[tuple[Callable[[Arrow], bool], Callable[[Arrow], list[Text]]]] = [
            (types.is_null, lambda array: [None] * len(array)),
            (types.is_boolean, _each(lambda value: b"true" if value else b"false")),
            (types.is_integer, _each(lambda value: b"%d" % value)),
            (types.is_floating, _each(_number)),
            (types.is_decimal, _each(lambda value: format(value, "f").encode())),
            (self._is_text, _each(_encode)),
            (types.is_date, self._dates),
            (types.is_timestamp, self._timestamps),
            (types.is_time, self._times),
        ]
        self._nested: list[tuple[Callable[[Arrow], bool], Callable[[Arrow], list[Text]]]] = [
            (types.is_struct, self._structs),
            (types.is_map, self._maps),
            (self._is_list, self._lists),
        ]

    def of(self, array: Arrow, *, marked: bool = False) -> Sequence[Text]:
        """Write the values of an array. `marked`: its texts are JSON."""
        kind = array.type
        if self._types.is_dictionary(kind):
            indices = array.indices.to_pylist()
            used = sorted({index for index in indices if index is not None})  # many batches share a dictionary
            values = self.of(array.dictionary.take(self._arrow.array(used, self._arrow.int64())), marked=marked)
            texts: dict[int | None, Text] = dict(zip(used, values, strict=True))
            return [texts.get(index) for index in indices]
        if isinstance(kind, self._arrow.BaseExtensionType):
            if kind.extension_name == _UUID:
                return [
                    None if value is None else _encode(str(uuid.UUID(bytes=value)))
                    for value in array.storage.to_pylist()
                ]
            return self.of(array.storage, marked=marked or kind.extension_name == _JSON)
        if marked and self._is_text(kind):
            return [None if value is None else _json(value) for value in array.to_pylist()]
        for is_kind, write in (*self._scalars, *self._nested):
            if is_kind(kind):
                return write(array)
        raise AssertionError(kind)

    def without_hollow(self, kind: Arrow, texts: Sequence[Text]) -> Sequence[Text]:
        """Leave out structs of which nothing is left, as dotted columns without cells are."""
        if self.empty == "null" or not self._types.is_struct(kind):
            return texts
        return [None if text == _OBJECT else text for text in texts]

    def refuse(self, kind: Arrow, *, marked: bool = False) -> str | None:
        """Say that a type has no place in JSON."""
        wrapped = self._wrapped(kind)
        if wrapped is not None:
            return self.refuse(wrapped, marked=marked)
        if marked and not self._is_text(kind):
            return f"found {kind}, expected text that holds JSON, as the name says"
        parts = self._parts(kind)
        if parts is not None:
            refusals = (self.refuse(part) for part in parts)
            return next((refusal for refusal in refusals if refusal is not None), None)
        if any(is_kind(kind) for is_kind, _ in self._scalars):
            return None
        return f"found {kind}, which JSON has not; cast it to text, or put _ before its name to leave it out"

    def _wrapped(self, kind: Arrow) -> Arrow | None:
        """Find the type that another one only stores in its own way."""
        if self._types.is_dictionary(kind):
            return kind.value_type
        if isinstance(kind, self._arrow.BaseExtensionType):
            return self._arrow.string() if kind.extension_name == _UUID else kind.storage_type
        return None

    def _parts(self, kind: Arrow) -> list[Arrow] | None:
        """List what a type is made of; None where it is not made of others, or not as JSON could be."""
        if self._types.is_map(kind):
            return [kind.item_type] if self._is_text(kind.key_type) else None
        if self._is_list(kind):
            return [kind.value_type]
        if self._types.is_struct(kind):
            return [kind.field(at).type for at in range(kind.num_fields)]
        return None

    def _is_text(self, kind: Arrow) -> bool:
        types = self._types
        return bool(types.is_string(kind) or types.is_large_string(kind) or types.is_string_view(kind))

    def _is_list(self, kind: Arrow) -> bool:
        types = self._types
        return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))

    def _structs(self, array: Arrow) -> list[Text]:
        kind = array.type
        names = [_encode(kind.field(at).name) + b":" for at in range(kind.num_fields)]
        fields = [self.without_hollow(member.type, self.of(member)) for member in array.flatten()]
        missing = b"null" if self.empty == "null" else None
        written: list[Text] = []
        for at, is_there in enumerate(array.is_valid().to_pylist()):
            values = ((name, field[at] or missing) for name, field in zip(names, fields, strict=True))
            members = [name + value for name, value in values if value is not None]
            written.append(b"{" + b",".join(members) + b"}" if is_there else None)
        return written

    def _maps(self, array: Arrow) -> list[Text]:
        keys, values = self.of(array.keys), self.of(array.items)
        spans = pairwise(array.offsets.to_pylist())
        written: list[Text] = []
        for (begin, end), is_there in zip(spans, array.is_valid().to_pylist(), strict=True):
            members = [(keys[at] or b'""') + b":" + (values[at] or b"null") for at in range(begin, end)]
            written.append(b"{" + b",".join(members) + b"}" if is_there else None)
        return written

    def _lists(self, array: Arrow) -> list[Text]:
        values = iter(self.of(array.flatten()))
        sizes: list[int | None] = array.value_lengths().to_pylist()
        return [
            None if size is None else b"[" + b",".join([next(values) or b"null" for _ in range(size)]) + b"]"
            for size in sizes
        ]

    def _dates(self, array: Arrow) -> list[Text]:
        days: list[date | None] = array.to_pylist()
        return [None if day is None else _encode(day.isoformat()) for day in days]

    def _timestamps(self, array: Arrow) -> list[Text]:
        unit, is_utc = array.type.unit, array.type.tz is not None
        values: list[int | None] = array.cast(self._arrow.int64()).to_pylist()
        return [None if value is None else _encode(timestamp_text(value, unit, is_utc=is_utc)) for value in values]

    def _times(self, array: Arrow) -> list[Text]:
        width = self._arrow.int32() if self._types.is_time32(array.type) else self._arrow.int64()
        values: list[int | None] = array.cast(width).to_pylist()
        return [None if value is None else _encode(time_text(value, array.type.unit)) for value in values]


def _import(label: str) -> tuple[Arrow, Arrow]:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise InputError(f"{label} is Parquet, which needs {explain_missing('parquet')}") from None
    return pa, parquet


def _each(write: Callable[[Arrow], bytes]) -> Callable[[Arrow], list[Text]]:
    return lambda array: [None if value is None else write(value) for value in array.to_pylist()]


def _number(value: float) -> bytes:
    return repr(value).encode() if math.isfinite(value) else b"NaN"


def _json(text: str) -> bytes:
    """Check that a text is one JSON value; what is none makes its row no JSON."""
    try:
        return bytes(_to_raw(text)).replace(b"\n", b" ").replace(b"\r", b" ")
    except (ValueError, RecursionError):
        return b"not JSON: " + _encode(text)
