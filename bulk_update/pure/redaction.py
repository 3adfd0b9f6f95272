r"""Strike secrets out of what others say: as they are, and with characters of them escaped.

A server that repeats a key may do so in JSON (also inside of JSON), in a page, or in a URL. So each character of a
secret is looked for as it is, and in every way in which these write it: `=` is also `\u003d`, `&#61;` and `%3D`.
"""

import re
from collections.abc import Iterator
from functools import cache, cached_property
from html.entities import html5
from typing import Final

STRUCK_OUT: Final = "[secret]"

LEAST: Final = 8
"""Characters from which on a secret, or the beginning of one, is struck out; fewer stand in any text by chance."""

_HINTS: Final = re.compile(r"[\\&%\0]")
"""What is in every text that holds an escaped character. NUL: between the letters of UTF-16 that was read as UTF-8."""

_cut: Final = re.compile(r"(?:[\\&%\0][\\\0#;%a-zA-Z0-9]{0,12})?(?=\Z|\.\.\.|…)").match
"""Find the place where a text was cut, perhaps within an escaped character."""


class Redaction:
    """Strike secrets out of texts. A secret shorter than `LEAST` is left."""

    def __init__(self, *secrets: str) -> None:
        self._secrets: list[_Secret] = []
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Strike these out, too, from now on."""
        known = {secret.text: secret for secret in self._secrets}
        known |= {text: _Secret(text) for text in secrets if len(text) >= LEAST and text not in known}
        # One may be the beginning of another: struck out first, it would leave the rest of the longer one.
        self._secrets = sorted(known.values(), key=lambda secret: len(secret.text), reverse=True)

    def __call__(self, text: str) -> str:
        """Strike out each secret, and the beginning of one where the text was cut."""
        for secret in self._secrets:
            if secret.beginning in text or _HINTS.search(text):
                text = secret.strike(text)
        return text


class _Secret:
    """One secret."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.beginning = text[:LEAST]

    def strike(self, text: str) -> str:
        """Strike it out."""
        left, after = [], 0
        for found in self._begins.finditer(text):
            start = found.start()
            if start >= after and (end := self._end(text, start)) > start:
                left += [text[after:start], STRUCK_OUT]
                after = end
        return "".join([*left, text[after:]])

    @cached_property
    def _begins(self) -> re.Pattern[str]:
        # Looking ahead, since what is no beginning after all may hold one.
        letters = ["|".join((_plain(letter), *_escaped(letter, "0,2"))) for letter in self.beginning]
        return re.compile(f"(?={''.join(f'(?:{forms})' for forms in letters)})")

    def _end(self, text: str, start: int) -> int:
        """Find the end of the secret that begins at `start`, or where it is cut; `start` when it does not go on."""
        ends, cuts = {start}, set[int]()
        for number, letter in enumerate(self.text):
            if number >= LEAST:
                cuts |= ends
            ends = {end for at in ends for end in _ends_of(letter, text, at)}
            if not ends:
                break
        ends |= {cut.end() for at in cuts if (cut := _cut(text, at))}
        return max(ends, default=start)


def _ends_of(letter: str, text: str, at: int) -> Iterator[int]:
    """Find where a character that is written at a place may end: `%25` is one of a URL, or three."""
    for form in _forms(letter):
        if found := form.match(text, at):
            yield found.end()


@cache
def _forms(letter: str) -> list[re.Pattern[str]]:
    # What may be read in two ways is of two forms, since a form is found once.
    patterns = (_plain(letter), *(pattern for again in "012" for pattern in _escaped(letter, again)))
    return [re.compile(pattern) for pattern in patterns]


def _plain(letter: str) -> str:
    """Write the pattern of a character that stands for itself, after backslashes that escape it or the one before."""
    return r"\0?\\" if letter == "\\" else rf"[\\\0]{{0,64}}+{re.escape(letter)}"


def _escaped(letter: str, again: str) -> tuple[str, str]:
    """Write the patterns of a character's code and of its entity. `again`: how often they are escaped once more."""
    digits = re.sub("[a-f]", lambda digit: f"[{digit[0]}{digit[0].upper()}]", f"{ord(letter):02x}")
    names = "".join(f"|{re.escape(name)}" for name in _names().get(letter, ()))
    code = rf"(?:\\{{1,64}}+(?:u00|x)|\\{{0,64}}+%(?:u00|(?:25){{{again}}})){digits}"
    entity = rf"\\{{0,64}}+(?:&|u0026)(?:amp;){{{again}}}(?:#0{{0,6}}{ord(letter)}|#[xX]0{{0,6}}{digits}{names});?"
    return code, entity


@cache
def _names() -> dict[str, list[str]]:
    """Map characters to the names that pages have for them."""
    names: dict[str, list[str]] = {}
    for name, text in html5.items():
        if name.endswith(";"):
            names.setdefault(text, []).append(name[:-1])
    return names
