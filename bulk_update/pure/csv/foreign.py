"""Headers of somebody else's: what is in them, and which words tell what they stand for."""

import re
import shlex
from collections.abc import Iterable, Sequence
from typing import Final

from bulk_update.pure.csv.text import clip
from bulk_update.pure.names import nearest
from bulk_update.pure.shape import KEYS

_ALSO_CALLED: Final = {"activityid": "id", "orgid": "organizationId"}
_PARTS: Final = {"id": ("id", "activity"), "organizationId": ("org",)}
"""What a header most likely has in it that stands for a field that no row can do without."""

_SHOWN: Final = 12
_PLAIN: Final = re.compile(r"[^\x00-\x1f\x7f\ud800-\udfff]+")


def meant_field(name: str) -> str | None:
    """Find the field that a header most likely stands for."""
    return _ALSO_CALLED.get(re.sub(r"[^a-z]", "", name.lower())) or nearest(re.split(r"[.:]", name)[0], KEYS)


def explain_foreign(header: Sequence[str]) -> str:
    """Say that no name of a header is a field's, and how to tell which is: with those that are there."""
    names = [name for name in header if name]
    if len(names) == 1 and names[0].startswith("{"):
        return f"found {clip(names[0])}, which is no header but JSON; read it with --format ndjson"
    return (
        f"found {listed_names(names) or 'no name'}, and none is a field; expected {', '.join(KEYS)}. Tell which stands "
        f"for which, as in {_example(names)}; a name that begins with _ is a note and not read"
    )


def listed_names(names: Sequence[str]) -> str:
    """List the first names of a header."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(map(clip, names[:_SHOWN])) + more


def _example(names: Iterable[str]) -> str:
    """Write the options that read a header; the ids stand under its first name, if nothing else tells."""
    usable = [name for name in names if _PLAIN.fullmatch(name)]
    found: dict[str, str] = {}
    for name in usable:
        field = meant_field(name)
        if field is not None:
            found.setdefault(field, name)
    for field, parts in _PARTS.items():
        rest = [name for name in usable if name not in found.values()]
        likely = [name for part in parts for name in rest if part in name.lower()]
        if field not in found and (likely or (field == "id" and rest)):
            found[field] = (likely or rest)[0]
    ordered = sorted(found, key=KEYS.index)
    return " ".join(f"--column {shlex.quote(f'{field}={found[field]}')}" for field in ordered) or "--column id=HEADER"
