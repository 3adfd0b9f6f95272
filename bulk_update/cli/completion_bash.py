"""Completion for bash, from version 3.2 on; it needs no other package."""

import shlex
from collections import defaultdict
from collections.abc import Iterator, Sequence

from bulk_update.cli.grammar import LEDGER, LEDGER_NAMES, PROFILE, PROFILE_NAMES, Option, Verb

_SCRIPT = """\
# Completion of bulk-update's words in bash.
_bulk_update() {{
    local IFS=$'\\n' word=${{COMP_WORDS[COMP_CWORD]}} before= verb=run each
    COMPREPLY=()
    ((COMP_CWORD > 0)) && before=${{COMP_WORDS[COMP_CWORD-1]}}
    # --option=value comes as three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $before == = ]] && ((COMP_CWORD > 2)); then
        before=${{COMP_WORDS[COMP_CWORD-2]}}
    fi
    if ((COMP_CWORD > 1)); then
        case ${{COMP_WORDS[1]}} in
            {verbs}) verb=${{COMP_WORDS[1]}} ;;
        esac
        for each in "${{COMP_WORDS[@]:2:COMP_CWORD-2}}"; do
            case "$verb $each" in
                {actions}) verb="$verb $each"; break ;;
            esac
        done
    fi
    case "$verb $before" in
{values}
    esac
    case "$verb $word" in
{options}
    esac
    ((COMP_CWORD == 1)) && _bulk_update_words {first}
    case $verb in
{operands}
    esac
}}
_bulk_update_words() {{ COMPREPLY+=($(compgen -W "$*" -- "$word")); }}
_bulk_update_files() {{
    compopt -o filenames 2> /dev/null
    COMPREPLY+=($(compgen -f -- "$word"))
}}
_bulk_update_ledgers() {{
    compopt -o filenames 2> /dev/null
    COMPREPLY+=($(compgen -f -X '!{ledgers}' -- "$word") $(compgen -d -- "$word"))
}}
_bulk_update_profiles() {{
    local at file=${{BULK_UPDATE_CONFIG-}}
    for ((at = 1; at < COMP_CWORD; at++)); do
        if [[ ${{COMP_WORDS[at]}} == --config ]]; then
            file=${{COMP_WORDS[at+1]}}
            [[ $file == = ]] && file=${{COMP_WORDS[at+2]-}}
        fi
    done
    [[ -f $file ]] && _bulk_update_words $({profiles} "$file" 2> /dev/null)
}}
complete -F _bulk_update bulk-update
"""


def bash_script(verbs: Sequence[Verb]) -> str:
    """Write the script."""
    each = [one for verb in verbs for one in (verb, *verb.actions)]
    return _SCRIPT.format(
        verbs="|".join(verb.name for verb in verbs),
        actions="|".join(f'"{action.name}"' for verb in verbs for action in verb.actions) or "''",
        values="\n".join(_values(each)),
        options="\n".join(
            f'        "{verb.name} -"*) {_words(name for option in verb.options for name in option.names)}; return ;;'
            for verb in each
        ),
        first=" ".join(shlex.quote(verb.name) for verb in verbs),
        operands="\n".join(f'        "{verb.name}") {_operands(verb)} ;;' for verb in each),
        ledgers=LEDGER_NAMES,
        profiles=PROFILE_NAMES,
    )


def _values(verbs: Sequence[Verb]) -> Iterator[str]:
    """Complete what comes after an option; options that are completed alike share a line."""
    places: dict[str, list[str]] = defaultdict(list)
    for verb in verbs:
        for option in verb.options:
            if option.metavar is not None:
                places[_value(option)] += [f'"{verb.name} {name}"' for name in option.names]
    for action, where in places.items():
        yield f"        {'|'.join(where)}) {action}return ;;"


def _value(option: Option) -> str:
    if option.key == PROFILE:
        return "_bulk_update_profiles; "
    words = f"{_words(option.words)}; " if option.words else ""
    return words + ("_bulk_update_files; " if option.takes_files else "")


def _operands(verb: Verb) -> str:
    actions = [_words(action.word for action in verb.actions)] if verb.actions else []
    for operand in verb.operands:
        if operand.choices:
            actions.append(_words(operand.choices))
        else:
            actions.append("_bulk_update_ledgers" if operand.metavar == LEDGER else "_bulk_update_files")
    return "; ".join(actions) or ":"


def _words(words: "Iterator[str] | Sequence[str]") -> str:
    return f"_bulk_update_words {' '.join(map(shlex.quote, words))}"
