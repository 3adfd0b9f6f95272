"""Put what was found into README.md, in place of what was found before."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

README: Final = Path(__file__).with_name("README.md")


def record(sections: Mapping[str, str]) -> None:
    """Write sections between their marks. SystemExit when a mark is missing."""
    text = README.read_text()
    for name, words in sections.items():
        head, begin, rest = text.partition(f"<!-- {name} -->\n")
        _, end, tail = rest.partition(f"<!-- end of {name} -->")
        if not (begin and end):
            raise SystemExit(f"{README.name} has no place for {name}")
        text = f"{head}{begin}\n{words}\n\n{end}{tail}"
    README.write_text(text)
