"""A strict reader of Prometheus's text format, version 0.0.4: what it takes, any collector takes.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/. Written from that page, and of nothing that
`bulk_update` has.
"""

import re
from dataclasses import dataclass, field
from typing import Final

_NAME: Final = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_COMMENT: Final = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.+)")
_SAMPLE: Final = re.compile(rf"({_NAME})(?:\{{(.*)\}})? ([^ ]+)")
_LABEL: Final = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\"n])*)"(,|$)')
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?|[+-]Inf|NaN")
_KINDS: Final = frozenset({"counter", "gauge", "histogram", "summary", "untyped"})
_ESCAPES: Final = {r"\\": "\\", r"\"": '"', r"\n": "\n"}

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Family:
    """A metric: what it is, and its samples by their labels."""

    help: str = ""
    kind: str = ""
    samples: dict[Labels, float] = field(default_factory=dict)

    def value(self, **labels: str) -> float:
        """Find the one sample that has these labels, among others."""
        (found,) = [value for key, value in self.samples.items() if labels.items() <= dict(key).items()]
        return found


def parse(text: str) -> dict[str, Family]:
    """Read an exposition. ValueError, with the line, for whatever the format does not allow."""
    if not text.endswith("\n"):
        raise ValueError("the last line has no end")
    families: dict[str, Family] = {}
    last = ""
    for line in text.split("\n")[:-1]:
        last = _comment(line, families, last) if line.startswith("#") else _sample(line, families, last)
    if any(not family.kind or not family.help or not family.samples for family in families.values()):
        raise ValueError("a metric lacks its HELP, its TYPE or all samples")
    return families


def _comment(line: str, families: dict[str, Family], last: str) -> str:
    match = _COMMENT.fullmatch(line)
    if match is None:
        raise ValueError(line)
    what, name, text = match.groups()
    if name != last and name in families:
        raise ValueError(f"not all of {name} is together: {line}")
    family = families.setdefault(name, Family())
    if family.samples or getattr(family, {"HELP": "help", "TYPE": "kind"}[what]):
        raise ValueError(f"too late, or twice: {line}")
    if what == "TYPE":
        if text not in _KINDS or (text == "counter") != name.endswith("_total"):
            raise ValueError(line)
        family.kind = text
    else:
        if re.search(r"\\(?![\\n])", text.replace("\\\\", "")):
            raise ValueError(f"an escape that HELP has not: {line}")
        family.help = text
    return name


def _sample(line: str, families: dict[str, Family], last: str) -> str:
    match = _SAMPLE.fullmatch(line)
    if match is None or not _NUMBER.fullmatch(match[3]):
        raise ValueError(line)
    name, labels = match[1], _labels(match[2] or "", line)
    if name != last or labels in families[name].samples:
        raise ValueError(f"apart from its metric, or twice: {line}")
    families[name].samples[labels] = float(match[3])
    if families[name].kind == "counter" and families[name].samples[labels] < 0:
        raise ValueError(f"a counter below 0: {line}")
    return name


def _labels(text: str, line: str) -> Labels:
    labels, at = [], 0
    while at < len(text):
        match = _LABEL.match(text, at)
        if match is None or match[1].startswith("__"):
            raise ValueError(f"labels at {at}: {line}")
        value = re.sub(r"\\.", lambda escape: _ESCAPES[escape[0]], match[2])
        labels.append((match[1], value))
        at = match.end()
        if match[3] == "," and at == len(text):
            raise ValueError(f"a comma behind the last label: {line}")
    if len(dict(labels)) < len(labels):
        raise ValueError(f"a label twice: {line}")
    return tuple(labels)
