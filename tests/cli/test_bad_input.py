"""What cannot be used ends in one clear sentence and its exit code; nothing is sent, nothing is lost."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pyarrow as pa
import pytest
from pyarrow import parquet

from tests.cli.process import CREDENTIALS, Ended, run, run_measured
from tests.runs import KEY, ndjson, read_ledger, row, rows
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok

GOOD: Final = ndjson(rows(3)).encode()


async def refused(
    *words: str | Path, env: dict[str, str] | None = None, stdin: bytes = b"", cwd: Path | None = None
) -> Ended:
    """Run what cannot be used: exit 2, nothing on standard output, one sentence, and no connection."""
    async with open_misbehaving([ok()]) as server:
        url = () if "--api-url" in words else ("--api-url", server.url)
        ended = await run(*words, *url, env=env, stdin=stdin, cwd=cwd)
        assert server.connections == 0
    assert (ended.code, ended.out) == (2, ""), ended
    assert ended.err.startswith("bulk-update: ")
    assert ended.err.count("\n") == 1
    return ended


# ------------------------------------------------------------------------------------------- inputs


def _make_folder(path: Path) -> None:
    path.mkdir()


def _make_loop(path: Path) -> None:
    path.symlink_to(path)


INPUTS: Final[dict[str, tuple[str, bytes | Callable[[Path], None] | None, str]]] = {
    "missing": ("none.ndjson", None, "No such file"),
    "a folder": ("folder.ndjson", _make_folder, "folder"),
    "a link to itself": ("loop.ndjson", _make_loop, "symbolic links"),
    "empty": ("empty.ndjson", b"", "empty"),
    "empty, named csv": ("empty.csv", b"", "empty"),
    "binary": ("binary.ndjson", bytes(range(256)) * 40, "NUL"),
    "binary without a name": ("binary", b"\x7fELF\x02\x01\x01\x00" * 100, "NUL"),
    "UTF-16": ("wide.ndjson", GOOD.decode().encode("utf-16"), "UTF-16"),
    "UTF-16 without a mark": ("wide.csv", "organizationId,id\n".encode("utf-16-le") * 9, "UTF-16"),
    "no gzip": ("plain.ndjson.gz", GOOD, "gzip"),
    "a cut gzip": ("cut.ndjson.gz", gzip.compress(GOOD)[:-12], "cut off"),
    "a corrupt gzip": ("bad.ndjson.gz", gzip.compress(GOOD)[:-8] + b"nonsense", "corrupt"),
    "an array": ("array", json.dumps(rows(2)).encode(), "jq -c"),
    "neither": ("prose.txt", b"Dear all,\nplease update these.\n", "neither"),
}


@pytest.mark.parametrize("name", INPUTS)
async def test_an_input_that_cannot_be_read_is_refused_with_its_name(name: str, tmp_path: Path) -> None:
    file, content, word = INPUTS[name]
    path = tmp_path / file
    if callable(content):
        content(path)
    elif content is not None:
        path.write_bytes(content)
    ended = await refused(path)
    assert word in ended.err
    assert file in ended.err or name in ("an array", "neither")
    checked = await run("check", path, env={})
    assert (checked.code, checked.out) == (2, "")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("text", [GOOD.decode(), "organizationId,id,actionIcon\norg-1,a,x\n"], ids=["NDJSON", "CSV"])
async def test_wide_text_is_told_also_when_it_comes_through_a_pipe(encoding: str, text: str, tmp_path: Path) -> None:
    for words in (("--ledger", "l", "--sandbox"), ("--dry-run",)):
        ended = await run("-", *words, stdin=text.encode(encoding), cwd=tmp_path)
        assert ended.code == 2
        assert "--encoding utf-16" in ended.err


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_an_input_that_may_not_be_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "secret.ndjson"
    path.write_bytes(GOOD)
    path.chmod(0)
    assert "Permission denied" in (await refused(path)).err


@pytest.mark.parametrize("verb", ["run", "check"])
async def test_what_was_most_likely_meant_by_a_missing_input_is_told(verb: str, tmp_path: Path) -> None:
    for name, hint in (("*.ndjson", "the shell found no file that fits it"), ("upload", "nor is it a verb, see bulk")):
        ended = await run(verb, name, env={}, cwd=tmp_path)
        assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
        assert f"{name} cannot be opened: No such file or directory; {hint}" in ended.err


async def test_words_are_looked_at_before_credentials(changes: Path) -> None:
    for words in (("--rate", "0"), ("--limit", "0"), ("--dry-run", "--limit", "0"), ("--max-failures", "\u0665%")):
        assert f"{words[-2]}: found {words[-1]!r}" in (await run(changes, *words, env={})).err
    assert "none.ndjson cannot be opened" in (await run("none.ndjson", env={})).err


async def test_an_input_that_is_given_twice_is_told(changes: Path) -> None:
    for verb in ("run", "check"):
        ended = await run(
            verb, "changes.ndjson", "changes.ndjson", "--dry-run" if verb == "run" else "--json", cwd=changes.parent
        )
        assert (ended.code, ended.err.count("\n")) == (0, 1)
        assert "WARNING: changes.ndjson is given 2 times, so each of its rows counts as often" in ended.err
    ended = await run("changes.ndjson", "changes.ndjson", "--sandbox", "--quiet", cwd=changes.parent)
    assert (ended.code, "is given 2 times" in ended.err) == (0, True)


async def test_an_organization_that_is_no_text_is_refused(changes: Path) -> None:
    for words, env in ((("--organization-id", "\udcff"), {}), ((), {"BULK_UPDATE_ORGANIZATION_ID": "\udcff"})):
        ended = await run(changes, "--sandbox", *words, env=env)
        assert (ended.code, "which is no UTF-8, expected an id" in ended.err) == (2, True)


async def test_a_name_that_is_too_long_is_refused(changes: Path) -> None:
    assert "File name too long" in (await refused(changes, "--ledger", "x" * 300)).err
    assert "File name too long" in (await refused("x" * 300)).err


async def test_a_rate_of_once_in_an_age_is_told_without_a_crash(tmp_path: Path) -> None:
    (tmp_path / "two.ndjson").write_text(ndjson([row("a"), row("b", "other")]))
    assert (await run("check", tmp_path / "two.ndjson", "--rate", "0.000000000000001/h", env={})).code == 0


@pytest.mark.parametrize("verb", ["retry", "failures", "report"])
async def test_an_input_that_is_taken_for_its_ledger_is_told(verb: str, changes: Path) -> None:
    assert (await run(changes, "--sandbox", "--quiet")).code == 0
    told = (await run(verb, changes, env={})).err  # also without credentials
    assert f"is not a ledger: it begins with other words; did you mean {changes}.sandbox.ledger.ndjson?" in told


async def test_a_bad_second_input_is_found_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "good.ndjson").write_bytes(GOOD)
    ended = await refused(tmp_path / "good.ndjson", tmp_path / "none.ndjson")
    assert "none.ndjson" in ended.err
    assert not (tmp_path / "good.ndjson.ledger.ndjson").exists()


async def test_standard_input_can_be_named_once_only(tmp_path: Path) -> None:
    await refused("-", "-", "--ledger", tmp_path / "ledger")


@pytest.mark.parametrize("name", ["-", "/dev/null"])
async def test_an_empty_pipe_is_refused_as_an_empty_file_is(name: str, tmp_path: Path) -> None:
    ended = await refused(name, "--ledger", tmp_path / "ledger")
    assert "is empty; was it written to its end?" in ended.err
    assert (await run("check", name, env={})).code == 2


async def test_a_pipe_with_nothing_to_do_is_no_empty_one(tmp_path: Path) -> None:
    header = b"organizationId,id,actionIcon\n"
    assert (await run("-", "--ledger", tmp_path / "a", "--sandbox", stdin=header)).code == 0
    blank = ("-", "--ledger", tmp_path / "b", "--sandbox", "--format", "ndjson")
    assert (await run(*blank, stdin=b"\n")).code == 0


async def test_a_stray_nul_costs_its_own_record_only(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_bytes(GOOD.replace(b'"a0"', b'"a\0"', 1))
    async with open_misbehaving([ok()]) as server:
        ended = await run(path, "--api-url", server.url, "--json")
    assert (ended.code, ended.json["updated"], ended.json["invalid"]) == (1, 2, 1)
    assert read_ledger(tmp_path / "changes.ndjson.ledger.ndjson").status(1) == "invalid"


FOREIGN: Final = "Activity ID;Org;Note\na1;o;x\n"


@pytest.mark.parametrize("name", ["changes.csv", "changes.parquet"])
async def test_headers_of_somebody_else_are_refused_with_what_to_say(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(FOREIGN)
    if name.endswith("parquet"):
        parquet.write_table(pa.table({"Activity ID": ["a1"], "Org": ["o"], "Note": ["x"]}), path)
    told = (await refused(path)).err
    assert 'found "Activity ID", "Org", "Note", and none is a field; expected organizationId, id, changes' in told
    assert "as in --column organizationId=Org --column 'id=Activity ID'; a name that begins with _ is a note" in told
    columns = ("--column", "organizationId=Org", "--column", "id=Activity ID", "--column", "actionIcon=Note")
    assert (await run("check", path, *columns, env={})).code == 0


async def test_a_table_without_a_name_is_told_what_reads_it(tmp_path: Path) -> None:
    (tmp_path / "table").write_text(FOREIGN)
    assert "if it is a CSV with other headers: --format csv, and --column" in (await refused(tmp_path / "table")).err
    assert "as in --column organizationId=Org" in (await refused(tmp_path / "table", "--format", "csv")).err


async def test_all_columns_that_are_no_fields_are_named(tmp_path: Path) -> None:
    (tmp_path / "changes.csv").write_text("id,Organisation,x,_note,y\n")
    told = (await refused(tmp_path / "changes.csv")).err
    assert 'column 2: found the name "Organisation"' in told
    assert told.endswith('No fields either: "x", "y"\n')


@pytest.mark.parametrize("verb", ["run", "check"])
async def test_a_column_of_what_has_no_headers_is_refused(verb: str, tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_bytes(GOOD)
    words = ("changes.ndjson", "--column", "id=activity")
    ended = await run(verb, *words, cwd=tmp_path)
    assert (ended.code, ended.out) == (2, "")
    assert "--column id=activity: found NDJSON, which has no headers, expected CSV or Parquet" in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["changes.ndjson"]
    piped = await run(verb, "-", *words[1:], *(("--ledger", "x") if verb == "run" else ()), stdin=GOOD, cwd=tmp_path)
    assert (piped.code, "found NDJSON, which has no headers" in piped.err) == (2, True)
    (tmp_path / "more.csv").write_text("organizationId,activity,actionIcon\no,a,x\n")
    assert (await run("check", "more.csv", *words, env={}, cwd=tmp_path)).code == 0


async def test_an_input_that_breaks_off_later_ends_in_3_and_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.ndjson.gz"
    count = 12_000  # so many that the last are not read before the first are answered
    whole = ndjson(row(f"a{n}", entityData=os.urandom(32).hex()) for n in range(count)).encode()
    path.write_bytes(gzip.compress(whole)[:-2_000])
    async with open_misbehaving([ok()]) as server:
        words = ("--api-url", server.url, "--rate", "none", "--json")
        broken = await run(path, *words)
        summary = broken.json
        assert broken.code == 3
        assert "cut off: its gzip data has no end. What was read before has been sent" in summary["stopped"]
        assert summary["rows"] == summary["updated"] + summary["unsent"]
        assert summary["updated"] == len(server.applied) > 0
        path.write_bytes(gzip.compress(whole))
        mended = await run(path, *words)
        assert (mended.code, mended.json["updated"], len(server.applied)) == (0, count, count)


async def test_a_name_that_is_no_text_is_an_input_like_any_other(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/ch\xe4nges.ndjson"))
    path.write_bytes(GOOD)
    async with open_misbehaving([ok()]) as server:
        for _ in range(2):
            ended = await run(path, "--api-url", server.url, "--json")
            assert (ended.code, ended.json["updated"]) == (0, 3)
    assert len(server.requests) == 1


async def test_a_row_of_100_mb_is_one_invalid_row_and_memory_stays_bounded(tmp_path: Path) -> None:
    path = tmp_path / "huge.ndjson"
    with path.open("wb") as file:
        file.write(GOOD)
        file.write(b'{"organizationId":"org-1","id":"huge","entityData":"')
        for _ in range(100):
            file.write(b"x" * 1_000_000)
        file.write(b'"}\n')
        file.write(ndjson([row("after")]).encode())
    async with open_misbehaving([ok()]) as server:
        ended = await run_measured(path, "--api-url", server.url, "--json")
    path.unlink()
    assert (ended.code, ended.json["updated"], ended.json["invalid"]) == (1, 4, 1)
    ledger = tmp_path / "huge.ndjson.ledger.ndjson"
    assert read_ledger(ledger).status(4) == "invalid"
    assert ledger.stat().st_size < 200_000
    assert ended.peak < 130_000_000


# ------------------------------------------------------------------------------------------ ledgers


@pytest.fixture
def changes(tmp_path: Path) -> Path:
    path = tmp_path / "changes.ndjson"
    path.write_bytes(GOOD)
    return path


async def test_a_ledger_that_is_a_folder_is_refused(changes: Path, tmp_path: Path) -> None:
    (tmp_path / "ledger").mkdir()
    assert "directory" in (await refused(changes, "--ledger", tmp_path / "ledger")).err.lower()


async def test_a_ledger_that_is_a_pipe_is_refused_and_not_waited_for(changes: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ledger")
    assert "regular file" in (await refused(changes, "--ledger", tmp_path / "ledger")).err


@pytest.mark.parametrize("device", ["/dev/full", "/dev/null", "/dev/stderr"])
async def test_a_ledger_that_is_a_device_is_refused(device: str, changes: Path) -> None:
    assert device in (await refused(changes, "--ledger", device)).err


async def test_a_ledger_in_a_folder_that_is_not_there_is_refused(changes: Path, tmp_path: Path) -> None:
    assert "No such file" in (await refused(changes, "--ledger", tmp_path / "none" / "ledger")).err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("link", [None, "symbolic", "hard"])
async def test_an_input_is_never_taken_for_its_ledger(link: str | None, changes: Path, tmp_path: Path) -> None:
    ledger = changes if link is None else tmp_path / "ledger"
    if link == "symbolic":
        ledger.symlink_to(changes)
    elif link == "hard":
        ledger.hardlink_to(changes)
    ended = await refused(changes, "--ledger", ledger)
    assert "input and the ledger at once" in ended.err
    assert changes.read_bytes() == GOOD


@pytest.mark.parametrize("content", [b"organizationId,id\n", GOOD, b"\x00\x01\x02"])
async def test_another_file_is_never_taken_for_a_ledger(content: bytes, changes: Path, tmp_path: Path) -> None:
    (tmp_path / "ledger").write_bytes(content)
    await refused(changes, "--ledger", tmp_path / "ledger")
    assert (tmp_path / "ledger").read_bytes() == content


async def test_a_link_to_a_ledger_is_followed(changes: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real")
    async with open_misbehaving([ok()]) as server:
        words = (changes, "--api-url", server.url, "--ledger", tmp_path / "link")
        assert [(await run(*words)).code for _ in range(2)] == [0, 0]
    assert len(server.requests) == 1
    assert read_ledger(tmp_path / "real").statuses == {"updated": 3}


async def test_a_ledger_of_another_input_or_another_url_is_refused(changes: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    (tmp_path / "other.ndjson").write_bytes(GOOD)
    async with open_misbehaving([ok()]) as server:
        words = ("--api-url", server.url, "--ledger", ledger)
        assert (await run(changes, *words)).code == 0
        before = ledger.read_bytes()
        assert "other.ndjson" in (await refused(tmp_path / "other.ndjson", *words)).err
        assert server.url in (await refused(changes, "--ledger", ledger)).err
        assert ledger.read_bytes() == before
        assert len(server.requests) == 1


async def test_a_damaged_ledger_is_refused_with_the_line(changes: Path, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    async with open_misbehaving([ok()]) as server:
        words = ("--api-url", server.url, "--ledger", ledger, "--batch-size", "1", "--concurrency", "1")
        await run(changes, *words)
        damaged = ledger.read_bytes().replace(b'"id":"a0"', b'"id":"a7"', 1)
        ledger.write_bytes(damaged)
        ended = await refused(changes, *words)
        assert "damaged at line" in ended.err
        assert ledger.read_bytes() == damaged


# ---------------------------------------------------------------------------- words, numbers, settings

BAD_WORDS: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "an unknown option": (("--frobnicate",), "--frobnicate"),
    "a misspelt option": (("--batchsize", "10"), "--batch-size"),
    "another misspelt option": (("--concurency=2",), "--concurrency"),
    "a misspelt verb-like option": (("--sandobx",), "--sandbox"),
    "a shortened option": (("--batch-s", "10"), "--batch-size"),
    "an option without its value": (("--rate",), "--rate"),
    "a format that is none": (("--format", "xml"), "--format"),
    "a log format that is none": (("--log-format", "yaml"), "--log-format"),
    "a batch of none": (("--batch-size", "0"), "--batch-size"),
    "a batch of less than none": (("--batch-size", "-5"), "--batch-size"),
    "a batch of words": (("--batch-size", "many"), "--batch-size"),
    "half a batch": (("--batch-size", "1.5"), "--batch-size"),
    "a batch in other digits": (("--batch-size", "١٠"), "--batch-size"),
    "a batch beyond reason": (("--batch-size", "9" * 30), "--batch-size"),
    "bytes too few": (("--batch-bytes", "10"), "--batch-bytes"),
    "bytes in a unit that is none": (("--batch-bytes", "1XB"), "--batch-bytes"),
    "no buffer": (("--buffer", "0"), "--buffer"),
    "a rate of none": (("--rate", "0"), "--rate"),
    "a rate below none": (("--rate", "-1"), "--rate"),
    "a rate that is no number": (("--rate", "nan"), "--rate"),
    "a rate without bound": (("--rate", "inf"), "--rate"),
    "a rate in a unit that is none": (("--rate", "5/d"), "--rate"),
    "a rate beyond reason": (("--rate", "1e9"), "--rate"),
    "an organization's rate of none": (("--organization-rate", "0/m"), "--organization-rate"),
    "no concurrency": (("--concurrency", "0"), "--concurrency"),
    "a timeout of none": (("--timeout", "0"), "--timeout"),
    "a timeout of words": (("--timeout", "soon"), "--timeout"),
    "no attempts": (("--max-attempts", "0"), "--max-attempts"),
    "giving up at once": (("--give-up-after", "-1m"), "--give-up-after"),
    "more than all": (("--max-failures", "101%"), "--max-failures"),
    "a share that is none": (("--max-failures", "%"), "--max-failures"),
    "fewer failures than none": (("--max-failures", "-1"), "--max-failures"),
    "a canary of none": (("--limit", "0"), "--limit"),
    "a column without its header": (("--column", "id"), "--column"),
    "a column of an unknown field": (("--column", "identifier=x"), "--column"),
    "an empty organization": (("--organization-id", ""), "--organization-id"),
    "a sandbox and an API at once": (("--sandbox", "--api-url", "https://api.velt.dev"), "--api-url"),
    "a seed without a sandbox": (("--sandbox-seed", "seed"), "--sandbox"),
    "a fault that is none": (("--sandbox", "--sandbox-faults", "flakey"), "--sandbox-faults: found 'flakey', expected"),
    "a fault that is misspelt": (("--sandbox", "--sandbox-faults", "slow+flakey"), "did you mean flaky?"),
    "a seed that is not there": (("--sandbox", "--sandbox-seed", "none"), "none"),
}


@pytest.mark.parametrize("name", BAD_WORDS)
async def test_words_that_make_no_sense_are_refused_and_named(name: str, changes: Path) -> None:
    words, word = BAD_WORDS[name]
    ended = await run(changes, *words, env=CREDENTIALS, cwd=changes.parent)
    assert (ended.code, ended.out) == (2, ""), ended
    assert word in ended.err
    assert ended.err.count("\n") == 1
    assert [path.name for path in changes.parent.iterdir()] == [changes.name]


async def test_without_words_the_usage_is_pointed_at() -> None:
    ended = await run()
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert "--help" in ended.err


BAD_URLS: Final = {
    "http to another machine": "http://api.velt.dev",
    "http to a name that looks like this machine": "http://localhost.example.com",
    "http to this machine's name in another's": "http://127.0.0.1.example.com",
    "http to any address": "http://0.0.0.0:80",
    "no scheme": "api.velt.dev",
    "another scheme": "ftp://api.velt.dev",
    "no host": "https://",
    "a port that is none": "https://api.velt.dev:eighty",
    "a port too far": "https://api.velt.dev:99999",
    "a query": "https://api.velt.dev/?a=b",
    "half an address": "https://[::1",
    "nothing": " ",
    "white space within": "https://api.velt .dev",
    "an empty label": "https://api..velt.dev",
}


@pytest.mark.parametrize("name", BAD_URLS)
async def test_a_url_to_which_no_secret_may_go_is_refused(name: str, changes: Path) -> None:
    ended = await refused(changes, "--api-url", BAD_URLS[name])
    assert "--api-url" in ended.err or "http" in ended.err
    assert [path.name for path in changes.parent.iterdir()] == [changes.name]


async def test_a_password_in_a_url_is_refused_and_not_repeated(changes: Path) -> None:
    await refused(changes, "--api-url", f"https://me:{KEY}@api.velt.dev")


@pytest.mark.parametrize("url", ["http://localhost:{port}", "http://127.0.0.1:{port}/", "HTTP://LOCALHOST:{port}"])
async def test_http_to_this_machine_is_allowed(url: str, changes: Path) -> None:
    async with open_misbehaving([ok()]) as server:
        port = server.url.rpartition(":")[2]
        assert (await run(changes, "--api-url", url.format(port=port))).code == 0


BAD_CREDENTIALS: Final[dict[str, tuple[dict[str, str], str]]] = {
    "none": ({}, "VELT_API_KEY"),
    "no token": ({"VELT_API_KEY": KEY}, "VELT_AUTH_TOKEN"),
    "empty": ({"VELT_API_KEY": " ", "VELT_AUTH_TOKEN": "x"}, "VELT_API_KEY"),
    "a line break within": ({"VELT_API_KEY": f"{KEY}\nX-Evil: 1", "VELT_AUTH_TOKEN": "x"}, "VELT_API_KEY"),
    "no ASCII": ({"VELT_API_KEY": f"{KEY}é", "VELT_AUTH_TOKEN": "x"}, "VELT_API_KEY"),
}


@pytest.mark.parametrize("name", BAD_CREDENTIALS)
async def test_credentials_that_cannot_be_are_refused_and_not_shown(name: str, changes: Path) -> None:
    env, word = BAD_CREDENTIALS[name]
    assert word in (await refused(changes, env=env)).err


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b"two words"])
async def test_a_file_that_holds_no_secret_is_refused(content: bytes | None, changes: Path, tmp_path: Path) -> None:
    path = tmp_path / "the.key"
    if content is not None:
        path.write_bytes(content)
    assert "the.key" in (await refused(changes, "--api-key-file", path)).err
