"""A page, taken apart: it must be well-formed, and is then asked for what it holds."""

from html.parser import HTMLParser
from typing import Final

VOID: Final = frozenset({"meta", "br"})

Attributes = dict[str, str | None]


class Page(HTMLParser):
    """Read a page. AssertionError where elements are not closed in order or an attribute stands twice."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, Attributes]] = []
        """Elements in order, each with its attributes."""
        self.text = ""
        self.style = ""
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], f"not closed: {self._open}"

    def of(self, name: str) -> list[tuple[str, Attributes]]:
        """Give the elements of a name."""
        return [element for element in self.elements if element[0] == name]

    def count(self, name: str) -> int:
        """Count the elements of a name."""
        return len(self.of(name))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"twice: {attrs}"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open, f"closed and never opened: {tag}"
        assert self._open[-1] == tag, f"closed {tag} in {self._open}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if self._open[-1:] == ["style"]:
            self.style += data
        else:
            self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data[:100]}")

    def unknown_decl(self, data: str) -> None:
        raise AssertionError(f"a declaration: {data[:100]}")

    def handle_pi(self, data: str) -> None:
        raise AssertionError(f"an instruction: {data[:100]}")
