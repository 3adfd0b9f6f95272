"""The project's documents, read: fences, tables, links and headings."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]

DOCUMENTS: Final = sorted(
    [ROOT / name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md")]
    + list((ROOT / "docs").glob("*.md"))
)

_FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_NOT_RUN: Final = re.compile(r"<!-- not run: [^>]+ -->\s*\Z")
_LINK: Final = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


@dataclass(frozen=True, slots=True)
class Fence:
    """A block of code. `line`: where its text begins, from 1. `is_run`: nothing before it says that it is not."""

    document: Path
    line: int
    language: str
    text: str
    is_run: bool

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{name(self.document)}:{self.line}"


def name(document: Path) -> str:
    """Name a document as the others link to it."""
    return document.relative_to(ROOT).as_posix()


def fences(document: Path, *languages: str) -> list[Fence]:
    """List a document's blocks of code, in these languages if any are given."""
    text = document.read_text()
    return [
        Fence(
            document,
            text.count("\n", 0, match.start(3)) + 1,
            match[2],
            textwrap.dedent(match[3]),
            _NOT_RUN.search(text, 0, match.start()) is None,
        )
        for match in _FENCE.finditer(text)
        if not languages or match[2] in languages
    ]


def output_of(fence: Fence) -> Fence | None:
    """Find the block of output that follows a fence, with nothing between the two."""
    lines = fence.document.read_text().splitlines()
    after = fence.line + fence.text.count("\n")
    later = [other for other in fences(fence.document, "text") if other.line > after]
    return next((other for other in later if not "".join(lines[after : other.line - 2])), None)


def example(document: Path, file: str) -> str:
    """Return the block that a document introduces as the content of a file."""
    text = document.read_text()
    at = text.index(f"`{file}`:")
    line = text.count("\n", 0, at) + 1
    return next(fence.text for fence in fences(document) if fence.line > line)


def table(document: Path, first_header: str) -> list[list[str]]:
    """Return the cells, without code marks, of all tables whose first header is this."""
    rows: list[list[str]] = []
    passed = 0  # the header and the line below it; 0 outside such a table
    for line in document.read_text().splitlines():
        if not line.startswith("|"):
            passed = 0
        elif passed > 1:
            cells = re.split(r"(?<!\\)\|", line.strip().strip("|"))
            rows.append([cell.strip().replace("\\|", "|").replace("`", "") for cell in cells])
        elif passed or line.replace("`", "").startswith(f"| {first_header} |"):
            passed += 1
    return rows


def links(document: Path) -> Iterator[tuple[int, str]]:
    """Yield the targets of a document's links, and the lines that they stand in."""
    text = _FENCE.sub(lambda match: "\n" * match[0].count("\n"), document.read_text())
    for match in _LINK.finditer(text):
        yield text.count("\n", 0, match.start()) + 1, match[1]


def anchors(document: Path) -> set[str]:
    """Name the headings of a document as links do."""
    text = _FENCE.sub("", document.read_text())
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
