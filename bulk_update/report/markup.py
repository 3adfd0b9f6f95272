"""HTML by construction: whatever is not `Markup` is text, made safe to be shown, and can be nothing else."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from bulk_update.pure.shown import printable

LONGEST: Final = 600
"""Characters that are shown of a text; escaped, each takes ten bytes at most."""

_VOID: Final = frozenset({"meta", "br"})
_DRAWN: Final = frozenset({"rect", "line", "path", "circle", "use"})
"""Elements of SVG that have no content, if they are given none."""


class Markup(str):
    """HTML that is well-formed and safe."""

    __slots__ = ()


NOTHING: Final = Markup()

Value = str | float | bool | None


def tag(element: str, /, *children: str, **attributes: Value) -> Markup:
    """Make an element. Attributes: `class_` is class, `aria_label` is aria-label; True has no value, None is none."""
    words = "".join(_attribute(key, value) for key, value in attributes.items() if value is not None)
    if element in _VOID:
        return Markup(f"<{element}{words}>")
    if element in _DRAWN and not children:
        return Markup(f"<{element}{words}/>")
    return Markup(f"<{element}{words}>{''.join(map(_content, children))}</{element}>")


def join(parts: Iterable[Markup]) -> Markup:
    """Put elements one after the other."""
    return Markup("".join(parts))


def _content(child: str) -> str:
    return child if isinstance(child, Markup) else escape(printable(child, LONGEST), quote=False)


def _attribute(name: str, value: Value) -> str:
    spelled = name.removesuffix("_").replace("_", "-")
    if value is True:
        return f" {spelled}"
    if isinstance(value, float):
        text = f"{value:.6g}"
    else:
        text = value if isinstance(value, Markup) else escape(printable(str(value), LONGEST))
    return f' {spelled}="{text}"'


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table. `kind`: a class; `figure` is set to the right, `wide` takes what room is left."""

    name: str
    kind: str = ""


def table(caption: str, columns: Sequence[Column], rows: Iterable[Sequence[str]], *, is_cards: bool = False) -> Markup:
    """Make a table that scrolls by itself when it is too wide; of `is_cards` each row becomes a card on a phone.

    The first cell of a row names it. Cards need their roles spelled out: browsers drop them from a table that
    is not laid out as one.
    """
    form = _CARDS if is_cards else _GRID
    heads = join(tag("th", column.name, scope="col", **form.head, class_=column.kind or None) for column in columns)
    body = join(_row(columns, row, form) for row in rows)
    whole = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", heads, **form.row), **form.group),
        tag("tbody", body, **form.group),
        **form.table,
    )
    return tag("div", whole, class_="scroll", role="region", tabindex=0, aria_label=caption)


@dataclass(frozen=True, slots=True)
class _Form:
    """The attributes of a table's elements."""

    table: Mapping[str, Value] = field(default_factory=dict)
    group: Mapping[str, Value] = field(default_factory=dict)
    row: Mapping[str, Value] = field(default_factory=dict)
    head: Mapping[str, Value] = field(default_factory=dict)
    name: Mapping[str, Value] = field(default_factory=dict)
    cell: Mapping[str, Value] = field(default_factory=dict)
    is_labelled: bool = False


_GRID: Final = _Form()
_CARDS: Final = _Form(
    {"role": "table", "class_": "cards"},
    {"role": "rowgroup"},
    {"role": "row"},
    {"role": "columnheader"},
    {"role": "rowheader"},
    {"role": "cell"},
    is_labelled=True,
)


def _row(columns: Sequence[Column], row: Sequence[str], form: _Form) -> Markup:
    cells = []
    for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
        kind = f"{column.kind} zero" if cell == "0" else column.kind or None
        label = column.name if form.is_labelled else None
        if place:
            cells.append(tag("td", cell, **form.cell, class_=kind, data_label=label))
        else:
            cells.append(tag("th", cell, scope="row", **form.name, class_=kind, data_label=label))
    return tag("tr", join(cells), **form.row)
