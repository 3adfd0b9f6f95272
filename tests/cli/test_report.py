"""`report` as a process: text, JSON and a page; what stands where the page is to go."""

import json
import os
import stat
from pathlib import Path

import pytest

from tests.cli.process import run
from tests.report.ledgers import LedgerMaker
from tests.report.pages import Page
from tests.report.weather import Migration, migration


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """Give the ledger of a migration."""
    path = tmp_path / "changes.ndjson.ledger.ndjson"
    path.write_bytes(migration(Migration(rows=2_000))[0])
    return path


def counts() -> dict[str, int]:
    return {status.value: rows for status, rows in migration(Migration(rows=2_000))[1].items() if rows}


async def test_text_goes_to_standard_output(ledger: Path) -> None:
    ended = await run("report", ledger, env={})
    assert (ended.code, ended.err) == (0, "")
    assert f"{counts()['updated']:,} updated" in ended.out
    assert "bulk-update failures" in ended.out


async def test_json_is_one_object(ledger: Path) -> None:
    told = (await run("report", ledger, "--json", env={})).json
    assert told["counts"] == counts()
    assert told["rows"] == 2_000
    assert told["ledger"] == str(ledger)
    assert {"inputs", "api", "in_doubt", "requests", "attempts", "seconds", "complete", "failures"} <= told.keys()
    assert {"next", "runs", "courses", "latency", "organizations", "slowest", "settings", "outcomes"} <= told.keys()
    assert told["next"][0].startswith("bulk-update ")
    assert told["runs"][0]["began"] == "2026-11-23T02:00:00.000Z"


async def test_a_page_is_written_for_its_owner_alone(ledger: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    ended = await run("report", ledger, "--html", page, env={})
    assert (ended.code, ended.out) == (0, "")
    assert str(page) in ended.err
    assert stat.S_IMODE(page.stat().st_mode) == 0o600
    assert Page(page.read_text().removeprefix("<!doctype html>\n")).count("figure") == 5
    assert sorted(path.name for path in tmp_path.iterdir()) == [ledger.name, page.name]


async def test_a_page_takes_the_place_of_a_page_through_a_link(ledger: Path, tmp_path: Path) -> None:
    page, link = tmp_path / "report.html", tmp_path / "latest.html"
    page.write_text("<!DOCTYPE html><p>old")
    page.chmod(0o644)
    link.symlink_to(page)
    assert (await run("report", ledger, "--html", link, env={})).code == 0
    assert link.is_symlink()
    assert "old" not in page.read_text()[:30]
    assert stat.S_IMODE(page.stat().st_mode) == 0o600


async def test_a_page_may_go_to_standard_output_and_stand_beside_json(ledger: Path, tmp_path: Path) -> None:
    printed = await run("report", ledger, "--html", "-", env={})
    assert printed.out.startswith("<!doctype html>")
    both = await run("report", ledger, "--html", tmp_path / "r.html", "--json", env={})
    assert both.json["rows"] == 2_000
    assert (await run("report", ledger, "--html", "-", "--json", env={})).code == 2


@pytest.mark.parametrize(
    "target", ["changes.ndjson.ledger.ndjson", "link", "other.ndjson", "folder", "none/r.html", "pipe", "loop"]
)
async def test_what_is_no_page_is_left_alone(target: str, ledger: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(ledger)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    (tmp_path / "other.ndjson").write_text('{"id":"a"}\n')
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    before = {path.name: path.lstat().st_mtime_ns for path in tmp_path.iterdir()}
    ended = await run("report", ledger, "--html", tmp_path / target, env={})
    assert (ended.code, ended.out) == (2, "")
    assert "--html" in ended.err
    assert {path.name: path.lstat().st_mtime_ns for path in tmp_path.iterdir()} == before


async def test_a_page_that_cannot_be_written_leaves_nothing_behind(ledger: Path) -> None:
    ended = await run("report", ledger, "--html", "/proc/report.html", env={})
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)


async def test_a_ledger_without_a_run_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "l.ndjson"
    path.write_bytes(b"")
    ended = await run("report", path, env={})
    assert (ended.code, ended.out) == (2, "")
    assert "holds no run" in ended.err


async def test_a_damaged_ledger_is_refused_with_its_line(ledger: Path, tmp_path: Path) -> None:
    ledger.write_bytes(ledger.read_bytes().replace(b'"status":"failed"', b'"status":"fa1led"', 1))
    ended = await run("report", ledger, "--html", tmp_path / "r.html", env={})
    assert ended.code == 2
    assert "line" in ended.err
    assert not (tmp_path / "r.html").exists()


async def test_a_terminal_without_unicode_gets_ascii(tmp_path: Path) -> None:
    appends: list[bytes] = []
    LedgerMaker(appends.append, inputs=["änderung.ndjson"]).run()
    path = tmp_path / "l.ndjson"
    path.write_bytes(b"".join(appends))
    env = {"PYTHONIOENCODING": "ascii"}
    assert (await run("report", path, env=env)).out.isascii()
    told = await run("report", path, "--json", env=env)
    assert told.out.isascii()
    assert json.loads(told.out)["inputs"] == ["änderung.ndjson"]
