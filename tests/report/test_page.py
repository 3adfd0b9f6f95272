"""The page: well-formed, in need of nothing, under a strict policy, small; hostile words are inert."""

import base64
import hashlib
import re
from itertools import product

import pytest

from bulk_update.model import RowError, Status
from bulk_update.report.gather import SLOWEST
from bulk_update.report.markup import LONGEST
from bulk_update.report.page import POLICY, render
from bulk_update.report.style import STYLE
from tests.report.hostile import WORDS, hostile
from tests.report.ledgers import BEGAN, Came, LedgerMaker, change, gather
from tests.report.pages import Page
from tests.report.weather import Migration, migration
from tests.report.wordy import KINDS, wordy

ELEMENTS = re.findall(
    r"\w+",
    """
    html head meta title style body header nav main section footer figure figcaption h1 h2 h3 p a b i span bdi
    code pre ul ol li dl dt dd div details summary table caption thead tbody tr th td
    svg defs pattern g rect line path text tspan
    """,
)
ATTRIBUTES = re.findall(
    r"[\w-]+",
    """
    lang charset http-equiv content name id class href role scope tabindex aria-label aria-labelledby aria-hidden
    data-label width height x y x1 x2 y1 y2 rx d viewbox preserveaspectratio patternunits text-anchor shape-rendering
    """,
)
SECTIONS = ["next", "rows", "reasons", "time", "organizations", "slowest", "runs", "settings"]
CHARTS = ["settled", "throughput", "latency", "outcomes", "in-flight"]


@pytest.fixture(scope="module")
def rich() -> str:
    """Give the page of a migration."""
    return render(gather(migration(Migration(rows=20_000))[0]), BEGAN)


@pytest.fixture(scope="module")
def bad() -> str:
    """Give the page of a ledger that means ill."""
    return render(gather(hostile(), '</title>"><script>.ndjson'), BEGAN)


@pytest.fixture(params=["rich", "bad", "empty"])
def page(request: pytest.FixtureRequest) -> str:
    """Give each page in turn."""
    if request.param == "empty":
        appends: list[bytes] = []
        LedgerMaker(appends.append).run()
        return render(gather(b"".join(appends)), BEGAN)
    text: str = request.getfixturevalue(request.param)
    return text


def test_it_is_well_formed_and_holds_only_what_it_may(page: str) -> None:
    assert page.startswith("<!doctype html>\n")
    read = Page(page.removeprefix("<!doctype html>\n"))
    assert {name for name, _ in read.elements} <= set(ELEMENTS)
    assert {name for _, attributes in read.elements for name in attributes} <= set(ATTRIBUTES)


def test_it_needs_nothing_else(page: str) -> None:
    read = Page(page.removeprefix("<!doctype html>\n"))
    assert all((attributes.get("href") or "#").startswith("#") for _, attributes in read.elements)
    assert re.findall(r"url\((?!#over-)|@import|@font-face|expression|https?:", read.style) == []


def test_its_policy_allows_its_own_style_and_nothing_else(page: str) -> None:
    read = Page(page.removeprefix("<!doctype html>\n"))
    policies = [a["content"] for _, a in read.of("meta") if a.get("http-equiv") == "Content-Security-Policy"]
    assert policies == [POLICY]
    digest = base64.b64encode(hashlib.sha256(read.style.encode()).digest()).decode()
    assert f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'" == POLICY
    assert page.index("Content-Security-Policy") < page.index("<style")


def test_links_and_labels_point_at_what_is_there(page: str) -> None:
    read = Page(page.removeprefix("<!doctype html>\n"))
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = [(a.get("href") or "").lstrip("#") for _, a in read.of("a")]
    wanted += [a["aria-labelledby"] or "" for _, a in read.elements if "aria-labelledby" in a]
    assert set(wanted) <= set(ids)
    assert [a["id"] for _, a in read.of("section")] == SECTIONS
    assert set(re.findall(r"url\(#([\w-]+)\)", read.style)) <= set(ids)


def test_every_chart_has_words_a_legend_and_its_figures(rich: str) -> None:
    read = Page(rich.removeprefix("<!doctype html>\n"))
    assert [a["id"] for _, a in read.of("figure")] == CHARTS
    plots = [a for _, a in read.of("svg") if a.get("class") == "plot"]
    assert len(plots) == len(CHARTS)
    assert all(a["role"] == "img" and len(a["aria-label"] or "") > 20 for a in plots)
    assert read.count("figcaption") == read.count("details") == len(CHARTS)
    assert all(a.get("aria-hidden") == "true" or a.get("role") == "img" or "viewbox" in a for _, a in read.of("svg"))


def test_it_tells_what_is_in_the_ledger(rich: str) -> None:
    data = gather(migration(Migration(rows=20_000))[0])
    text = Page(rich.removeprefix("<!doctype html>\n")).text
    told = [f"{rows:,}" for rows in data.counts.values() if rows]
    told += [
        f"{data.attempts:,}",
        "Activity not found",
        "bulk-update retry",
        "profile nightly",
        "interrupted by SIGINT",
    ]
    told += [organization.name or "" for organization in data.organizations]
    assert [word for word in told if word not in text] == []


def test_hostile_words_stay_text(bad: str) -> None:
    read = Page(bad.removeprefix("<!doctype html>\n"))
    assert re.findall(r"[^\n\x20-\x7e]", bad.replace("\n", "")) != []
    unprintable = {letter for letter in bad if not letter.isprintable()} - {"\n"}
    assert unprintable == set()
    for word in WORDS:
        if word.isprintable() and len(word) <= LONGEST:
            assert word in read.text
    assert r"\u202egnp.exe\u202c" in read.text
    assert r"a\x00b\x1b[31mred\x07\r\n\tz" in read.text


def test_hostile_words_leave_it_small(bad: str) -> None:
    assert len(bad.encode()) < 1_000_000
    assert "x" * (LONGEST + 1) not in bad


def test_a_long_message_is_short_until_it_is_opened() -> None:
    page = render(gather(wordy()), BEGAN)
    read = Page(page.removeprefix("<!doctype html>\n"))
    assert read.count("details") == len(CHARTS) + len(KINDS) + SLOWEST
    for said in KINDS:
        assert f'<details class="more"><summary><bdi class="message">{said[:159]}…</bdi></summary>' in page
        assert f'<bdi class="message">{said[:599]}…</bdi></details>' in page


def test_the_worst_that_can_be_told_leaves_it_below_a_megabyte() -> None:
    """As many reasons, runs, requests and settings as are shown, each as long and as costly to write as can be."""
    costly = "&<>" * LONGEST
    settings: dict[str, object] = {f"{number}{costly[:50]}": {"value": costly, "from": costly} for number in range(70)}
    appends: list[bytes] = []
    maker = LedgerMaker(appends.append, inputs=[f"{number}{costly}" for number in range(30)])
    for run in range(120):
        began = run * 10_000.0
        maker.run(began, settings=settings)
        for number in range(60 if run % 20 == 0 else 1):
            request, letter = run * 100 + number + 1, chr(65 + number)
            row = change(request, f"{request}{costly}")
            error = RowError(letter + costly, letter + costly, 500)
            maker.sending(request, began + number, [row])
            maker.attempt(request, began + number + 0.5, [row], Came(1, 400.0 + number, 500, error))
            maker.attempt(request, began + number * 99.0, [row], Came(2, 500.0 + number))
            maker.result(row, Status.FAILED, error)
        maker.end(began + 9_000.0, 3, {"run_seconds": 9_000.0, "stopped": costly, "complete": False})
    page = render(gather(b"".join(appends)), BEGAN)
    Page(page.removeprefix("<!doctype html>\n"))
    assert len(page.encode()) < 1_000_000


# ------------------------------------------------------------------------------------------- colours


def _colours(scheme: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+):(#[0-9a-f]{3,6})", scheme))


def _contrast(one: str, other: str) -> float:
    """Tell the contrast of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        digits = colour[1:] if len(colour) == 7 else "".join(2 * digit for digit in colour[1:])
        parts = [int(digits[at : at + 2], 16) / 255 for at in (0, 2, 4)]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


LIGHT, DARK = re.findall(r":root\{([^}]*)\}", STYLE)[:2]


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_contrast_is_enough_to_read_and_to_tell_apart(scheme: str) -> None:
    colours = _colours(scheme)
    texts = ("ink", "soft", "link", "updated", "failed", "invalid", "unknown", "superseded")
    for text, ground in product(texts, ("card", "page")):
        assert _contrast(colours[text], colours[ground]) >= 4.5, (text, ground)
    for drawn, ground in product((*texts[3:], "first", "retry", "p50", "p90", "p99", "limit"), ("card", "panel")):
        assert _contrast(colours[drawn], colours[ground]) >= 3.0, (drawn, ground)


def test_both_schemes_name_the_same_colours() -> None:
    assert _colours(LIGHT).keys() == _colours(DARK).keys()


def test_no_series_is_told_by_colour_alone() -> None:
    """Next to solid bars lie only such as have a pattern; lines differ in their dashes."""
    solid = re.findall(r"(?:^|\})(\.f-[.\w,-]+)\{fill:var\(--\w+\)\}", STYLE)
    assert solid == [".f-updated,.f-with-verdicts", ".f-first"]
    dashes = [
        re.search(rf"\.l-{name}\{{[^}}]*?(stroke-dasharray:[^;}}]*)?\}}", STYLE) for name in ("p50", "p90", "p99")
    ]
    assert len({match[1] for match in dashes if match is not None}) == 3
