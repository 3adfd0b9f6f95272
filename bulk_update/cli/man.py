"""`man`: the manual page, made of what the parsers and their help know."""

import argparse
import re
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from bulk_update.cli.grammar import Option, Verb
from bulk_update.cli.help_texts import ENVIRONMENT, EPILOGS, EXIT_CODES, FILES, OVERVIEW
from bulk_update.cli.options import VERBS
from bulk_update.cli.streams import give
from bulk_update.version import VERSION

_COLUMNS: Final = re.compile(r"  (\S.*?)(?: {2,}(\S.*))?")
_DEEPER: Final = "       "
_WIDTH: Final = 68
"""Letters of a line before hyphens are escaped."""

Entry = tuple[str, str]
"""What is explained, and what is said of it."""


def man(_options: argparse.Namespace) -> int:
    """Print the page; 0."""
    give(page(list(VERBS.values())))
    return 0


def page(verbs: Sequence[Verb]) -> str:
    """Write the page in the man macros; the same for the same version."""
    run = verbs[0]
    lines = [
        f'.TH BULK\\-UPDATE 1 "" "bulk\\-update {VERSION}" "User Commands"',
        *_section("name"),
        "bulk\\-update \\- update Velt activity logs in bulk",
        *_section("synopsis"),
        *_synopsis(verbs),
        *_section("description"),
        *_filled(OVERVIEW.replace("\n", " ")),
        *_section("commands"),
        *_entries((verb.usage, verb.meaning) for verb in verbs),
        *_section("options"),
        "Of the main job; the other commands have those of them that apply.",
        *_options(run.options),
    ]
    for verb in (one for each in verbs for one in (each, *each.actions)):
        own = _own_options(verb, run)
        if own:
            lines += [_head(f"Options of {verb.name}"), *_options(own)]
    lines += [
        *_section("settings"),
        *_settings(EPILOGS["config"]),
        *_section("exit status"),
        "Of the main job and of",
        ".BR retry :",
        *_entries(_columns(EXIT_CODES)),
        *_exit_statuses(verbs),
        *_section("environment"),
        *_entries(_columns(ENVIRONMENT)),
        *_section("files"),
        *_entries(_columns(FILES)),
        *_section("examples"),
        *_entries(_columns(_part(run.epilog, "examples:"))),
    ]
    return "\n".join(lines)


def _synopsis(verbs: Sequence[Verb]) -> Iterator[str]:
    for number, verb in enumerate(verbs):
        if number:
            yield ".br"
        yield f".B bulk\\-update {_text(verb.usage)}"


def _own_options(verb: Verb, run: Verb) -> list[Option]:
    """Pick the options that the main job has not, or has with another meaning."""
    if verb.name in ("run", "config") or " " in verb.name:
        return []
    inherited = {option.name: option for option in run.options}
    added = [option for action in verb.actions for option in action.options if option.name not in _names(verb)]
    return [
        option
        for option in (*verb.options, *added)
        if option.name not in inherited or inherited[option.name].meaning != option.meaning
    ]


def _names(verb: Verb) -> set[str]:
    return {option.name for option in verb.options}


def _options(options: Sequence[Option]) -> Iterator[str]:
    for option in options:
        names = ", ".join(f"\\fB{_text(name)}\\fR" for name in option.names)
        value = f" \\fI{_text(option.metavar)}\\fR" if option.metavar is not None else ""
        yield ".TP"
        yield names + value
        yield from _filled(option.meaning)


def _settings(epilog: str) -> Iterator[str]:
    """Write the words that come before the examples; what is indented stands as it is."""
    for number, paragraph in enumerate(epilog.partition("\n\nexamples:")[0].split("\n\n")):
        if number:
            yield ".PP"
        if paragraph.startswith("  "):
            yield from [".nf", *map(_text, paragraph.split("\n")), ".fi"]
        else:
            yield from _filled(paragraph.replace("\n", " "))


def _exit_statuses(verbs: Sequence[Verb]) -> Iterator[str]:
    """Write the exit codes of verbs that have others than the main job; those that are alike once."""
    alike: dict[str, list[str]] = {}
    for verb in verbs:
        codes = _part(verb.epilog, "exit codes:")
        if codes and codes != EXIT_CODES:
            alike.setdefault(codes, []).append(verb.name)
    for codes, names in alike.items():
        yield _head(f"Exit status of {' and '.join(names)}")
        told, _, more = codes.partition("\n\n")
        yield from _entries(_columns(told))
        if more:
            yield ".PP"
            yield from _filled(" ".join(more.split()))


def _part(epilog: str, title: str) -> str:
    """Take a titled part of a help text, up to the next title."""
    begin = epilog.find(title)
    rest = epilog[begin:] if begin >= 0 else ""
    following = re.search(r"\n\n(?=\S)", rest)
    return rest[: following.start()] if following else rest


def _columns(text: str) -> Iterator[Entry]:
    """Read the two columns below a title; what is indented more goes on with the second one."""
    term, said = "", ""
    for line in text.split("\n")[1:]:
        if line.startswith(_DEEPER):
            said = f"{said} {line.strip()}".strip()
        elif match := _COLUMNS.fullmatch(line):
            if term:
                yield term, said
            term, said = match[1], (match[2] or "").removeprefix("# ")
    if term:
        yield term, said


def _entries(entries: "Iterator[Entry]") -> Iterator[str]:
    for term, said in entries:
        yield ".TP"
        yield f".B {_text(term)}"
        yield from _filled(said)


def _section(name: str) -> Iterator[str]:
    yield f".SH {name.upper()}"


def _head(name: str) -> str:
    return f".SS {_text(name)}"


def _text(text: str) -> str:
    """Write text so that roff takes it as it stands: a hyphen that is typed is one, and no line is a request."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace('"', "\\(dq")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


def _filled(text: str) -> Iterator[str]:
    """Write sentences in lines of no more than 80 letters, each beginning one, as roff wants them."""
    for sentence in re.split(r"(?<=[.;:]) +", text):
        yield from map(_text, textwrap.wrap(sentence, _WIDTH, break_on_hyphens=False, break_long_words=False))
