"""The page in a real browser: nothing is refused or complained of, the charts are there, nothing sticks out.

Needs Debian's package chromium, or another Chromium on the path; without one these tests are skipped.
"""

import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from typing import Any, Final

import pytest

from bulk_update.report.page import render
from tests.report.hostile import hostile
from tests.report.ledgers import BEGAN, gather, many_runs
from tests.report.weather import Migration, migration
from tests.report.wordy import wordy

CHROMIUM: Final = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="NO BROWSER: install chromium to see the page tested for real")

LONGEST: Final = 90
"""Seconds that a browser may take, on a machine that has much else to do."""

_MEASURE: Final = """
<!doctype html><meta charset="utf-8"><body><script>
const told = {}, wanted = WANTED;
let left = wanted.length;
const measure = (name, page) => {
  const root = page.documentElement, style = element => getComputedStyle(element);
  const fill = element => element && style(element).fill;
  const out = [...page.querySelectorAll("body *")].filter(e => {
    const box = e.getBoundingClientRect();
    return box.width && box.right > root.clientWidth + 1 && !e.closest(".scroll") && !e.closest(".plot svg");
  });
  const labels = [...page.querySelectorAll(".chart text")].filter(e => style(e).display !== "none");
  told[name] = {
    room: root.clientWidth, wide: root.scrollWidth,
    out: out.map(e => e.outerHTML.slice(0, 200)),
    background: style(page.body).backgroundColor,
    ink: style(page.body).color,
    plots: [...page.querySelectorAll("svg.plot")].map(e => e.getBoundingClientRect().width),
    bars: [...page.querySelectorAll(".plot .bin rect:not(.hit)")]
      .filter(e => e.getBoundingClientRect().height > 0).length,
    lines: [...page.querySelectorAll(".plot path")].map(e => style(e).stroke),
    filled: fill(page.querySelector(".f-updated")),
    patterned: fill(page.querySelector(".f-failed")),
    labels: labels.length,
    touching: labels.filter((one, at) => labels.slice(at + 1).some(other => {
      const a = one.getBoundingClientRect(), b = other.getBoundingClientRect();
      return a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 2 && b.top < a.bottom - 2;
    })).map(e => e.textContent),
    scripts: page.scripts.length,
    alerts: page.querySelectorAll("img, script, iframe, object, [onclick], [onload], [onerror]").length,
  };
  if (!--left) document.body.dataset.told = JSON.stringify(told);
};
for (const [name, file, width] of wanted) {
  const frame = document.createElement("iframe");
  frame.width = width; frame.height = 2000;
  frame.onload = () => measure(name, frame.contentDocument);
  frame.src = file;
  document.body.append(frame);
}
</script>
"""


def browse(folder: Path, page: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    """Open a page in a browser that knows nothing and reaches nobody."""
    assert CHROMIUM is not None
    apart = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"]
    profile = folder / f"profile-{len(list(folder.iterdir()))}"
    words = ["--headless", "--no-sandbox", "--disable-gpu", *apart, f"--user-data-dir={profile}"]
    words += ["--host-resolver-rules=MAP * ~NOTFOUND", "--enable-logging=stderr", *flags, page.as_uri()]
    return subprocess.run([CHROMIUM, *words], capture_output=True, text=True, timeout=LONGEST, check=False)


def complaints(ended: subprocess.CompletedProcess[str]) -> list[str]:
    """Give what the browser's console said."""
    return [line for line in ended.stderr.splitlines() if "CONSOLE" in line]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder with pages: of a migration, of many runs, and of a ledger that means ill."""
    place = tmp_path_factory.mktemp("pages")
    (place / "rich.html").write_text(render(gather(migration(Migration(rows=20_000))[0]), BEGAN))
    (place / "many.html").write_text(render(gather(many_runs()), BEGAN))
    (place / "bad.html").write_text(render(gather(hostile()), BEGAN))
    (place / "wordy.html").write_text(render(gather(wordy()), BEGAN))
    return place


def measured(folder: Path, *flags: str) -> dict[str, Any]:
    """Measure the pages, on a desk and on a phone."""
    wanted = [
        (f"{page} {width}", f"{page}.html", width + 15)  # 15: the frame's scroll bar
        for page in ("rich", "bad", "many", "wordy")
        for width in (380, 800, 1400)
    ]
    wrapper = folder / f"measure-{len(flags)}.html"
    wrapper.write_text(_MEASURE.replace("WANTED", json.dumps(wanted)))
    ended = browse(folder, wrapper, "--allow-file-access-from-files", "--dump-dom", *flags)
    assert complaints(ended) == []
    match = re.search(r'data-told="([^"]*)"', ended.stdout)
    assert match is not None, ended.stderr[-2000:]
    told: dict[str, Any] = json.loads(unescape(match[1]))
    return told


@pytest.fixture(scope="module")
def light(folder: Path) -> dict[str, Any]:
    """Give what was measured with the light scheme."""
    return measured(folder)


def test_the_console_would_complain_if_there_were_something(folder: Path) -> None:
    page = folder / "complained-of.html"
    text = (folder / "rich.html").read_text()
    page.write_text(text.replace("<body>", '<body style="color:red"><script>alert(1)</script>', 1))
    assert len(complaints(browse(folder, page, "--dump-dom"))) == 2


@pytest.mark.parametrize(
    "name", [f"{page} {width}" for page in ("rich", "bad", "many", "wordy") for width in (380, 800, 1400)]
)
def test_the_charts_are_there_and_nothing_sticks_out(light: dict[str, Any], name: str) -> None:
    told, width = light[name], int(name.split()[1])
    assert told["room"] == width
    assert told["wide"] <= width
    assert told["out"] == []
    assert len(told["plots"]) == 5
    assert all(plot > 0.6 * min(width, 1000) for plot in told["plots"])
    assert told["bars"] > 100
    assert len(told["lines"]) >= 3
    assert "none" not in told["lines"]
    assert told["labels"] > 20
    assert told["touching"] == []
    assert (told["scripts"], told["alerts"]) == (0, 0)


def test_its_style_is_allowed_and_light(light: dict[str, Any]) -> None:
    told = light["rich 1400"]
    assert told["background"] == "rgb(246, 246, 243)"
    assert told["filled"] == "rgb(15, 123, 95)"
    assert told["patterned"] == 'url("#over-failed")'


def test_it_is_dark_where_dark_is_preferred(folder: Path) -> None:
    told = measured(folder, "--blink-settings=preferredColorScheme=0")["rich 1400"]
    assert told["background"] == "rgb(18, 20, 24)"
    assert told["ink"] == "rgb(233, 235, 238)"
    assert told["filled"] == "rgb(63, 182, 143)"


@pytest.mark.parametrize(("page", "most"), [("rich", 6), ("wordy", 8)])
def test_it_prints_on_a_few_pages(folder: Path, page: str, most: int) -> None:
    paper = folder / f"{page}.pdf"
    ended = browse(folder, folder / f"{page}.html", "--no-pdf-header-footer", f"--print-to-pdf={paper}")
    assert complaints(ended) == []
    printed = paper.read_bytes()
    assert printed.startswith(b"%PDF-")
    pages = len(re.findall(rb"/Type\s*/Page\b", printed))
    assert 3 <= pages <= most
