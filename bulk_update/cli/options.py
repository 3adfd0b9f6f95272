"""The words of the command line: what each verb can be told."""

from collections.abc import Mapping, Sequence
from typing import Final

from bulk_update.cli.grammar import LEDGER, Operand, Option, Verb
from bulk_update.cli.help_texts import EPILOGS

PRESETS: Final = ("flaky", "outage", "rate-limited", "slow", "immutable", "hostile")
"""The sandbox's faults that have a name."""

ENCODINGS: Final = ("utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-15", "mac-roman", "shift_jis", "gb18030")
"""Encodings that files are in, of all that Python knows."""

_RATE: Final = "N[/s|/m|/h]"
_FAULTS: Final = (
    "flaky: some requests fail or break off; outage: for a while all do; rate-limited: 429; slow; "
    "immutable: some records refuse updates; hostile: answers that mislead. Several are joined by +. "
    "A FILE: rules of yours [none]"
)


def _flag(name: str, meaning: str) -> Option:
    return Option((name,), None, meaning, default=False)


def _value(name: str, metavar: str, meaning: str, default: str | None = None, offers: Sequence[str] = ()) -> Option:
    return Option((name,), metavar, meaning, default, offers=tuple(offers))


def _choice(name: str, choices: tuple[str, ...], meaning: str, default: str | None = None) -> Option:
    return Option((name,), "|".join(choices), meaning, default, choices=choices)


def _several(name: str, metavar: str, meaning: str) -> Option:
    return Option((name,), metavar, meaning, [], is_repeatable=True)


def _part(title: str, *options: Option) -> tuple[Option, ...]:
    """Let options stand together in the help."""
    return tuple(option._replace(title=title) for option in options)


_HELP: Final = (Option(("-h", "--help"), None, "show this help and exit", default=False),)

_INPUTS: Final = Operand(
    "inputs",
    "INPUT",
    "a path or URL, or - for standard input; NDJSON, CSV or Parquet, .gz and .zst too",
    "changes.ndjson",
    is_repeatable=True,
)
_LEDGER: Final = Operand("ledger", LEDGER, "of a run: changes.ndjson.ledger.ndjson", "changes.ndjson.ledger.ndjson")

_INPUT: Final = _part(
    "input",
    _value("--organization-id", "ID", "the organization of rows that name none"),
    _choice("--format", ("ndjson", "csv", "parquet"), "of the inputs [by file name, then by content]"),
    _several("--column", "FIELD=HEADER", "CSV, Parquet: a field stands under another header (repeatable)"),
    _value("--encoding", "NAME", "of the text, such as cp1252 [utf-8]", "utf-8", ENCODINGS),
    _choice(
        "--empty",
        ("omit", "null", "keep"),
        "what an empty cell of a CSV says. omit: nothing, the field is left out; null: null; keep: the empty text. "
        "Of Parquet: what a null says [omit]",
        "omit",
    ),
)
_THIS_RUN: Final = _part(
    "this run",
    _flag("--dry-run", "only check: read and validate, send nothing"),
    _value("--ledger", "PATH", "where results are recorded [<first input>.ledger.ndjson]"),
    _value("--limit", "N", "send the first N rows and stop: a canary; without it, go on from there"),
)
_BATCHES: Final = _part(
    "requests",
    _value("--batch-size", "N", "activities in a request, at most [100]", "100"),
    _value("--batch-bytes", "SIZE", "bytes of a request body, at most [1MB]", "1MB"),
    _value("--buffer", "SIZE", "memory for rows that wait for their batch to fill [256MB]", "256MB"),
)
_RATES: Final = _part(
    "pace",
    _value(
        "--rate",
        f"{_RATE}|none|auto",
        "requests in any second (minute, hour), at most, retries included; auto: find out how many the API takes [5/s]",
        "5/s",
    ),
    _value("--organization-rate", _RATE, "the same for each organization [none]", "none"),
)
_SENDING: Final = (
    *_part("pace", _value("--concurrency", "N", "requests in flight, at most [16]", "16")),
    *_part(
        "trouble",
        _value("--timeout", "SECONDS", "how long one attempt may take [30]", "30"),
        _value("--max-attempts", "N", "attempts for a batch that the server answers badly, at most [5]", "5"),
        _value("--give-up-after", "DURATION", "how long an outage is waited out [15m]", "15m"),
        _value("--max-failures", "N|P%", "stop when more rows than this have failed [none]"),
    ),
    *_part(
        "API",
        _value("--api-url", "URL", "base of the API [https://api.velt.dev, or VELT_API_URL]"),
        _value("--api-key-file", "PATH", "a file that holds the API key; else VELT_API_KEY"),
        _value("--auth-token-file", "PATH", "a file that holds the auth token; else VELT_AUTH_TOKEN"),
        _flag("--accept-new-key", "go on with a ledger although the API key has changed"),
    ),
    *_part(
        "rehearsal",
        _flag("--sandbox", "send everything to an emulator of the API inside this process"),
        _value("--sandbox-seed", "FILE", "the records that it holds [all that the rows name]"),
        _value("--sandbox-faults", "PRESET|FILE", f"what goes wrong there. {_FAULTS}", None, PRESETS),
    ),
)
_OUTPUT: Final = _part(
    "output",
    _flag("--json", "the summary as one JSON object on standard output"),
    _flag("--quiet", "say nothing but errors, warnings, and the counts at the end"),
    _flag("--no-progress", "show no progress"),
    _choice(
        "--log-format",
        ("text", "json"),
        "how progress, notices and the summary are written to standard error. text: for people; json: an object a "
        "line, with event and time, for a log collector [text]",
        "text",
    ),
)
_MONITORING: Final = _part(
    "monitoring",
    _value("--metrics-file", "PATH", "Prometheus metrics for a collector of text files, written every 15 s"),
    _value("--ping-url", "URL", "is told of the start (URL/start) and of the exit code (URL/0)"),
    _value("--summary-file", "PATH", "the object of --json, written at the end"),
)
_CHOICE: Final = _part(
    "settings (see bulk-update config --help)",
    _value("--config", "FILE", "a settings file [none]"),
    _value("--profile", "NAME", "a profile of it, which goes before its top level [none]"),
)


def _run() -> Verb:
    options = (*_HELP, *_INPUT, *_THIS_RUN, *_BATCHES, *_RATES, *_SENDING, *_OUTPUT, *_MONITORING, *_CHOICE)
    return _verb("run", "Send every row of the inputs, and record every result.", options, (_INPUTS,))


def _check() -> Verb:
    output = _part("output", _flag("--json", "the findings as one JSON object on standard output"))
    options = (*_HELP, *_INPUT, *_BATCHES, *_RATES, *output, *_CHOICE)
    return _verb("check", "Read and validate everything, send nothing. Needs no credentials.", options, (_INPUTS,))


def _retry() -> Verb:
    meaning = "Send again what the ledger does not show as updated, and record it there."
    options = (*_HELP, *_BATCHES, *_RATES, *_SENDING, *_OUTPUT, *_MONITORING, *_CHOICE)
    return _verb("retry", meaning, options, (_LEDGER,))


def _failures() -> Verb:
    meaning = "Print the rows that are not updated, as an input that can be mended and run."
    form = _choice("--format", ("ndjson", "csv"), "what they are printed as [ndjson]", "ndjson")
    return _verb("failures", meaning, (*_HELP, form), (_LEDGER,))


def _report() -> Verb:
    options = (
        *_HELP,
        _value("--html", "FILE", "as a page with charts that needs nothing else; - for standard output"),
        _flag("--json", "as one JSON object on standard output"),
    )
    return _verb(
        "report", "Tell what happened, from the ledger: as text, or as a page with charts.", options, (_LEDGER,)
    )


def _sandbox() -> Verb:
    options = (
        *_HELP,
        *_part(
            "state",
            _value("--db", "FILE", "keep the records in this file [in memory]"),
            _value("--seed", "FILE", "NDJSON records with organizationId, id and their fields, or an export"),
        ),
        *_part(
            "behaviour",
            _value("--faults", "PRESET|FILE", f"what goes wrong. {_FAULTS}", None, PRESETS),
            _value("--faults-seed", "N", "the chance of faults is drawn from it [0]"),
            _several("--rate-limit", _RATE, "requests of each API key, at most; others get 429 (repeatable)"),
            _several("--organization-rate-limit", _RATE, "the same for each organization (repeatable)"),
            _flag("--immutable", "records refuse updates [no]"),
            _several(
                "--switch",
                "NAME=VALUE",
                "how it does what is only inferred of the API, such as null=keep; docs/sandbox.md lists the switches "
                "(repeatable)",
            ),
        ),
        *_part(
            "access",
            _value("--port", "N", "where it listens; 0: any that is free [8787; of exec any that is free]"),
            _value("--host", "ADDRESS", "where it listens [127.0.0.1]", "127.0.0.1"),
            _flag("--allow-remote", "let --host be an address that others can reach"),
            _flag("--no-admin", "no admin API, and no page in the browser"),
            _value("--api-key-file", "PATH", "accept only this key [any that is not empty]"),
            _value("--auth-token-file", "PATH", "accept only this token [any that is not empty]"),
        ),
    )
    meaning = "gets VELT_API_URL, VELT_API_KEY and VELT_AUTH_TOKEN"
    command = Operand("command", "-- COMMAND", meaning, "-- python migrate.py", is_repeatable=True)
    output = _value("--output", "FILE", "where they are written [standard output]")
    execute = Verb("sandbox exec", "Serve while a command runs: exec -- COMMAND.", options, (command,))
    export = Verb("sandbox export", "Write out the records of --db FILE, as NDJSON that is a seed.", (*options, output))
    meaning = "Serve a local emulator of the API on loopback, until a signal ends it."
    return _verb("sandbox", meaning, options, (), (execute, export))


def _config() -> Verb:
    """Take the words of other verbs, so that a command can be asked about as it stands."""
    asked = {verb.name: _asked(verb) for verb in (_run(), _check(), _retry())}
    actions = tuple(
        Verb(f"config {name}", f"The settings of {name}.", verb.options, verb.operands) for name, verb in asked.items()
    )
    meaning = (
        "Tell the value of each setting and where it comes from, of the main job or of the verb that is named. Opens "
        "no input and needs no credentials."
    )
    return _verb("config", meaning, asked["run"].options, asked["run"].operands, actions)


def _asked(verb: Verb) -> Verb:
    options = (
        option._replace(meaning="as one JSON object on standard output") if option.key == "json" else option
        for option in verb.options
    )
    operands = (operand._replace(is_required=False, meaning="not opened") for operand in verb.operands)
    return verb._replace(options=tuple(options), operands=tuple(operands))


def _completion() -> Verb:
    shell = Operand("shell", "bash|zsh|fish", "", "bash", choices=("bash", "zsh", "fish"))
    return _verb("completion", "Print a script that completes bulk-update's words in a shell.", _HELP, (shell,))


def _man() -> Verb:
    return _verb("man", "Print the manual page, as roff.", _HELP)


def _verb(
    name: str,
    meaning: str,
    options: tuple[Option, ...],
    operands: tuple[Operand, ...] = (),
    actions: tuple[Verb, ...] = (),
) -> Verb:
    epilog = EPILOGS[name]
    with_epilog = tuple(action._replace(epilog=epilog) for action in actions)
    return Verb(name, meaning, options, operands, with_epilog, epilog)


VERBS: Final[Mapping[str, Verb]] = {
    verb.name: verb
    for verb in (
        _run(),
        _check(),
        _retry(),
        _failures(),
        _report(),
        _sandbox(),
        _config(),
        _completion(),
        _man(),
    )
}
"""The verbs by name, the main job first."""

SETTING_VERBS: Final = ("run", "check", "retry", "config")
"""Verbs whose options also come from the environment and from a settings file."""
