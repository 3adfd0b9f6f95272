import pytest

from bulk_update.pure.commands import failures, main_job, reading, target
from bulk_update.pure.ledger_lines import FORMAT, RunLine

LEDGER = "c.ndjson.ledger.ndjson"


def run_line(
    inputs: list[str],
    paths: list[str] | None = None,
    api: str = "https://api.velt.dev",
    settings: dict[str, object] | None = None,
    folder: str = "",
) -> RunLine:
    return RunLine(FORMAT, "0.1.0", "", "run", inputs, api, "", "", settings or {}, paths=paths or [], folder=folder)


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
            "c.ndjson.sandbox.ledger.ndjson",
            ["c.ndjson"],
            ["c.ndjson", "--ledger", "c.ndjson.sandbox.ledger.ndjson"],
            id="named as of a rehearsal",
        ),
        pytest.param("l", ["-"], ["-", "--ledger", "l"], id="standard input"),
    ],
)
def test_the_main_job_names_its_inputs_where_they_lie(ledger: str, paths: list[str], expected: list[str]) -> None:
    names = [path.removesuffix("?...").rpartition("/")[2] for path in paths]
    assert main_job(ledger, run_line(names, paths)) == expected


@pytest.mark.parametrize(
    ("ledger", "expected"),
    [("c.ndjson.sandbox.ledger.ndjson", ["c.ndjson"]), (LEDGER, ["c.ndjson", "--ledger", LEDGER])],
)
def test_the_ledger_of_a_rehearsal_has_a_name_of_its_own(ledger: str, expected: list[str]) -> None:
    assert main_job(ledger, run_line(["c.ndjson"], ["c.ndjson"], api="sandbox")) == expected


@pytest.mark.parametrize(
    ("here", "ledger", "expected"),
    [
        ("/srv", f"in/{LEDGER}", ["in/c.ndjson"]),
        ("/srv", "l", ["in/c.ndjson", "--ledger", "l"]),
        ("/srv/in", LEDGER, ["c.ndjson"]),
        ("/srv/in", "../l", ["c.ndjson", "--ledger", "../l"]),
        ("/srv/other", "../l", ["/srv/in/c.ndjson", "--ledger", "../l"]),
        ("/srv/other", f"../in/{LEDGER}", ["/srv/in/c.ndjson"]),
        ("/", "srv/l", ["srv/in/c.ndjson", "--ledger", "srv/l"]),
        ("", "srv/l", ["in/c.ndjson", "--ledger", "srv/l"]),
    ],
)
def test_the_main_job_names_the_same_inputs_from_every_folder(here: str, ledger: str, expected: list[str]) -> None:
    assert main_job(ledger, run_line(["c.ndjson"], ["in/c.ndjson"], folder="/srv"), here) == expected


@pytest.mark.parametrize("path", ["/data/c.ndjson", "https://host/c.ndjson", "-"])
def test_what_is_not_relative_is_the_same_in_every_folder(path: str) -> None:
    assert main_job("l", run_line(["c.ndjson"], [path], folder="/srv"), "/tmp")[0] == path  # noqa: S108 - just a name


def test_a_path_is_never_taken_for_an_option() -> None:
    line = run_line(["-c.ndjson"], ["-c.ndjson"])
    assert main_job("l", line) == ["./-c.ndjson", "--ledger", "l"]
    assert main_job("-c.ndjson.ledger.ndjson", line) == ["./-c.ndjson"]
    assert failures("-c.ndjson.ledger.ndjson", is_csv=False) == "bulk-update failures ./-c.ndjson.ledger.ndjson"


def test_inputs_are_read_again_as_they_were() -> None:
    settings: dict[str, object] = {"organizationId": "o", "format": {"value": "csv", "from": "flag"}, "empty": "omit"}
    words = reading(run_line(["c"], settings=settings | {"encoding": "cp1252"}))
    assert words == ["--organization-id", "o", "--format", "csv", "--encoding", "cp1252"]


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


def test_the_sandbox_is_seeded_from_the_same_file_in_every_folder() -> None:
    settings: dict[str, object] = {"sandboxSeed": "seed.ndjson", "sandboxFaults": "faults.json"}
    line = run_line(["c.ndjson"], api="sandbox", settings=settings, folder="/srv")
    words = ["--sandbox", "--sandbox-seed", "/srv/seed.ndjson", "--sandbox-faults", "/srv/faults.json"]
    assert target(line, "/home") == words
