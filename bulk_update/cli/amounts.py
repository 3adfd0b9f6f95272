"""The words that the main job and `check` share: what is read, and how much at once. Quick to import, for `check`."""

import argparse
import re
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Final, TypeVar, cast

from bulk_update.cli.streams import safe
from bulk_update.edge.source import STANDARD_INPUT, Format
from bulk_update.errors import InputError, SettingsError, UsageError
from bulk_update.pure.group import Limits
from bulk_update.pure.names import is_text, is_url, nearest
from bulk_update.pure.pacing import Rate
from bulk_update.pure.quantities import parse_rate, parse_size, parse_whole
from bulk_update.pure.shape import KEYS
from bulk_update.pure.transcoding import find_encoding, unknown_encoding
from bulk_update.reading import Inputs

AUTO: Final = "auto"
DEFAULT_RATE: Final = "5/s"

T = TypeVar("T")
_PATTERN: Final = re.compile(r"[*?\[]")
_WORD: Final = re.compile(r"[a-zA-Z]+")
_LEAST_BODY: Final = 1_000


def read_inputs(options: argparse.Namespace) -> Inputs:
    """Make the inputs of the words that name them."""
    columns = _columns(options.column)
    if options.organization_id == "":
        raise UsageError("--organization-id: found nothing, expected an id")
    if not is_text(options.organization_id or ""):
        raise UsageError(f"--organization-id: found {options.organization_id!r}, which is no UTF-8, expected an id")
    form = cast(Format | None, options.format)
    encoding = find_encoding(options.encoding)
    if encoding is None:
        raise UsageError(f"--encoding: {unknown_encoding(options.encoding)}")
    return Inputs(tuple(options.inputs), form, columns, options.organization_id, encoding, options.empty)


def read_limits(options: argparse.Namespace) -> Limits:
    """Make the bounds of a request of the words that give them."""
    body = option("--batch-bytes", parse_size, options.batch_bytes)
    if body < _LEAST_BODY:
        raise UsageError(f"--batch-bytes: found {options.batch_bytes!r}, expected at least {_LEAST_BODY:,} bytes")
    return Limits(
        option("--batch-size", lambda text: parse_whole(text, 1, 100_000), options.batch_size),
        body,
        option("--buffer", parse_size, options.buffer),
    )


def read_rate(options: argparse.Namespace) -> Rate | None:
    """Make the rate of the word that gives it; `auto` begins with the default."""
    word = DEFAULT_RATE if options.rate == AUTO else options.rate
    return option("--rate", partial(parse_rate, words=("none", AUTO)), word)


def option(name: str, parse: Callable[[str], T], text: str) -> T:
    """Parse the word of an option. UsageError, with the option's name, when it cannot be used."""
    try:
        return parse(text)
    except (UsageError, SettingsError) as error:
        raise type(error)(f"{name}: {error}") from None


def refuse_missing(names: Sequence[str]) -> None:
    """See that there are files of these names. InputError says what may be wrong with a name."""
    for name in names:
        if name == STANDARD_INPUT or is_url(name):
            continue
        try:
            Path(name).lstat()
        except OSError as error:
            hint = ""
            if _PATTERN.search(name):
                hint = "; the shell found no file that fits it"
            elif _WORD.fullmatch(name):
                hint = "; nor is it a verb, see bulk-update --help"
            raise InputError(f"{safe(name)} cannot be opened: {error.strerror}{hint}") from None


def repeated_inputs(names: Sequence[str]) -> list[str]:
    """Say of each input that is named more than once that its rows count as often."""
    return [
        f"WARNING: {safe(name)} is given {names.count(name)} times, so each of its rows counts as often"
        for name in dict.fromkeys(names)
        if names.count(name) > 1 and name != STANDARD_INPUT
    ]


def _columns(words: Sequence[str]) -> dict[str, str]:
    columns: dict[str, str] = {}
    for field, header in map(_column, words):
        if field in columns:
            raise UsageError(
                f"--column: found {field} twice, as {columns[field]!r} and as {header!r}; expected one header"
            )
        columns[field] = header
    return columns


def _column(word: str) -> tuple[str, str]:
    field, equals, header = word.partition("=")
    if not equals or not header:
        raise UsageError(f"--column: found {word!r}, expected FIELD=HEADER, such as id=activity_id")
    if field.split(".")[0] not in KEYS:
        meant = nearest(field, KEYS)
        hint = f"; did you mean {meant}?" if meant else f"; known are {', '.join(KEYS)}"
        raise UsageError(f"--column: found an unknown field {field!r}{hint}")
    return field, header
