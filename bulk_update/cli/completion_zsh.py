"""Completion for zsh: to be sourced after `compinit`, or put as `_bulk_update` where `fpath` leads."""

import re
from collections.abc import Iterator, Sequence

from bulk_update.cli.grammar import LEDGER, LEDGER_NAMES, PROFILE, PROFILE_NAMES, Operand, Option, Verb

_SCRIPT = """\
#compdef bulk-update
# Completion of bulk-update's words in zsh.
_bulk_update() {{
    local -a verbs=(
{verbs}
    )
    if (( CURRENT == 2 )) && [[ $words[2] != -* ]]; then
        _alternative 'verbs:verb:{{_describe verb verbs}}' 'inputs:input:_files'
        return
    fi
    case $words[2] in
        {names}) shift words; (( CURRENT-- )); _bulk_update_$words[1] ;;
        *) _bulk_update_run ;;
    esac
}}
{functions}
_bulk_update_profiles() {{
    local file=${{opt_args[--config]:-$BULK_UPDATE_CONFIG}}
    local -a profiles=(${{(f)"$({profiles} ${{(Q)file}} 2> /dev/null)"}})
    compadd -a profiles
}}
if [[ $funcstack[1] == _bulk_update ]]; then
    _bulk_update "$@"
else
    compdef _bulk_update bulk-update
fi
"""


def zsh_script(verbs: Sequence[Verb]) -> str:
    """Write the script."""
    return _SCRIPT.format(
        verbs="\n".join(f"        {_quoted(f'{verb.name}:{_sentence(verb.meaning)}')}" for verb in verbs),
        names="|".join(verb.name for verb in verbs),
        profiles=PROFILE_NAMES,
        functions="\n".join(function for verb in verbs for function in _functions(verb)),
    )


def _functions(verb: Verb) -> Iterator[str]:
    """Write what completes the words of a verb, and of its actions."""
    name = f"_bulk_update_{verb.name.replace(' ', '_')}"
    specs = [_option(option) for option in verb.options]
    if verb.actions:
        words = [action.word for action in verb.actions]
        first = f"({' '.join(words)})"
        if verb.operands:
            first = f"_alternative 'actions:action:{first}' 'inputs:input:_files'"
        of_action = f"{{ (( $+functions[{name}_$words[1]] )) && {name}_$words[1] || _files }}"
        specs += [f"1:action:{first}", f"*::argument:{of_action}"]
    else:
        specs += [_operand(operand) for operand in verb.operands]
    lines = " \\\n        ".join(map(_quoted, specs))
    yield f"{name}() {{\n    _arguments \\\n        {lines}\n}}"
    for action in verb.actions:
        yield from _functions(action)


def _option(option: Option) -> str:
    repeat = "*" if option.is_repeatable else ""
    if option.metavar is None:
        return f"{repeat}{option.name}[{_escaped(option.meaning)}]"
    return f"{repeat}{option.name}=[{_escaped(option.meaning)}]:{_escaped(option.metavar)}:{_action(option)}"


def _action(option: Option) -> str:
    if option.key == PROFILE:
        return "_bulk_update_profiles"
    words = f"({' '.join(option.words)})" if option.words else ""
    if words and option.takes_files:
        return rf"_alternative 'words\:word\:{words}' 'files\:file\:_files'"
    return "_files" if option.takes_files else words or " "


def _operand(operand: Operand) -> str:
    if operand.choices:
        action = f"({' '.join(operand.choices)})"
    else:
        action = f'_files -g "{LEDGER_NAMES}"' if operand.metavar == LEDGER else "_files"
    return f"{'*' if operand.is_repeatable else ''}:{_escaped(operand.metavar)}:{action}"


def _escaped(text: str) -> str:
    return re.sub(r"([\\:\[\]])", r"\\\1", text)


def _sentence(text: str) -> str:
    return re.sub(r"\. .*|\.$", "", text).replace(":", ",")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
