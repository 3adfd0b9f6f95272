import pytest

from bulk_update.pure.commands import main_job, target
from bulk_update.pure.ledger_lines import FORMAT, RunLine

LEDGER = "c.ndjson.ledger.ndjson"


def run_line(
    inputs: list[str], paths: list[str] | None = None, api: str = "sandbox", settings: dict[str, object] | None = None
) -> RunLine:
    return RunLine(FORMAT, "0.1.0", "", "run", inputs, api, "", "", settings or {}, paths=paths or [])


@pytest.mark.parametrize(
    ("ledger", "paths", "expected"),
    [
        pytest.param(LEDGER, ["c.ndjson"], ["c.ndjson"], id="beside"),
        pytest.param(f"data/{LEDGER}", ["data/c.ndjson"], ["data/c.ndjson"], id="in a folder"),
        pytest.param(LEDGER, ["./c.ndjson"], ["./c.ndjson"], id="as it was named"),
        pytest.param(LEDGER, ["data/c.ndjson"], ["c.ndjson"], id="from within the folder"),
        pytest.param(f"../data/{LEDGER}", ["data/c.ndjson"], ["../data/c.ndjson"], id="from elsewhere"),
        pytest.param(f"old/{LEDGER}", ["data/c.ndjson", "data/d.csv"], ["old/c.ndjson", "old/d.csv"], id="moved"),
        pytest.param("l.ndjson", ["data/c.ndjson"], ["data/c.ndjson", "--ledger", "l.ndjson"], id="ledger elsewhere"),
        pytest.param(f"a/{LEDGER}", ["a/c.ndjson", "b/d.csv"], ["a/c.ndjson", "b/d.csv"], id="two folders"),
        pytest.param(
            LEDGER, ["a/c.ndjson", "b/d.csv"], ["a/c.ndjson", "b/d.csv", "--ledger", LEDGER], id="two, and elsewhere"
        ),
        pytest.param(LEDGER, ["https://host/in/c.ndjson?..."], ["https://host/in/c.ndjson?..."], id="URL"),
        pytest.param(
            f"x/{LEDGER}",
            ["https://host/in/c.ndjson"],
            ["https://host/in/c.ndjson", "--ledger", f"x/{LEDGER}"],
            id="URL, ledger elsewhere",
        ),
        pytest.param(
            "data/c.ndjson.sandbox.ledger.ndjson", ["data/c.ndjson"], ["data/c.ndjson"], id="beside, of a rehearsal"
        ),
        pytest.param("l", ["-"], ["-", "--ledger", "l"], id="standard input"),
    ],
)
def test_the_main_job_names_its_inputs_where_they_lie(ledger: str, paths: list[str], expected: list[str]) -> None:
    names = [path.removesuffix("?...").rpartition("/")[2] for path in paths]
    assert main_job(ledger, run_line(names, paths)) == expected


@pytest.mark.parametrize(
    ("ledger", "expected"),
    [(f"data/{LEDGER}", ["data/c.ndjson", "data/d.csv"]), ("l", ["c.ndjson", "d.csv", "--ledger", "l"])],
)
def test_inputs_whose_place_is_not_known_are_named_as_the_ledger_does(ledger: str, expected: list[str]) -> None:
    assert main_job(ledger, run_line(["c.ndjson", "d.csv"])) == expected


def test_a_ledger_without_inputs_is_named_alone() -> None:
    assert main_job("l", run_line([])) == ["--ledger", "l"]


@pytest.mark.parametrize(
    ("api", "settings", "expected"),
    [
        ("https://api.velt.dev", {}, []),
        ("http://127.0.0.1:8787", {"sandboxSeed": "s"}, ["--api-url", "http://127.0.0.1:8787"]),
        ("sandbox", {}, ["--sandbox"]),
        (
            "sandbox",
            {"sandboxSeed": "seed.ndjson", "sandboxFaults": {"value": "bad-day", "from": "flag"}},
            ["--sandbox", "--sandbox-seed", "seed.ndjson", "--sandbox-faults", "bad-day"],
        ),
    ],
)
def test_the_target_is_where_a_run_sent_its_requests(
    api: str, settings: dict[str, object], expected: list[str]
) -> None:
    assert target(run_line(["c.ndjson"], api=api, settings=settings)) == expected
