"""The links between the documents lead somewhere, and so do the files that they name."""

import re
from pathlib import Path

import pytest

from tests.docs.markdown import DOCUMENTS, ROOT, anchors, fences, links, name

PLACES = (ROOT, ROOT / "bulk_update")
FOLDERS = "bulk_update|cli|edge|pure|report|sandbox|tests|docs|samples|benchmarks|requirements"
NAMED = re.compile(rf"`((?:{FOLDERS})/[\w./-]*|[\w-]+\.(?:py|md|toml))`")


def paragraphs(document: Path) -> str:
    """Return a document without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", document.read_text(), flags=re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_links_lead_somewhere(document: Path) -> None:
    for line, target in links(document):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (document.parent / path).resolve() if path else document
        assert file.exists(), f"{name(document)}:{line}: {target}"
        assert not anchor or anchor in anchors(file), f"{name(document)}:{line}: {target}"


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_files_that_are_named_exist(document: Path) -> None:
    named = set(NAMED.findall(paragraphs(document)))
    found = {path for path in named if any((place / path).exists() for place in (*PLACES, document.parent))}
    assert named - found == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_documents_are_in_order(document: Path) -> None:
    text = document.read_text()
    assert text.startswith("# ")
    assert text.endswith("\n")
    assert not re.search(r"[ \t]$", text, re.MULTILINE)
    assert text.count("```") == 2 * len(fences(document))


def test_every_document_can_be_reached_from_the_readme() -> None:
    reached = {ROOT / "README.md"}
    waiting = list(reached)
    while waiting:
        document = waiting.pop()
        for _, target in links(document):
            file = (document.parent / target.partition("#")[0]).resolve()
            if file.suffix == ".md" and file.exists() and file not in reached:
                reached.add(file)
                waiting.append(file)
    assert {name(document) for document in DOCUMENTS} <= {path.relative_to(ROOT).as_posix() for path in reached}


def test_every_sample_is_spoken_of() -> None:
    spoken = {(ROOT / "docs" / target).resolve() for _, target in links(ROOT / "docs" / "nightly.md")}
    assert set((ROOT / "docs" / "samples").iterdir()) <= spoken
