"""`config`: what it shows of each setting, and that it shows no secret."""

import json
from pathlib import Path

import pytest

from bulk_update.cli.config import url_shown
from bulk_update.cli.options import VERBS
from tests.cli.process import CREDENTIALS, Ended, run
from tests.runs import KEY, TOKEN, ndjson, rows
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok


def shown(ended: Ended) -> dict[str, tuple[str, str]]:
    """Read the columns: values and sources by name."""
    columns = [[cell.strip() for cell in line.split("  ") if cell.strip()] for line in ended.out.splitlines()]
    return {name: (value, source) for name, value, source in columns}


async def test_every_option_is_shown_with_its_default_and_needs_nothing() -> None:
    ended = await run("config", env={})
    assert (ended.code, ended.err) == (0, "")
    settings = shown(ended)
    assert settings.keys() == {option.key for option in VERBS["run"].options} - {"help"} | {"api-key", "auth-token"}
    assert {source for _, source in settings.values()} == {"default"}
    assert settings["rate"][0] == "5/s"
    assert settings["api-url"][0] == "https://api.velt.dev"
    assert settings["ledger"][0] == "<first input>.ledger.ndjson"
    assert settings["max-failures"][0] == "none"
    assert settings["api-key"][0] == settings["auth-token"][0] == "not set"


async def test_it_shows_what_would_be_used(tmp_path: Path) -> None:
    settings = shown(await run("config", "data/changes.ndjson", env={}))
    assert settings["ledger"] == ("data/changes.ndjson.ledger.ndjson", "default")
    settings = shown(await run("config", "changes.ndjson", "--sandbox", env={"VELT_API_URL": "https://env.example"}))
    assert settings["ledger"] == ("changes.ndjson.sandbox.ledger.ndjson", "default")
    assert settings["api-url"] == ("the sandbox inside this process", "flag")
    ended = await run("config", "changes.ndjson", "--ledger", "mine", "--json", env={})
    assert ended.json["settings"]["ledger"] == {"value": "mine", "from": "flag"}
    ended = await run("config", "changes.ndjson", "--json", env={"BULK_UPDATE_API_URL": "https://env.example"})
    assert ended.json["settings"]["ledger"] == {"value": "changes.ndjson.ledger.ndjson", "from": "default"}
    assert ended.json["settings"]["api-url"]["value"] == "https://env.example"
    ended = await run("config", "-", env={})
    assert ended.code == 2
    assert shown(ended)["ledger"] == ("none", "default")
    assert "with standard input the ledger has no name" in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["run", "check", "retry"])
async def test_it_lists_the_options_of_the_verb_that_is_asked_about(verb: str) -> None:
    settings = shown(await run("config", "--rate", "2/s", verb, env={}))
    keys = {option.key for option in VERBS[verb].options} - {"help"}
    assert settings.keys() == keys | (set() if verb == "check" else {"api-key", "auth-token"})
    assert settings["rate"] == ("2/s", "flag")
    ended = await run("config", verb, "--rate", "fast", env={})
    assert (ended.code, "--rate: found 'fast'" in ended.err) == (2, True)


async def test_retry_goes_where_its_ledger_was_made(tmp_path: Path) -> None:
    changes = tmp_path / "changes.ndjson"
    changes.write_text(ndjson(rows(2)))
    async with open_misbehaving([ok()]) as server:
        await run(changes, "--api-url", server.url)
        settings = shown(await run("config", "retry", f"{changes}.ledger.ndjson", env={}))
        assert settings["api-url"] == (server.url, "default")
    ended = await run("config", "retry", tmp_path / "none", env={})
    assert (ended.code, shown(ended)["api-url"][0]) == (2, "https://api.velt.dev")
    assert "none cannot be read" in ended.err


async def test_every_source_is_told(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    path = tmp_path / "velt.toml"
    path.write_text(f'buffer = "1GB"\nauth-token-file = "{tmp_path}/token"\n[profile.night]\nquiet = true\n')
    environ = {"BULK_UPDATE_TIMEOUT": "9", "VELT_API_KEY": KEY}
    words = ("config", "changes.ndjson", "--config", path, "--profile", "night", "--rate", "2/s")
    settings = shown(await run(*words, env=environ))
    assert settings["buffer"] == ("1GB", f"file {path}")
    assert settings["quiet"] == ("yes", f"file {path} [profile night]")
    assert settings["timeout"] == ("9", "environment BULK_UPDATE_TIMEOUT")
    assert settings["rate"] == ("2/s", "flag")
    assert settings["api-key"] == ("set", "environment VELT_API_KEY")
    assert settings["auth-token"] == ("set", f"file {path}")
    assert settings["auth-token-file"] == (f"{tmp_path}/token", f"file {path}")


async def test_as_json() -> None:
    ended = await run("config", "--json", "--column", "id=activity", "--column", "actionIcon=icon", env=CREDENTIALS)
    settings = ended.json["settings"]
    assert settings["column"] == {"value": ["id=activity", "actionIcon=icon"], "from": "flag"}
    assert settings["rate"] == {"value": "5/s", "from": "default"}
    assert settings["quiet"] == {"value": False, "from": "default"}
    assert settings["limit"] == {"value": None, "from": "default"}
    assert settings["api-key"] == {"value": "set", "from": "environment VELT_API_KEY"}


async def test_a_setting_of_the_main_job_does_not_change_how_they_are_shown() -> None:
    settings = shown(await run("config", env={"BULK_UPDATE_JSON": "yes"}))
    assert settings["json"] == ("yes", "environment BULK_UPDATE_JSON")


@pytest.mark.parametrize(
    ("words", "environ", "expected"),
    [
        (("--rate", "fast"), {}, "--rate: found 'fast'"),
        ((), {"BULK_UPDATE_RATE": "fast"}, "--rate (environment BULK_UPDATE_RATE): found 'fast'"),
        ((), {"BULK_UPDATE_COLUMN": "idd=x"}, "--column (environment BULK_UPDATE_COLUMN): found an unknown field"),
        (("--api-url", "http://example.com"), {}, "--api-url: found 'http://example.com': plain http"),
        (("--api-key-file", "./none"), {}, "--api-key-file: ./none cannot be read: No such file"),
        (("--sandbox", "--api-url", "https://x.example"), {}, "exclude each other"),
        (("--config", "none.toml"), {}, "--config: none.toml cannot be read: No such file"),
    ],
)
async def test_what_cannot_be_used_ends_in_2(words: tuple[str, ...], environ: dict[str, str], expected: str) -> None:
    ended = await run("config", *words, env=environ)
    assert (ended.code, ended.err.count("\n")) == (2, 1)
    assert expected in ended.err
    assert bool(ended.out) == ("none.toml" not in words)


@pytest.mark.parametrize("form", [(), ("--json",)])
async def test_no_secret_is_shown_wherever_it_stands(form: tuple[str, ...], tmp_path: Path) -> None:
    secret = "hunter2hunter2"
    for words in (
        ("--api-key-file", secret),
        ("--auth-token-file", secret * 30),
        ("--api-url", f"https://me:{secret}@api.example"),
        ("--api-url", f"https://api.example/?key={secret}"),
    ):
        ended = await run("config", *words, *form, env={"VELT_API_KEY": secret, "VELT_AUTH_TOKEN": f" {secret}\n"})
        assert ended.code == 2
        assert "hunter2" not in ended.out + ended.err
    (tmp_path / "key").write_text(secret)
    ended = await run("config", *form, "--api-key-file", tmp_path / "key", env={"BULK_UPDATE_AUTH_TOKEN_FILE": "x"})
    assert "hunter2" not in ended.out + ended.err


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hc.example/ping/a-secret", "https://hc.example/…"),
        ("https://hc.example:8443/?t=a-secret", "https://hc.example:8443/…"),
        ("https://me:a-secret@hc.example/", "https://hc.example/…"),
        ("https://hc.example/#a-secret", "https://hc.example/…"),
        ("https://hc.example:a-secret/", "what is no URL"),
        ("https://hc.example/", "https://hc.example/"),
    ],
)
def test_of_other_urls_the_path_may_be_a_secret(url: str, shown: str) -> None:
    assert url_shown(url, has_path=False) == shown
    assert url_shown("https://api.example/base", has_path=True) == "https://api.example/base"


async def test_a_file_without_a_secret_sets_none(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("\n")
    ended = await run("config", "--json", "--api-key-file", tmp_path / "key", env={})
    assert json.loads(ended.out)["settings"]["api-key"] == {"value": "not set", "from": "flag"}
