"""Where settings come from: the command, the environment, a settings file; and what is refused there."""

import json
from pathlib import Path
from typing import Final

import pytest

from bulk_update.cli.grammar import Option
from bulk_update.cli.options import SETTING_VERBS, VERBS
from bulk_update.cli.parsing import parse
from bulk_update.cli.settings import read_job
from bulk_update.cli.sources import CHOOSING, COMMAND_ALONE, variable_of
from bulk_update.errors import SettingsError, UsageError
from tests.cli.process import CREDENTIALS, run
from tests.runs import KEY, TOKEN, ndjson, read_ledger, rows
from tests.servers.misbehaving import open_misbehaving
from tests.servers.replies import ok

SETTINGS: Final = {
    option.name: option for option in VERBS["run"].options if option.key not in (*COMMAND_ALONE, *CHOOSING, "help")
}
ALONE: Final = sorted(COMMAND_ALONE)
WORDS: Final = {"run": ("changes.ndjson",), "check": ("check", "changes.ndjson"), "retry": ("retry", "ledger")}


def sample(option: Option, name: str) -> tuple[str, str, object]:
    """Make a value: as a variable has it, as TOML has it, and as it arrives."""
    if option.metavar is None:
        return "yes", "true", True
    if option.is_repeatable:
        return f"id={name}", f'["id={name}"]', [f"id={name}"]
    text = option.choices[0] if option.choices else name
    return text, json.dumps(text), text


def words_of(option: Option, name: str) -> list[str]:
    return [option.name] if option.metavar is None else [option.name, sample(option, name)[0]]


def settings_file(folder: Path, text: str) -> str:
    path = folder / "velt.toml"
    path.write_text(text)
    return str(path)


def refusal(text: str, folder: Path, *words: str, verb: str = "run") -> str:
    """Have a settings file refused; give the message without the folder."""
    path = settings_file(folder, text)
    with pytest.raises(SettingsError) as refused:
        parse([*WORDS[verb], "--config", path, *words])
    assert KEY not in str(refused.value)
    return str(refused.value).replace(str(folder), "…")


def place(words: list[str], environ: dict[str, str], dest: str) -> tuple[object, str]:
    """Tell an option's value and where it came from."""
    options = parse(words, environ)
    assert options is not None
    return getattr(options, dest), options.sources[dest].words


# -------------------------------------------------------------------------------------- precedence


@pytest.mark.parametrize("name", SETTINGS)
def test_each_option_comes_from_wherever_it_is_said_first(name: str, tmp_path: Path) -> None:
    option = SETTINGS[name]
    variable, dest = variable_of(option), option.dest
    file, top, profile = (sample(option, each)[1] for each in ("file", "top", "profile"))
    path = settings_file(tmp_path, f"{option.key} = {top}\n[profile.p]\n{option.key} = {profile}\n[profile.q]\n")
    command = ["changes.ndjson", "--config", path]
    environ = {variable: sample(option, "environment")[0]}
    assert file
    assert place(["changes.ndjson"], {}, dest) == (option.default, "default")
    assert place(command, {}, dest) == (sample(option, "top")[2], f"file {path}")
    assert place([*command, "--profile", "q"], {}, dest) == (sample(option, "top")[2], f"file {path}")
    inside = f"file {path} [profile p]"
    assert place([*command, "--profile", "p"], {}, dest) == (sample(option, "profile")[2], inside)
    told = (sample(option, "environment")[2], f"environment {variable}")
    assert place([*command, "--profile", "p"], environ, dest) == told
    said = [*command, "--profile", "p", *words_of(option, "said")]
    assert place(said, environ, dest) == (sample(option, "said")[2], "flag")


@pytest.mark.parametrize("verb", ["check", "retry"])
def test_other_verbs_take_what_applies_to_them_and_leave_the_rest(verb: str, tmp_path: Path) -> None:
    lines = "".join(f"{option.key} = {sample(option, 'file')[1]}\n" for option in SETTINGS.values())
    environ = {variable_of(option): sample(option, "environment")[0] for option in SETTINGS.values()}
    for surroundings, source in (({}, "file"), (environ, "environment")):
        options = parse([*WORDS[verb], "--config", settings_file(tmp_path, lines)], surroundings)
        assert options is not None
        for option in VERBS[verb].options:
            if option.name in SETTINGS:
                assert getattr(options, option.dest) == sample(option, source)[2]
                assert options.sources[option.dest].kind == source
        unknown = SETTINGS.keys() - {option.name for option in VERBS[verb].options}
        assert not any(SETTINGS[name].dest in options for name in unknown)


@pytest.mark.parametrize("verb", ["failures", "report"])
def test_verbs_that_only_read_a_ledger_heed_no_settings(verb: str) -> None:
    options = parse([verb, "ledger"], {"BULK_UPDATE_FORMAT": "csv", "BULK_UPDATE_JSON": "1", "BULK_UPDATE_RATE": "x"})
    assert options is not None
    assert (getattr(options, "format", "ndjson"), getattr(options, "json", False)) == ("ndjson", False)


def test_the_environment_names_the_file_and_the_profile(tmp_path: Path) -> None:
    path = settings_file(tmp_path, '[profile.night]\nrate = "9/s"\n[profile.day]\nrate = "1/s"\n')
    environ = {"BULK_UPDATE_CONFIG": path, "BULK_UPDATE_PROFILE": "night"}
    assert place(["changes.ndjson"], environ, "rate") == ("9/s", f"file {path} [profile night]")
    assert place(["changes.ndjson", "--profile", "day"], environ, "rate")[0] == "1/s"


def test_a_flag_that_can_be_repeated_replaces_what_is_set(tmp_path: Path) -> None:
    path = settings_file(tmp_path, 'column = {id = "activity", actionIcon = "icon"}\n')
    words = ["changes.ndjson", "--config", path]
    assert place(words, {}, "column")[0] == ["id=activity", "actionIcon=icon"]
    assert place(words, {"BULK_UPDATE_COLUMN": "id=a, b\nactionIcon=c"}, "column")[0] == ["id=a, b", "actionIcon=c"]
    assert place([*words, "--column", "id=key"], {}, "column")[0] == ["id=key"]


def test_no_file_is_read_unless_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("bulk-update.toml", "bulk_update.toml", ".bulk-update.toml", "velt.toml"):
        (tmp_path / name).write_text("batch-size = 7\n")
    monkeypatch.chdir(tmp_path)
    assert place(["changes.ndjson"], {}, "batch_size") == ("100", "default")


# -------------------------------------------------------------------------------------- environment


@pytest.mark.parametrize(("text", "value"), [("1", True), ("true", True), ("YES", True), ("0", False), ("no", False)])
def test_a_variable_says_yes_or_no(text: str, value: object, tmp_path: Path) -> None:
    path = settings_file(tmp_path, f"quiet = {str(not value).lower()}\n")
    assert place(["changes.ndjson", "--config", path], {"BULK_UPDATE_QUIET": text}, "quiet")[0] is value


def test_a_variable_that_is_empty_is_not_set() -> None:
    empty = {"BULK_UPDATE_RATE": "", "BULK_UPDATE_QUIET": "", "BULK_UPDATE_RTAE": "", "VELT_API_URL": ""}
    assert place(["changes.ndjson"], empty, "rate") == ("5/s", "default")
    assert place(["changes.ndjson"], empty, "api_url") == (None, "default")


@pytest.mark.parametrize(
    ("variable", "expected"),
    [
        ("BULK_UPDATE_RTAE", "BULK_UPDATE_RATE"),
        ("BULK_UPDATE_BATCHSIZE", "BULK_UPDATE_BATCH_SIZE"),
        ("BULK_UPDATE_WHATEVER", "known are"),
        ("BULK_UPDATE_API_KEY", "VELT_API_KEY"),
        ("BULK_UPDATE_AUTH_TOKEN", "VELT_AUTH_TOKEN"),
        *((f"BULK_UPDATE_{key.upper().replace('-', '_')}", f"--{key} stands in the command") for key in COMMAND_ALONE),
    ],
)
@pytest.mark.parametrize("verb", WORDS)
def test_a_variable_that_is_no_setting_is_refused(variable: str, expected: str, verb: str) -> None:
    with pytest.raises(SettingsError) as refused:
        parse(WORDS[verb], {variable: KEY})
    assert str(refused.value).startswith(f"{variable}: ")
    assert expected in str(refused.value)
    assert KEY not in str(refused.value)


@pytest.mark.parametrize(
    "name",
    ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT", "PORT_80_TCP", "PORT_80_TCP_ADDR", "X_SERVICE_HOST"],
)
def test_what_kubernetes_sets_for_a_service_of_our_name_is_let_be(name: str) -> None:
    assert parse(["changes.ndjson"], {f"BULK_UPDATE_{name}": "tcp://10.0.0.1:80"}) is not None


@pytest.mark.parametrize(
    ("variable", "value"), [("BULK_UPDATE_QUIET", "maybe"), ("BULK_UPDATE_FORMAT", "xml"), ("BULK_UPDATE_QUIET", " ")]
)
def test_a_value_that_a_variable_cannot_have_is_refused(variable: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"^{variable}: found '{value}', expected "):
        parse(["changes.ndjson"], {variable: value})


def test_velt_api_url_ranks_as_the_environment_behind_its_own_name(tmp_path: Path) -> None:
    path = settings_file(tmp_path, 'api-url = "https://file.example"\n')
    words = ["changes.ndjson", "--config", path]
    velt, own = {"VELT_API_URL": "https://velt.example"}, {"BULK_UPDATE_API_URL": "https://own.example"}
    assert place(words, velt, "api_url") == ("https://velt.example", "environment VELT_API_URL")
    assert place(words, velt | own, "api_url") == ("https://own.example", "environment BULK_UPDATE_API_URL")
    assert place([*words, "--api-url", "https://flag.example"], velt | own, "api_url")[1] == "flag"


def test_requests_that_go_elsewhere_than_the_file_says_are_told_of(tmp_path: Path) -> None:
    path = settings_file(tmp_path, '[profile.staging]\napi-url = "https://staging.example"\n')
    words = ["changes.ndjson", "--config", path, "--profile", "staging"]
    environ = {"VELT_API_URL": "https://production.example"}
    options = parse(words, environ)
    assert options is not None
    (notice,) = options.notices
    assert notice.startswith(f"WARNING: environment VELT_API_URL goes before api-url of file {path} [profile staging]")
    for fine in (parse(words), parse([*words, "--api-url", "https://flag.example"], environ)):
        assert fine is not None
        assert fine.notices == []


def test_the_secret_itself_in_the_environment_goes_before_a_file_that_a_settings_file_names(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("from-file\n")
    path = settings_file(tmp_path, f'api-key-file = "{tmp_path}/key"\nauth-token-file = "{tmp_path}/key"\n')
    words = ["changes.ndjson", "--config", path]
    for environ, key in (
        ({}, "from-file"),
        ({"VELT_API_KEY": "from-variable"}, "from-variable"),
        ({"VELT_API_KEY": "from-variable", "BULK_UPDATE_API_KEY_FILE": str(tmp_path / "key")}, "from-file"),
    ):
        options = parse(words, environ)
        assert options is not None
        target = read_job(options, environ).target
        assert getattr(target, "credentials").api_key == key  # noqa: B009 - it is an Api


# ------------------------------------------------------------------------------------- settings files


REFUSED: Final = {
    "a misspelt key": (
        "batchsize = 1",
        "…/velt.toml: line 1: batchsize: found an unknown setting; did you mean batch-",
    ),
    "an underscore": (
        "batch_size = 1",
        "…/velt.toml: line 1: batch_size: found an unknown setting; did you mean batch-",
    ),
    "a key of a profile": (
        "[profile.day]\nrat = 1",
        "…/velt.toml: line 2: [profile.day]: rat: found an unknown setting; did you mean rate?",
    ),
    "a key that is none": ("frobnicate = 1", "known are api-key-file, api-url, "),
    "a choice that is misspelt": ('format = "ndjsn"', "csv or parquet; did you mean ndjson?"),
    "a table that is none": (
        "[staging]\nrate = 1",
        "…/velt.toml: line 1: found the unknown table [staging]; did you mean [profile.staging]?",
    ),
    "a misspelt table of profiles": (
        "# mine\nrate = 1\n[profil.day]\nrate = 1",
        "…/velt.toml: line 3: found the unknown table [profil.day]; did you mean [profile.day]?",
    ),
    "a table of profiles": ("[profiles.day]\n", "found the unknown table [profiles.day]; did you mean [profile.day]?"),
    "a profile without a name": ("[profle]\nrate = 1", "unknown table [profle]; did you mean [profile.nightly]?"),
    "a table in a profile": ("[profile.day.x]\ny = 1", "…/velt.toml: [profile.day]: x: found an unknown setting"),
    "a key behind other tables": (
        '[profile.day]\nrate = 1\n[ profile."night" ]\n"rat" = 1',
        "…/velt.toml: line 4: [profile.night]: rat: found an unknown setting; did you mean rate?",
    ),
    "no number": ("batch-size = true", "batch-size: found true or false, expected a number or text: N"),
    "no text": ("api-url = 5", "api-url: found a number, expected text: URL"),
    "no boolean": ('quiet = "yes"', "quiet: found text, expected true or false"),
    "a date": ("give-up-after = 2026-11-23", "give-up-after: found a date, expected a number or text: DURATION"),
    "a table": ("rate = {n = 5}", "rate: found a table, expected a number or text"),
    "no columns": ('column = "id=a"', "column: found text, expected a table of texts, or an array of texts FIELD="),
    "columns of numbers": ("column = {id = 5}", "column: found a table, expected a table of texts"),
    "a choice that is none": ('format = "xml"', "format: found 'xml', expected ndjson, csv or parquet"),
    "profiles that are none": ('profile = "day"', "profile: expected a table for each, such as [profile.nightly]"),
    "a profile that is none": ("[profile]\nday = 5", "profile: expected a table for each, such as [profile.nightly]"),
    "a mistake in TOML": ("rate = 5\nbuffer = 256MB", "found what is no TOML: "),
    "a key twice": ("rate = 5\nrate = 6", "found what is no TOML: Cannot overwrite a value (at line 2, the last)"),
    "a nest": (f"rate = {'[' * 9999}", "found what is no TOML: it is nested too deeply"),
    "a NUL": ('api-key-file = "a\\u0000"', "api-key-file: found a NUL character"),
    "a secret": (f'api-key = "{KEY}"', "api-key: found what may be a secret, and no setting holds one: set VELT_API"),
    "another secret": (f'[profile.day]\nauth_token = "{KEY}"', "[profile.day]: auth_token: found what may be a secret"),
    "a secret by its header": (f'x-velt-api-key = "{KEY}"', "x-velt-api-key: found what may be a secret"),
    "a secret in a table": (f'[credentials]\nx = "{KEY}"', "credentials: found what may be a secret"),
    "a secret without quotes": (f"api-key = {KEY}", "found what is no TOML: Invalid value (at line 1, column 11)"),
    "another file": (
        'config = "other.toml"',
        "config: --config says which settings hold: give it in the command, or set BULK_UPDATE_CONFIG",
    ),
    **{key: (f"{key} = 1", f"{key}: --{key} stands in the command or nowhere: {COMMAND_ALONE[key]}") for key in ALONE},
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("verb", WORDS)
def test_a_settings_file_that_cannot_be_used_is_refused(name: str, verb: str, tmp_path: Path) -> None:
    text, expected = REFUSED[name]
    message = refusal(text, tmp_path, verb=verb)
    assert expected in message
    assert message.startswith("…/velt.toml: ")


def test_a_mistake_in_toml_is_told_with_its_line(tmp_path: Path) -> None:
    assert "line 2" in refusal("rate = 5\nbuffer = 256MB\n", tmp_path)


def test_a_profile_that_is_not_there_is_refused(tmp_path: Path) -> None:
    text = "[profile.nightly]\n[profile.staging]\n"
    assert "has no profile 'nihgtly'; did you mean nightly?" in refusal(text, tmp_path, "--profile", "nihgtly")
    assert "has no profile 'x'; it has nightly, staging" in refusal(text, tmp_path, "--profile", "x")
    assert "has no profile 'x'; it has none" in refusal("", tmp_path, "--profile", "x")


def test_a_profile_needs_a_file() -> None:
    with pytest.raises(SettingsError, match="^--profile: found no file to look in"):
        parse(["changes.ndjson", "--profile", "x"])
    with pytest.raises(SettingsError, match=r"^--profile \(environment BULK_UPDATE_PROFILE\): found no file"):
        parse(["changes.ndjson"], {"BULK_UPDATE_PROFILE": "x"})


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    for path, reason in ((tmp_path / "none.toml", "No such file or directory"), (tmp_path, "Is a directory")):
        with pytest.raises(SettingsError, match=f"^--config: {path} cannot be read: {reason}"):
            parse(["changes.ndjson", "--config", str(path)])
        with pytest.raises(SettingsError, match=r"^--config \(environment BULK_UPDATE_CONFIG\): "):
            parse(["changes.ndjson"], {"BULK_UPDATE_CONFIG": str(path)})


def test_a_file_that_is_no_text_is_refused_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "velt.toml"
    path.write_bytes(b"rate = 5\n# \xff\n")
    with pytest.raises(SettingsError, match="line 2: found what is no UTF-8"):
        parse(["changes.ndjson", "--config", str(path)])


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "velt.toml"
    path.write_bytes(b"\xef\xbb\xbfrate = 7\n")
    assert place(["changes.ndjson", "--config", str(path)], {}, "rate")[0] == "7"


@pytest.mark.parametrize(("text", "word"), [("7", "7"), ("1_000", "1000"), ("2.5", "2.5"), ('"300/m"', "300/m")])
def test_numbers_are_taken_as_they_would_be_written(text: str, word: str, tmp_path: Path) -> None:
    path = settings_file(tmp_path, f"rate = {text}\n")
    assert place(["changes.ndjson", "--config", path], {}, "rate")[0] == word


# ------------------------------------------------------------------------------------ what runs make of it


def test_every_verb_with_settings_can_be_told_which() -> None:
    for verb in VERBS:
        keys = {option.key for option in VERBS[verb].options}
        assert (set(CHOOSING) <= keys) == (verb in SETTING_VERBS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            'rate = "fast"',
            "--rate (file {path}): found 'fast', expected a rate such as 5/s, 300/m, 1000/h, none or auto",
        ),
        (
            'organization-rate = "auto"',
            "--organization-rate (file {path}): found 'auto', expected a rate such as 5/s, ",
        ),
        ("batch-size = 0", "--batch-size (file {path}): found '0', expected a whole number"),
        ('column = ["id"]', "--column (file {path}): found 'id', expected FIELD=HEADER"),
        ('[profile.p]\nmax-failures = "x"', "--max-failures (file {path} [profile p]): found 'x'"),
        ('api-url = "http://example.com"', "--api-url (file {path}): found 'http://example.com': plain http"),
        ('api-url = ""', "--api-url (file {path}): found '', expected a base URL"),
        (f'api-key-file = "{KEY}"', "--api-key-file (file {path}): the file cannot be read"),
    ],
)
async def test_a_value_that_cannot_be_used_is_told_with_where_it_stands(
    text: str, expected: str, tmp_path: Path
) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(1)))
    path = settings_file(tmp_path, text + ("" if "profile" in text else "\n[profile.p]\n"))
    environ = {"VELT_AUTH_TOKEN": TOKEN} if "api-key" in text else CREDENTIALS
    ended = await run(tmp_path / "changes.ndjson", "--config", path, "--profile", "p", env=environ)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert expected.format(path=path) in ended.err


async def test_a_bad_value_of_the_environment_is_told_with_its_variable(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(1)))
    for variable, option in (("BULK_UPDATE_RATE", "--rate"), ("VELT_API_URL", "--api-url")):
        ended = await run(tmp_path / "changes.ndjson", env=CREDENTIALS | {variable: "fast"})
        assert ended.err.startswith(f"bulk-update: {option} (environment {variable}): found 'fast', expected ")


def test_a_secret_longer_than_any_path_is_not_repeated() -> None:
    secret = KEY * 99
    options = parse(["changes.ndjson", "--auth-token-file", secret])
    assert options is not None
    with pytest.raises(SettingsError) as refused:
        read_job(options, {"VELT_API_KEY": "x"})
    assert KEY not in str(refused.value)


def test_a_rehearsal_leaves_the_url_of_the_settings_aside_and_they_leave_the_sandbox_aside(tmp_path: Path) -> None:
    path = settings_file(tmp_path, 'api-url = "https://staging.example"\nsandbox-faults = "flaky"\n')
    words = ["changes.ndjson", "--config", path]
    for more in (["--sandbox"], []):
        options = parse([*words, *more])
        assert options is not None
        job = read_job(options, CREDENTIALS)
        assert getattr(job.target, "faults", None) == ("flaky" if more else None)
    options = parse([*words, "--sandbox-faults", "flaky"])
    assert options is not None
    with pytest.raises(UsageError, match="--sandbox-faults: expected together with --sandbox"):
        read_job(options, CREDENTIALS)


async def test_the_ledger_tells_where_each_setting_came_from(tmp_path: Path) -> None:
    changes = tmp_path / "changes.ndjson"
    changes.write_text(ndjson(rows(3)))
    path = settings_file(tmp_path, 'batch-size = 2\n[profile.night]\nmax-failures = "5%"\n')
    environ = CREDENTIALS | {"BULK_UPDATE_TIMEOUT": "9"}
    async with open_misbehaving([ok()]) as server:
        words = ("--api-url", server.url, "--rate", "none", "--config", path, "--profile", "night")
        assert (await run(changes, *words, env=environ)).code == 0
        assert len(server.requests) == 2
        ledger = tmp_path / "changes.ndjson.ledger.ndjson"
        assert (await run("retry", ledger, *words, env=environ)).code == 0
    first, again = (line["settings"] for line in read_ledger(ledger).lines if line["type"] == "run")
    assert first["batchSize"] == {"value": 2, "from": "file velt.toml"}
    assert first["maxFailures"] == {"value": "5%", "from": "file velt.toml [profile night]"}
    assert first["timeout"] == {"value": "9 s", "from": "environment BULK_UPDATE_TIMEOUT"}
    assert first["rate"] == {"value": "none", "from": "flag"}
    assert first["concurrency"] == {"value": 16, "from": "default"}
    assert isinstance(first["pid"], int)
    assert again["batchSize"] == first["batchSize"]
    report = await run("report", ledger)
    shown = {line.split()[0]: " ".join(line.split()[1:]) for line in report.out.splitlines() if line.strip()}
    assert shown["batch-size"] == "2 file velt.toml"
    assert shown["timeout"] == "9s environment BULK_UPDATE_TIMEOUT"


async def test_the_command_to_run_next_has_the_same_settings(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(2)))
    path = settings_file(tmp_path, 'sandbox-faults = "immutable"\n[profile.p]\n')
    ended = await run("changes.ndjson", "--sandbox", "--config", path, "--profile=p", "--json", cwd=tmp_path)
    assert ended.code == 1
    expected = f"bulk-update retry changes.ndjson.sandbox.ledger.ndjson --sandbox --config {path} --profile=p"
    assert ended.json["next"] == expected


async def test_a_run_says_that_requests_go_elsewhere_than_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "changes.ndjson").write_text(ndjson(rows(1)))
    path = settings_file(tmp_path, 'api-url = "https://staging.example"\n')
    async with open_misbehaving([ok()]) as server:
        environ = CREDENTIALS | {"VELT_API_URL": server.url}
        ended = await run(tmp_path / "changes.ndjson", "--config", path, "--quiet", env=environ)
    assert ended.code == 0
    assert f"WARNING: environment VELT_API_URL goes before api-url of file {path}" in ended.err
