"""Completion for fish."""

from collections.abc import Iterator, Sequence

from bulk_update.cli.grammar import LEDGER, LEDGER_NAMES, PROFILE, PROFILE_NAMES, Operand, Option, Verb

_SCRIPT = """\
# Completion of bulk-update's words in fish.
function __bulk_update_is
    set -l words (commandline -opc)
    set -l verb run
    if set -q words[2]; and contains -- $words[2] {verbs}
        set verb $words[2]
    end
    for each in $words[3..]
        if contains -- $verb-$each {actions}
            set verb $verb-$each
            break
        end
    end
    contains -- $verb $argv
end
function __bulk_update_is_first
    test (count (commandline -opc)) -eq 1
end
function __bulk_update_ledgers
    set -l begun (commandline -ct)
    for each in $begun{ledgers} $begun*/
        echo $each
    end
end
function __bulk_update_profiles
    set -l file $BULK_UPDATE_CONFIG
    set -l words (commandline -opc)
    for at in (seq (count $words))
        if test $words[$at] = --config; and set -q words[(math $at + 1)]
            set file $words[(math $at + 1)]
        else if string match -q -- '--config=*' $words[$at]
            set file (string replace -- --config= '' $words[$at])
        end
    end
    test -n "$file"; and {profiles} $file 2> /dev/null
end
complete -c bulk-update -e
complete -c bulk-update -f
{lines}
"""


def fish_script(verbs: Sequence[Verb]) -> str:
    """Write the script."""
    each = [one for verb in verbs for one in (verb, *verb.actions)]
    actions = [_name(action) for verb in verbs for action in verb.actions]
    lines = [*_first(verbs), *_operands(each), *_options(each)]
    return _SCRIPT.format(
        verbs=" ".join(verb.name for verb in verbs),
        actions=" ".join(actions) or "''",
        ledgers=LEDGER_NAMES,
        profiles=PROFILE_NAMES,
        lines="\n".join(lines),
    )


def _first(verbs: Sequence[Verb]) -> Iterator[str]:
    for verb in verbs:
        yield f"complete -c bulk-update -n __bulk_update_is_first -a {verb.name} -d {_quoted(verb.meaning)}"
        for action in verb.actions:
            word = action.word
            where = f"-n '__bulk_update_is {verb.name}' -a {word}"
            yield f"complete -c bulk-update {where} -d {_quoted(action.meaning)}"


def _operands(verbs: Sequence[Verb]) -> Iterator[str]:
    for verb in verbs:
        for operand in verb.operands:
            yield f"complete -c bulk-update -n '__bulk_update_is {_name(verb)}' {_operand(operand)}"


def _options(verbs: Sequence[Verb]) -> Iterator[str]:
    """Complete options; those that verbs have in common share a line."""
    shared: dict[str, list[str]] = {}
    for verb in verbs:
        for option in verb.options:
            shared.setdefault(_option(option), []).append(_name(verb))
    for spec, names in shared.items():
        yield f"complete -c bulk-update -n '__bulk_update_is {' '.join(names)}' {spec}"


def _option(option: Option) -> str:
    short = [f"-s {name[1:]}" for name in option.names if not name.startswith("--")]
    parts = [*short, f"-l {option.key}"]
    if option.metavar is not None:
        parts.append("-r -F" if option.takes_files else "-x")
        if option.key == PROFILE:
            parts.append("-a '(__bulk_update_profiles)'")
        elif option.words:
            parts.append(f"-a {_quoted(' '.join(option.words))}")
    return " ".join([*parts, f"-d {_quoted(option.meaning)}"])


def _operand(operand: Operand) -> str:
    if operand.choices:
        return f"-a {_quoted(' '.join(operand.choices))}"
    return "-a '(__bulk_update_ledgers)'" if operand.metavar == LEDGER else "-F"


def _name(verb: Verb) -> str:
    return verb.name.replace(" ", "-")


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
