"""The benchmarks measure what they say: inputs, figures, costs, the picture, and who is in the table."""

import csv
import json
import shutil
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Literal, cast
from xml.etree import ElementTree as ET

import pytest

from benchmarks import readme
from benchmarks.chart import Panel, draw, short
from benchmarks.children import Costs, Failed, run
from benchmarks.contest import contest
from benchmarks.figures import Figure, counted, table
from benchmarks.inputs import CSV_HEADER, Spec, make_bodies, make_input, write_rows
from benchmarks.sampled import OTHER, stage_of, stages
from benchmarks.server import open_server


@pytest.mark.parametrize("spread", ["even", "zipf", "turns"])
@pytest.mark.parametrize("size", [300, 2_000])
def test_rows_are_of_one_size_and_make_the_requests_that_are_told(
    tmp_path: Path, spread: Literal["even", "zipf", "turns"], size: int
) -> None:
    source = make_input(tmp_path, Spec(5_000, 30, size, spread))
    lines = source.path.read_bytes().splitlines(keepends=True)
    assert {len(line) for line in lines} == {size}
    rows = [json.loads(line) for line in lines]
    assert len({row["id"] for row in rows}) == 5_000
    counts = Counter(row["organizationId"] for row in rows)
    assert source.best == sum(-(-count // 100) for count in counts.values())
    bodies = [json.loads(line)["data"] for line in make_bodies(source).read_bytes().splitlines()]
    assert len(bodies) == source.best
    told = [{"organizationId": body["organizationId"], **row} for body in bodies for row in body["activities"]]
    assert sorted(told, key=lambda row: str(row["id"])) == rows


def test_rows_are_the_same_in_every_run(tmp_path: Path) -> None:
    spec = Spec(1_000, 7, spread="zipf")
    written = [write_rows(tmp_path / name, spec) for name in ("one", "other")]
    assert written[0] == written[1]
    assert (tmp_path / "one").read_bytes() == (tmp_path / "other").read_bytes()


def test_rows_that_come_in_turns_wait_until_the_last_one(tmp_path: Path) -> None:
    waiting = write_rows(tmp_path / "rows", Spec(1_000, 100, spread="turns", batch=10))["waiting"]
    assert waiting == 900
    assert write_rows(tmp_path / "rows", Spec(1_000, 1, batch=10))["waiting"] == 9


def test_csv_holds_the_same_rows(tmp_path: Path) -> None:
    spec = Spec(300, 3)
    rows = [json.loads(line) for line in make_input(tmp_path, spec).path.read_text().splitlines()]
    with make_input(tmp_path, replace(spec, form="csv")).path.open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert tuple(cells[0]) == CSV_HEADER
    for row, cell in zip(rows, cells, strict=True):
        data = row["displayMessageTemplateData"]
        assert cell["id"] == row["id"]
        assert json.loads(cell["changes"]) == row["changes"]
        assert cell["displayMessageTemplateData.user.name"] == data["user"]["name"]
        assert cell["entityData.note"] == row["entityData"]["note"]


def test_figures_are_medians_with_their_spread_and_ratios_are_taken_run_by_run() -> None:
    figure = Figure([3.0, 1.0, 2.0])
    assert figure.words(1) == "2.0 (1.0 to 3.0)"
    assert figure.against(Figure([6.0, 1.0, 4.0])).values == [0.5, 1.0, 0.5]
    assert Figure([1_234.5]).words(0) == "1,234"
    assert (counted(1, "row"), counted(1_000, "row")) == ("1 row", "1,000 rows")


def test_tables_are_markdown() -> None:
    assert table(("", "n"), [("one", "1"), ("ten", "10")]) == ("|     |  n |\n|-----|---:|\n| one |  1 |\n| ten | 10 |")


def test_the_picture_is_well_formed_and_holds_every_point() -> None:
    points = [(10**power, Figure([5.0, 5.5, 5.2])) for power in range(6)]
    picture = draw([Panel("rows & more", "rows", "us", points), Panel("one", "rows", "us", points[:1])])
    found = [element.tag.rpartition("}")[2] for element in ET.fromstring(picture).iter()]  # noqa: S314 - ours
    assert found.count("circle") == 7
    assert found.count("polyline") == 2
    assert [short(number) for number in (1, 300, 10_000, 3_000_000)] == ["1", "300", "10k", "3M"]


def test_costs_are_those_of_the_program() -> None:
    spinning = run([sys.executable, "-c", "for n in range(3_000_000): pass\nprint('done')"])
    assert spinning.out == "done\n"
    assert spinning.cpu > 0.02
    assert Costs([spinning]).cpu(1_000_000).median == pytest.approx(spinning.cpu)


def test_memory_is_that_of_the_program() -> None:
    """What a process held before it started a program is told as the program's: so a small one asks here."""
    script = (
        "import sys; from benchmarks.children import Costs, run; "
        "print(Costs([run([sys.executable, '-c', 'b = bytearray(99_000_000)'])]).peak().median)"
    )
    asking = run([sys.executable, "-c", script], {"PYTHONPATH": str(Path(__file__).parents[2])})
    assert 99 < float(asking.out) < 199


def test_a_program_that_fails_ends_the_measurement() -> None:
    with pytest.raises(Failed, match=r"ended with 3 .*: trouble"):
        run([sys.executable, "-c", "import sys; sys.exit(print('trouble', file=sys.stderr) or 3)"])


def test_what_was_found_takes_the_place_of_what_was_found_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- jobs -->\nold\n<!-- end of jobs -->\nafter\n")
    monkeypatch.setattr(readme, "README", path)
    for words in ("new", "newer"):
        readme.record({"jobs": words})
        assert path.read_text() == f"before\n<!-- jobs -->\n\n{words}\n\n<!-- end of jobs -->\nafter\n"
    with pytest.raises(SystemExit, match="no place for other"):
        readme.record({"other": "x"})


@pytest.mark.skipif(shutil.which("cc") is None, reason="the benchmarks' server needs a C compiler")
def test_our_jobs_and_the_rivals_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with open_server() as server:
        monkeypatch.setattr("benchmarks.contenders.elasticsearch_python", lambda: None)
        monkeypatch.setattr("benchmarks.contenders.shutil.which", lambda _name: None)
        words = contest(tmp_path, server, rows=1_000, rounds=1)
    labels = [line.split("|")[1].strip() for line in words.splitlines() if line.startswith("| ")]
    assert labels[1:4] == ["main job", "main job, the same rows as CSV", "check"]
    assert len(labels) == 11
    assert "**Not measured**: GNU parallel with jq and curl: there is no parallel and no jq and no curl here." in words
    assert "**Not measured**: elasticsearch-py" in words


def test_a_sample_counts_for_the_stage_that_called_what_is_running() -> None:
    def frame(*files: str) -> FrameType:
        """Make frames, the innermost first."""
        above = None
        for file in reversed(files):
            above = SimpleNamespace(f_code=SimpleNamespace(co_filename=file), f_back=above)
        return cast("FrameType", above)

    site, ours = "/x/lib/python3.11/site-packages/", "/x/bulk_update/"
    assert stage_of(frame(f"{ours}pure/activity.py")) == "read a row and validate it"
    assert stage_of(frame("/x/lib/python3.11/json/encoder.py", f"{ours}pure/ledger_lines.py")).startswith("record")
    assert stage_of(frame(f"{site}aiohttp/streams.py", f"{ours}pipeline.py")) == "HTTP"
    assert stage_of(frame("/x/lib/python3.11/asyncio/events.py")).startswith("event loop")
    assert stage_of(frame("<frozen importlib._bootstrap>", f"{ours}pipeline.py")) == OTHER
    assert stage_of(frame("<string>")) == OTHER


def test_the_stages_of_a_run_are_told_with_their_shares(tmp_path: Path) -> None:
    with open_server() as server:
        said = stages(tmp_path, server, rows=2_000, rounds=1)
    assert "read a row and validate it" in said
    assert "| all" in said
