"""The options of the command line: one parser a verb."""

import argparse
from collections.abc import Callable, Mapping
from typing import Any, Final, NoReturn

from bulk_update.cli import help_texts
from bulk_update.errors import UsageError


class _Parser(argparse.ArgumentParser):
    """Raise what argparse would print, so that there is one way out."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message}. See {self.prog} --help")


def _parser(verb: str, description: str) -> _Parser:
    return _Parser(
        prog=f"bulk-update {verb}",
        description=description,
        epilog=help_texts.EPILOGS[verb],
        allow_abbrev=False,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )


def _run_parser() -> _Parser:
    parser = _parser("run", "Send every row of the inputs, and record every result.")
    _add_input(parser)
    parser.add_argument("--dry-run", action="store_true", help="only check: read and validate, send nothing")
    parser.add_argument("--ledger", metavar="PATH", help="where results are recorded [<first input>.ledger.ndjson]")
    _add_batches(parser)
    parser.add_argument(
        "--limit", metavar="N", help="send the first N rows and stop: a canary; without it, go on from there"
    )
    _add_sending(parser)
    _add_output(parser)
    _add_monitoring(parser)
    _add_choice(parser)
    return parser


def _check_parser() -> _Parser:
    parser = _parser("check", "Read and validate everything, send nothing. Needs no credentials.")
    _add_input(parser)
    _add_batches(parser)
    _add_rates(parser)
    parser.add_argument("--json", action="store_true", help="the findings as one JSON object on standard output")
    _add_choice(parser)
    return parser


def _retry_parser() -> _Parser:
    parser = _parser("retry", "Send again what the ledger does not show as updated, and record it there.")
    parser.add_argument("ledger", metavar="LEDGER", help="of a run, such as changes.ndjson.ledger.ndjson")
    _add_batches(parser)
    _add_sending(parser)
    _add_output(parser)
    _add_monitoring(parser)
    _add_choice(parser)
    return parser


def _failures_parser() -> _Parser:
    parser = _parser("failures", "Print the rows that are not updated, as an input that can be mended and run.")
    parser.add_argument("ledger", metavar="LEDGER", help="of a run, such as changes.ndjson.ledger.ndjson")
    parser.add_argument("--format", choices=("ndjson", "csv"), default="ndjson", help="[ndjson]")
    return parser


def _report_parser() -> _Parser:
    parser = _parser("report", "Tell what happened, from the ledger: as text, or as a page with charts.")
    parser.add_argument("ledger", metavar="LEDGER", help="of a run, such as changes.ndjson.ledger.ndjson")
    parser.add_argument("--html", metavar="FILE", help="as a page that needs nothing else; - for standard output")
    parser.add_argument("--json", action="store_true", help="as one JSON object on standard output")
    return parser


def _sandbox_parser() -> _Parser:
    parser = _parser("sandbox", "Serve a local emulator of the API on loopback.")
    parser.set_defaults(action="serve")
    _add_sandbox(parser, given=False)
    actions = parser.add_subparsers(title="instead of serving until a signal", metavar="exec | export")
    execute = actions.add_parser("exec", help="serve while a command runs: exec -- COMMAND", epilog=parser.epilog)
    execute.set_defaults(action="exec")
    _add_sandbox(execute, given=True)
    execute.add_argument("command", nargs="*", metavar="-- COMMAND", help="gets VELT_API_URL, VELT_API_KEY, ...")
    export = actions.add_parser("export", help="write out the records of --db FILE, as NDJSON that is a seed")
    export.set_defaults(action="export")
    _add_sandbox(export, given=True)
    export.add_argument("--output", metavar="FILE", help="[standard output]")
    return parser


def _add_sandbox(parser: argparse.ArgumentParser, *, given: bool) -> None:
    """Add the options of a sandbox. `given`: those before the action hold unless they are said again after it."""
    titles = ("state", "behaviour", "access")
    state, behaviour, access = (_adder(parser.add_argument_group(title), given=given) for title in titles)
    state("--db", metavar="FILE", help="keep the records in this file [in memory]")
    state("--seed", metavar="FILE", help="NDJSON records with organizationId, id and their fields, or an export")
    behaviour("--faults", metavar="PRESET|FILE", help="flaky, outage, rate-limited, slow, immutable, hostile; or rules")
    behaviour("--faults-seed", metavar="N", help="the chance of faults is drawn from it [0]")
    behaviour("--rate-limit", metavar="N[/s|/m|/h]", action="append", default=[], help="of each key (repeatable)")
    behaviour("--organization-rate-limit", metavar="N[/s|/m|/h]", action="append", default=[], help="(repeatable)")
    behaviour("--immutable", action="store_true", default=False, help="records refuse updates [no]")
    behaviour("--switch", metavar="NAME=VALUE", action="append", default=[], help="what is only inferred (repeatable)")
    access("--port", metavar="N", help="[8787; of exec any that is free]; 0 for any that is free")
    access("--host", metavar="ADDRESS", default="127.0.0.1", help="where to listen [127.0.0.1]")
    access("--allow-remote", action="store_true", default=False, help="let --host be an address others can reach")
    access("--no-admin", action="store_true", default=False, help="no admin API, and no page in the browser")
    access("--api-key-file", metavar="PATH", help="accept only this key [any that is not empty]")
    access("--auth-token-file", metavar="PATH", help="accept only this token [any that is not empty]")


def _adder(group: "argparse._ArgumentGroup", *, given: bool) -> Callable[..., object]:
    """Return what adds an option; `given`: without a default, so that what stands before the action is kept."""

    def add(name: str, **settings: Any) -> object:  # noqa: ANN401 -- as argparse takes them
        if given:
            settings["default"] = argparse.SUPPRESS
        return group.add_argument(name, **settings)

    return add


def _add_input(parser: _Parser) -> None:
    parser.add_argument(
        "inputs", metavar="INPUT", nargs="+", help="a path or URL, or - for standard input; .gz and .zst too"
    )
    parser.add_argument("--organization-id", metavar="ID", help="for rows that name none")
    parser.add_argument("--format", choices=("ndjson", "csv", "parquet"), help="[by file name, then by content]")
    parser.add_argument(
        "--column",
        metavar="FIELD=HEADER",
        action="append",
        default=[],
        help="CSV, Parquet: where a field stands under another header (repeatable)",
    )
    parser.add_argument("--encoding", metavar="NAME", default="utf-8", help="of the text, such as cp1252 [utf-8]")
    parser.add_argument(
        "--empty",
        choices=("omit", "null", "keep"),
        default="omit",
        help="CSV: what an empty cell says; Parquet: what a null says [omit]",
    )


def _add_batches(parser: _Parser) -> None:
    parser.add_argument("--batch-size", metavar="N", default="100", help="activities in a request, at most [100]")
    parser.add_argument("--batch-bytes", metavar="SIZE", default="1MB", help="bytes of a request body, at most [1MB]")
    parser.add_argument(
        "--buffer", metavar="SIZE", default="256MB", help="memory for rows waiting for their batch [256MB]"
    )


def _add_rates(parser: _Parser) -> None:
    parser.add_argument(
        "--rate",
        metavar="N[/s|/m|/h]|none|auto",
        default="5/s",
        help="requests in any second (minute, hour), at most, retries included [5/s]",
    )
    parser.add_argument(
        "--organization-rate", metavar="N[/s|/m|/h]", default="none", help="the same for each organization [none]"
    )


def _add_sending(parser: _Parser) -> None:
    _add_rates(parser)
    add = parser.add_argument
    add("--concurrency", metavar="N", default="16", help="requests in flight, at most [16]")
    add("--timeout", metavar="SECONDS", default="30", help="of one attempt [30]")
    add("--max-attempts", metavar="N", default="5", help="for a batch the server answers badly [5]")
    add("--give-up-after", metavar="DURATION", default="15m", help="how long an outage is waited out [15m]")
    add("--max-failures", metavar="N|P%", help="stop when more rows than this have failed [none]")
    add("--api-url", metavar="URL", help="base of the API [https://api.velt.dev, or VELT_API_URL]")
    add("--api-key-file", metavar="PATH", help="else VELT_API_KEY")
    add("--auth-token-file", metavar="PATH", help="else VELT_AUTH_TOKEN")
    add("--accept-new-key", action="store_true", help="go on with a ledger although the API key has changed")
    add("--sandbox", action="store_true", help="send everything to an emulator inside this process")
    add("--sandbox-seed", metavar="FILE", help="records the sandbox holds [all that the rows name]")
    add("--sandbox-faults", metavar="PRESET|FILE", help="flaky, outage, rate-limited, slow, immutable, hostile [none]")


def _add_output(parser: _Parser) -> None:
    add = parser.add_argument
    add("--json", action="store_true", help="the summary as one JSON object on standard output")
    add("--quiet", action="store_true", help="say nothing but warnings, and the counts at the end")
    add("--no-progress", action="store_true", help="show no progress")
    add("--log-format", choices=("text", "json"), default="text", help="[text]")


def _add_monitoring(parser: _Parser) -> None:
    add = parser.add_argument
    add("--metrics-file", metavar="PATH", help="Prometheus metrics, for a collector of text files, every 15 s")
    add("--ping-url", metavar="URL", help="told of the start and of the exit code [BULK_UPDATE_PING_URL]")
    add("--summary-file", metavar="PATH", help="the object of --json, written at the end")


def _add_choice(parser: _Parser) -> None:
    group = parser.add_argument_group("settings", "from a file, beside the environment: see bulk-update config --help")
    group.add_argument("--config", metavar="FILE", help="a settings file [none]")
    group.add_argument("--profile", metavar="NAME", help="a profile of it, which goes before its top level [none]")


def _config_parser() -> _Parser:
    """Take the main job's words, so that a command can be asked about as it stands."""
    parser = _run_parser()
    parser.prog = "bulk-update config"
    parser.description = "Tell the value of each setting and where it comes from. Needs no input and no credentials."
    parser.epilog = help_texts.EPILOGS["config"]
    for action in parser._actions:  # noqa: SLF001 - argparse has no other list of them
        if action.dest == "inputs":
            action.nargs, action.required, action.help = "*", False, "not opened"
        elif action.dest == "json":
            action.help = "as one JSON object on standard output"
    return parser


def _completion_parser() -> _Parser:
    parser = _parser("completion", "Print a script that completes bulk-update's words in a shell.")
    parser.add_argument("shell", choices=("bash", "zsh", "fish"))
    return parser


def _man_parser() -> _Parser:
    return _parser("man", "Print the manual page, as roff.")


PARSERS: Final[Mapping[str, Callable[[], _Parser]]] = {
    "run": _run_parser,
    "check": _check_parser,
    "retry": _retry_parser,
    "failures": _failures_parser,
    "report": _report_parser,
    "sandbox": _sandbox_parser,
    "config": _config_parser,
    "completion": _completion_parser,
    "man": _man_parser,
}

SETTING_VERBS: Final = ("run", "check", "retry", "config")
"""Verbs whose options also come from the environment and from a settings file."""
