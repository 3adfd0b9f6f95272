"""What `--help` and the man page say beside the options: overview, examples, environment, exit codes."""

from typing import Final

OVERVIEW: Final = """\
Change Velt activity logs in bulk: rows of NDJSON or CSV go in, batched
requests go out, and a ledger tells for every row what became of it."""

VERBS: Final = """\
  bulk-update INPUT...          the main job: send and record every row
  bulk-update check INPUT...    read and validate everything, send nothing
  bulk-update retry LEDGER      send again what is not updated
  bulk-update failures LEDGER   the rows not updated, as an input to be mended
  bulk-update report LEDGER     what happened
  bulk-update sandbox           serve a local emulator of the API
  bulk-update config            each setting, and where it comes from
  bulk-update completion SHELL  completion for bash, zsh or fish
  bulk-update man               the manual page

  bulk-update VERB --help tells the options of each, and of the main job:
  bulk-update run --help"""

EXIT_CODES: Final = """\
exit codes:
  0    every row is updated
  1    finished, and some row is failed, invalid or unknown
  2    nothing was sent: usage, settings, input or ledger cannot be used
  3    stopped early and worth running again: credentials refused, outage
       outlasted, ledger cannot be written, too many failures
  129, 130, 143
       interrupted by SIGHUP, SIGINT, SIGTERM; run the same command again"""

_INTERRUPTED: Final = """
  129, 130, 143
       interrupted by SIGHUP, SIGINT, SIGTERM"""

_SETTINGS: Final = """\
  BULK_UPDATE_OPTION   any option of the main job, such as BULK_UPDATE_RATE=10/s
                       or BULK_UPDATE_QUIET=yes; not --ledger, --dry-run,
                       --limit, --sandbox and --accept-new-key
  BULK_UPDATE_CONFIG, BULK_UPDATE_PROFILE
                       a settings file, and a profile of it"""

ENVIRONMENT: Final = f"""\
environment, which goes before a settings file and after the options:
  VELT_API_KEY, VELT_AUTH_TOKEN
                       the credentials; else they are in files: no option takes
                       a secret
  VELT_API_URL         base of the API
{_SETTINGS}
  NO_COLOR             no colours
  TMPDIR               where rows wait that --buffer has no room for"""

_CHECK_ENVIRONMENT: Final = f"""\
environment, which goes before a settings file and after the options:
{_SETTINGS}
  TMPDIR               where rows wait that --buffer has no room for"""

_MAIN_JOB: Final = """\
  bulk-update check changes.ndjson                 is it valid? sends nothing
  bulk-update changes.ndjson --sandbox             rehearse, against an emulator
  bulk-update changes.ndjson --limit 100           a canary: the first 100 rows
  bulk-update changes.ndjson                       go on from there"""

EXAMPLES: Final = f"""\
examples:
{_MAIN_JOB}
  bulk-update retry changes.ndjson.ledger.ndjson   send again what failed
  bulk-update report changes.ndjson.ledger.ndjson  what happened"""

_RUN_EXAMPLES: Final = f"""\
examples:
{_MAIN_JOB}
  bulk-update changes.csv --column id=activity     the ids are under "activity"
  zcat export.gz | bulk-update - --ledger export.ledger.ndjson
  bulk-update changes.ndjson --config velt.toml --profile nightly"""

_CHECK: Final = f"""\
examples:
  bulk-update check changes.ndjson
  bulk-update check changes.csv --column id=activity --rate 300/m
  bulk-update check changes.ndjson --json | jq .requests

{_CHECK_ENVIRONMENT}

exit codes:
  0    every row is valid
  1    some row is invalid
  2    usage, settings or input cannot be used
  3    standard output cannot be written{_INTERRUPTED}"""

_RETRY: Final = f"""\
examples:
  bulk-update retry changes.ndjson.ledger.ndjson
  bulk-update retry changes.ndjson.ledger.ndjson --batch-size 20 --rate 1/s

{ENVIRONMENT}

{EXIT_CODES}"""

_LEDGER_READ: Final = f"""\
exit codes:
  0    told, whatever the ledger holds
  2    usage or ledger cannot be used
  3    standard output cannot be written{_INTERRUPTED}"""

_FAILURES: Final = f"""\
examples:
  bulk-update failures changes.ndjson.ledger.ndjson > mend.ndjson
  bulk-update failures changes.ndjson.ledger.ndjson --format csv > mend.csv

{_LEDGER_READ}"""

_REPORT: Final = f"""\
examples:
  bulk-update report changes.ndjson.ledger.ndjson
  bulk-update report changes.ndjson.ledger.ndjson --html report.html
  bulk-update report changes.ndjson.ledger.ndjson --json | jq .counts

{_LEDGER_READ}"""

_SANDBOX: Final = """\
examples:
  bulk-update sandbox --seed records.ndjson --port 0
  bulk-update sandbox exec --faults flaky -- python migrate.py
  bulk-update sandbox export --db sandbox.db --output records.ndjson

exit codes:
  0    served until a signal, or written out
  2    usage, settings or files cannot be used
  3    standard output cannot be written

  exec ends as the command does, or in 4 when it did what no client may do:
  requests over the limit, an id twice in a request or in two at once, a change
  out of order, credentials in a body"""

_CONFIG: Final = f"""\
Where a setting comes from: an option, else the environment, else the profile,
else the top level of the settings file, else the default. A settings file is
TOML, with options as keys:

  rate = "10/s"
  api-key-file = "/etc/bulk-update/api-key"

  [profile.nightly]
  quiet = true

examples:
  bulk-update config changes.ndjson
  bulk-update config check changes.csv --encoding cp1252
  bulk-update config --config velt.toml --profile nightly
  bulk-update config --json | jq .settings.rate

{ENVIRONMENT}

exit codes:
  0    every setting can be used
  2    usage or a setting cannot be used
  3    standard output cannot be written"""

_TOLD: Final = """\
exit codes:
  0    printed
  2    usage
  3    standard output cannot be written"""

_COMPLETION: Final = f"""\
examples:
  source <(bulk-update completion bash)      # in ~/.bashrc
  source <(bulk-update completion zsh)       # in ~/.zshrc, after compinit
  bulk-update completion fish | source       # in ~/.config/fish/config.fish

{_TOLD}"""

_MAN: Final = f"""\
examples:
  bulk-update man | man -l -
  bulk-update man > ~/.local/share/man/man1/bulk-update.1

{_TOLD}"""

EPILOGS: Final = {
    "run": f"{_RUN_EXAMPLES}\n\n{ENVIRONMENT}\n\n{EXIT_CODES}",
    "check": _CHECK,
    "retry": _RETRY,
    "failures": _FAILURES,
    "report": _REPORT,
    "sandbox": _SANDBOX,
    "config": _CONFIG,
    "completion": _COMPLETION,
    "man": _MAN,
}
"""What follows the options in each verb's help."""

FILES: Final = """\
files:
  INPUT.ledger.ndjson           what became of each row of INPUT; --ledger names another
  INPUT.sandbox.ledger.ndjson   the same of a rehearsal
  INPUT.ledger.ndjson.rate      a rate written here while a run is at work replaces its own
  INPUT.ledger.ndjson.torn-1    what a crash left half-written, kept when the ledger is opened again"""
