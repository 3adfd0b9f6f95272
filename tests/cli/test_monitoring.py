"""A job that nobody watches tells how it goes: in metrics, in a file, and to a URL; and none of it changes anything."""

import asyncio
import json
import signal
import socket
import stat
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import pytest

from bulk_update.edge.ping import LONGEST
from tests.cli.process import Ended, end, run, running
from tests.cli.test_interruption import Held, said
from tests.exposition import Family, parse
from tests.runs import KEY, TOKEN, ndjson, rows
from tests.servers.misbehaving import MisbehavingServer, open_misbehaving
from tests.servers.pinged import Pinged, open_pinged
from tests.servers.replies import html, ok, verdicts

START: Final = "/5e0f1c9a-SECRET/start"


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    """Give an input of five rows of one organization."""
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(5)))
    return path


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    return tmp_path / "nightly.prom"


@pytest.fixture
def summary(tmp_path: Path) -> Path:
    return tmp_path / "summary.json"


async def send(server: MisbehavingServer, *words: str | Path) -> Ended:
    return await run(*words, "--api-url", server.url, "--rate", "none")


def read(path: Path) -> dict[str, Family]:
    return parse(path.read_text())


def value(path: Path, metric: str, /, **labels: str) -> float:
    return read(path)[f"bulk_update_{metric}"].value(**labels)


# ---------------------------------------------------------------------------------------- metrics


async def test_metrics_tell_how_a_run_has_ended(changes: Path, metrics: Path) -> None:
    began = time.time()
    async with open_misbehaving([verdicts({"a1": False}), ok()]) as server:
        failed = await send(server, changes, "--metrics-file", metrics)
        assert (failed.code, value(metrics, "last_exit_code"), value(metrics, "running")) == (1, 1, 0)
        assert value(metrics, "rows", status="failed") == 1
        assert "bulk_update_last_success_timestamp_seconds" not in read(metrics)
        ledger = f"{changes}.ledger.ndjson"
        well = await send(server, "retry", ledger, "--metrics-file", metrics)
    assert (well.code, value(metrics, "last_exit_code")) == (0, 0)
    assert (value(metrics, "rows", status="updated"), value(metrics, "input_complete")) == (5, 1)
    assert value(metrics, "done_ratio") == 1
    assert began <= value(metrics, "last_success_timestamp_seconds") <= time.time()
    assert value(metrics, "run_info", verb="retry", ledger="changes.ndjson.ledger.ndjson", name="nightly") == 1
    assert stat.S_IMODE(metrics.stat().st_mode) == 0o644


async def test_metrics_remember_the_last_success(changes: Path, metrics: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        assert (await send(server, changes, "--metrics-file", metrics)).code == 0
        success = value(metrics, "last_success_timestamp_seconds")
        assert (await send(server, "none.ndjson", "--metrics-file", metrics)).code == 2
    assert (value(metrics, "last_exit_code"), value(metrics, "last_success_timestamp_seconds")) == (2, success)
    assert value(metrics, "last_end_timestamp_seconds") > success
    assert "bulk_update_rows" not in read(metrics)


async def test_metrics_are_there_while_a_run_is_at_work(changes: Path, metrics: Path) -> None:
    held = Held()
    async with open_misbehaving([ok(), held]) as server:
        words = ("--metrics-file", metrics, "--batch-size", "1", "--concurrency", "1", "--rate", "none")
        async with running(changes, "--api-url", server.url, *words) as process:
            await server.until(lambda: len(server.requests) == 2)
            assert (value(metrics, "running"), value(metrics, "requests_total")) == (1, 0)
            held.go.set()
            assert (await end(process)).code == 0
    assert (value(metrics, "running"), value(metrics, "requests_total")) == (0, 5)


# ---------------------------------------------------------------------------------------- summary


async def test_the_summary_in_a_file_is_that_of_json(changes: Path, summary: Path) -> None:
    async with open_misbehaving([verdicts({"a1": False})]) as server:
        ended = await send(server, changes, "--summary-file", summary, "--json")
    assert json.loads(summary.read_text()) == ended.json
    assert (ended.code, ended.json["failed"]) == (1, 1)
    assert stat.S_IMODE(summary.stat().st_mode) == 0o600


async def test_the_summary_is_there_when_a_run_stops_early_and_of_this_run_alone(changes: Path, summary: Path) -> None:
    async with open_misbehaving([html(404)]) as server:
        assert (await send(server, changes, "--summary-file", summary)).code == 3
        assert json.loads(summary.read_text())["exit"] == 3
        assert (await send(server, "none.ndjson", "--summary-file", summary)).code == 2
    assert not summary.exists()


# ------------------------------------------------------------------------------------------- pings


async def told(pinged: Pinged, *words: str | Path, env: dict[str, str] | None = None) -> Ended:
    return await run(*words, "--ping-url", pinged.url, env=env)


Ending = tuple[int, Callable[[MisbehavingServer, Path], tuple[str | Path, ...]]]
ENDINGS: Final[dict[str, Ending]] = {
    "well": (0, lambda server, path: (path, "--api-url", server.url)),
    "some failed": (1, lambda server, path: (path, "--api-url", server.url)),
    "no such input": (2, lambda server, path: (path.with_name("none.ndjson"), "--api-url", server.url)),
    "a wrong setting": (2, lambda server, path: (path, "--api-url", server.url, "--rate", "fast")),
    "nowhere for the metrics": (2, lambda server, path: (path, "--sandbox", "--metrics-file", path)),
    "stopped": (3, lambda server, path: (path, "--api-url", server.url)),
}
SCRIPTS: Final = {"some failed": verdicts({"a1": False}), "stopped": html(404)}


@pytest.mark.parametrize("name", ENDINGS)
async def test_the_start_and_the_exit_code_are_told(name: str, changes: Path) -> None:
    code, words = ENDINGS[name]
    async with open_misbehaving([SCRIPTS.get(name, ok())]) as server, open_pinged() as pinged:
        ended = await told(pinged, *words(server, changes))
    assert ended.code == code
    assert pinged.places == [START, f"/5e0f1c9a-SECRET/{code}"]
    assert "SECRET" not in ended.out + ended.err
    body = pinged.told[1][1]
    assert (json.loads(body)["exit"] == code) if code != 2 else (body == b"")
    assert KEY.encode() not in body


async def test_a_body_holds_counts_and_no_words(changes: Path) -> None:
    async with open_misbehaving([verdicts({"a1": False})]) as server, open_pinged() as pinged:
        await told(pinged, changes, "--api-url", server.url)
    body: dict[str, Any] = json.loads(pinged.told[1][1])
    assert {name: body[name] for name in ("rows", "updated", "failed", "unsent")} == {
        "rows": 5,
        "updated": 4,
        "failed": 1,
        "unsent": 0,
    }
    assert {type(each) for each in body.values()} <= {int, float, bool}


async def test_a_locked_ledger_is_told(changes: Path) -> None:
    held = Held()
    async with open_misbehaving([held]) as server, open_pinged() as pinged:
        async with running(changes, "--api-url", server.url) as process:
            await server.until(lambda: len(server.requests) == 1)
            assert (await told(pinged, changes, "--api-url", server.url)).code == 2
            held.go.set()
            assert (await end(process)).code == 0
    assert pinged.places[1].endswith("/2")


async def test_a_signal_is_told(changes: Path, metrics: Path, summary: Path) -> None:
    held = Held()
    async with open_misbehaving([ok(), held]) as server, open_pinged() as pinged:
        words = ("--ping-url", pinged.url, "--metrics-file", metrics, "--summary-file", summary)
        pace = ("--rate", "none", "--batch-size", "1", "--concurrency", "1")
        async with running(changes, "--api-url", server.url, *words, *pace) as process:
            await server.until(lambda: len(server.requests) == 2)
            process.send_signal(signal.SIGTERM)
            await said(process, b"SIGTERM")
            held.go.set()
            assert (await end(process)).code == 143
    assert pinged.places[1].endswith("/143")
    assert (value(metrics, "last_exit_code"), value(metrics, "rows", status="unsent")) == (143, 3)
    assert json.loads(summary.read_text())["exit"] == 143


async def test_the_url_may_come_from_the_environment_and_stands_nowhere(changes: Path) -> None:
    async with open_misbehaving([verdicts({"a1": False}), html(404)]) as server, open_pinged() as pinged:
        secrets = {"VELT_API_KEY": KEY, "VELT_AUTH_TOKEN": TOKEN, "BULK_UPDATE_PING_URL": pinged.url}
        ended = await run(changes, "--api-url", server.url, "--json", env=secrets)
        other = changes.with_name("other.ledger")
        again = await told(pinged, changes, "--api-url", server.url, "--json", "--ledger", other)
    assert (ended.code, again.code, len(pinged.told)) == (1, 3, 4)
    assert again.json["next"] == f"bulk-update {changes} --api-url {server.url} --json --ledger {other}"
    left = b"".join(path.read_bytes() for path in changes.parent.iterdir())
    assert "SECRET" not in ended.out + ended.err + again.out + again.err
    assert b"SECRET" not in left


# ------------------------------------------------------------------------- what cannot be told


async def test_whoever_cannot_be_told_changes_nothing(changes: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}/SECRET"
        async with open_misbehaving([ok()]) as server:
            ended = await send(server, changes, "--ping-url", url, "--quiet", "--json")
    assert (ended.code, ended.json["exit"]) == (0, 0)
    assert ended.err == "bulk-update: WARNING: --ping-url: 127.0.0.1 cannot be told: Connection refused\n"


async def test_who_does_not_answer_holds_up_no_end(changes: Path) -> None:
    async with open_misbehaving([ok()]) as server, open_pinged(None) as pinged:
        began = time.monotonic()
        async with running(changes, "--api-url", server.url, "--ping-url", pinged.url) as process:
            await asyncio.wait_for(pinged.heard.wait(), 30)
            ended = await end(process)
    assert ended.code == 0
    assert "127.0.0.1 has not answered within" in ended.err
    assert time.monotonic() - began < LONGEST + 20


async def test_a_signal_while_a_ping_is_waited_for_ends_that_and_changes_no_code(changes: Path) -> None:
    async with open_misbehaving([verdicts({"a1": False})]) as server, open_pinged(None) as pinged:
        async with running(changes, "--api-url", server.url, "--ping-url", pinged.url) as process:
            while len(pinged.told) < 2:
                pinged.heard.clear()
                await asyncio.wait_for(pinged.heard.wait(), 30)
            process.send_signal(signal.SIGINT)
            ended = await end(process)
    assert ended.code == 1


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="there is no folder in which nobody may write")
async def test_files_that_cannot_be_written_are_told_once_and_change_nothing(changes: Path) -> None:
    files = ("--metrics-file", "/proc/a.prom", "--summary-file", "/proc/s.json")
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, changes, *files, "--quiet")
    assert ended.code == 0
    counts, *lines = sorted(ended.err.splitlines(), key=lambda line: "WARNING" in line)
    assert counts.startswith("bulk-update: 5 rows: 5 updated; ledger: ")
    assert [line.split(":")[2].strip() for line in lines] == ["--metrics-file", "--summary-file"]
    assert all("cannot be written: " in line for line in lines)
    assert "5 updated" in counts


# -------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("option", ["--metrics-file", "--summary-file"])
@pytest.mark.parametrize("target", ["changes.ndjson", "new.ledger.ndjson", "link", "notes", "folder", "none/m"])
async def test_what_is_no_such_file_is_left_alone(option: str, target: str, changes: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(changes)
    (tmp_path / "notes").write_text("my notes\n")
    (tmp_path / "folder").mkdir()
    before = changes.read_bytes()
    async with open_misbehaving([ok()]) as server:
        ended = await send(server, changes, "--ledger", tmp_path / "new.ledger.ndjson", option, tmp_path / target)
        assert server.requests == []
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert option in ended.err
    assert changes.read_bytes() == before
    assert (tmp_path / "notes").read_text() == "my notes\n"


async def test_one_file_is_not_used_for_both(changes: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    ended = await run(changes, "--sandbox", "--metrics-file", both, "--summary-file", both)
    assert (ended.code, "--summary-file" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "url",
    [
        "http://hc.example/SECRET",
        "ftp://hc.example/SECRET",
        "hc.example/SECRET",
        "https:///SECRET",
        "https://user:SECRET@hc.example/",
        "https://hc.example/SECRET#part",
        "https://hc.example/SEC RET",
        "https://hc.example:port/SECRET",
        "https://[::1/SECRET",
        "https://-/SECRET",
    ],
)
async def test_a_url_that_cannot_be_told_is_refused_and_not_shown(url: str, changes: Path) -> None:
    ended = await run(changes, "--sandbox", "--ping-url", url)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "--ping-url: " in ended.err
    assert "SEC" not in ended.err
