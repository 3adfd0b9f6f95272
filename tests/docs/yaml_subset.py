"""A reader for as much of YAML as the samples use: block mappings and sequences, block texts, scalars."""

import json
import re
from typing import Final

Value = dict[str, "Value"] | list["Value"] | str | int | bool | None

_KEY: Final = re.compile(r"([\w./-]+):(?: +(.*))?")


def read_documents(text: str) -> list[Value]:
    """Read the documents of a text; ValueError for what is not in the subset."""
    return [_Reader(part).document() for part in re.split(r"^---$", text, flags=re.MULTILINE)]


class _Reader:
    def __init__(self, text: str) -> None:
        self._lines = text.splitlines()
        self._at = 0

    def document(self) -> Value:
        self._skip()
        value = self._block(0)
        self._skip()
        if self._at < len(self._lines):
            raise ValueError(self._lines[self._at])
        return value

    def _skip(self) -> None:
        while self._at < len(self._lines) and re.fullmatch(r"\s*(#.*)?", self._lines[self._at]):
            self._at += 1

    def _indent(self) -> int:
        self._skip()
        line = self._lines[self._at] if self._at < len(self._lines) else ""
        return len(line) - len(line.lstrip()) if line else -1

    def _block(self, indent: int) -> Value:
        return self._sequence(indent) if self._lines[self._at][indent:].startswith("- ") else self._mapping(indent)

    def _sequence(self, indent: int) -> list[Value]:
        items: list[Value] = []
        while self._indent() == indent and self._lines[self._at][indent:].startswith("- "):
            rest = self._lines[self._at][indent + 2 :]
            if _KEY.fullmatch(rest):
                self._lines[self._at] = " " * (indent + 2) + rest
                items.append(self._mapping(indent + 2))
            else:
                items.append(_scalar(rest))
                self._at += 1
        return items

    def _mapping(self, indent: int) -> dict[str, Value]:
        values: dict[str, Value] = {}
        while self._indent() == indent:
            match = _KEY.fullmatch(self._lines[self._at][indent:])
            if match is None or match[1] in values:
                raise ValueError(self._lines[self._at])
            self._at += 1
            if match[2] == "|":
                values[match[1]] = self._text(indent)
            elif match[2]:
                values[match[1]] = _scalar(match[2])
            else:
                inner = self._indent()
                values[match[1]] = self._block(inner) if inner > indent else None
        return values

    def _text(self, indent: int) -> str:
        begin = self._at
        while self._at < len(self._lines) and (
            not self._lines[self._at].strip() or self._lines[self._at].startswith(" " * (indent + 1))
        ):
            self._at += 1
        lines = self._lines[begin : self._at]
        least = min(len(line) - len(line.lstrip()) for line in lines if line.strip())
        return "\n".join(line[least:] for line in lines).rstrip("\n") + "\n"


def _scalar(text: str) -> Value:
    if text.startswith('"'):
        return str(json.loads(text))
    if text in ("true", "false"):
        return text == "true"
    if re.search(r"(^[&*!|>%@`'\[{])|: | #", text):
        raise ValueError(text)
    return int(text) if re.fullmatch(r"-?\d+", text) else text
