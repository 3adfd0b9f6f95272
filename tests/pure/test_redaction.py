"""A secret is struck out in whatever way it is written, and nothing else is."""

import json
from collections.abc import Callable
from html import escape, unescape
from urllib.parse import quote

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from bulk_update.pure.redaction import LEAST, STRUCK_OUT, Redaction
from tests.pure.escaping import SECRETS, escaped

SECRET = 'kEy"9f/Q2=a\\71+bE&c%4'

WAYS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "as others write JSON": lambda text: json.dumps(text)[1:-1],
    "as PHP writes JSON": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "as Gson writes JSON": lambda text: json.dumps(text)[1:-1].replace("=", "\\u003d").replace("&", "\\u0026"),
    "each character": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "each character, in capitals": lambda text: "".join(f"\\u{ord(letter):04X}" for letter in text),
    "as scripts do": lambda text: "".join(f"\\x{ord(letter):02X}" for letter in text),
    "JSON inside of JSON": lambda text: json.dumps(json.dumps(text)),
    "JSON inside of JSON inside of JSON": lambda text: json.dumps(json.dumps(json.dumps(text))),
    "in a page": escape,
    "JSON in a page": lambda text: escape(json.dumps(text)),
    "a page in a page": lambda text: escape(escape(text)),
    "a page in JSON": lambda text: json.dumps(escape(text)).replace("&", "\\u0026"),
    "in a URL": quote,
    "in a URL, to the letter": lambda text: "".join(f"%{ord(letter):02x}" for letter in text),
    "a URL in a URL": lambda text: quote(quote(text)),
    "as old scripts do in a URL": lambda text: "".join(f"%u{ord(letter):04X}" for letter in text),
    "as bytes of Python": lambda text: repr(text.encode()),
    "in UTF-16": lambda text: text.encode("utf-16").decode(errors="replace"),
    "in UTF-16, the other end first": lambda text: text.encode("utf-16-be").decode(),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
@pytest.mark.parametrize(
    "secret", [SECRET, "key-9fQ2-SECRET-a71bE", "c2VjcmV0/+w==", "\\\\\\\\\\\\\\\\x", "&amp;%25\\u0041"]
)
def test_a_secret_is_found_in_whatever_way_it_is_written(way: Callable[[str], str], secret: str) -> None:
    written = way(secret)
    said = Redaction(secret)(f"Invalid key: {written} was refused")
    before, _, after = said.partition(STRUCK_OUT)
    # The quotes around it, and what escapes them.
    around = unescape(unescape(before.removeprefix("Invalid key: ") + after.removesuffix(" was refused")))
    assert around.removeprefix("b").strip("\"'\\\0\ufffd") == ""


@given(st.data(), SECRETS)
def test_each_character_may_be_written_in_a_way_of_its_own(data: st.DataObject, secret: str) -> None:
    written = data.draw(escaped(secret))
    said = Redaction(secret)(f"Invalid key: {written}~ was refused")
    assert said.replace("\\", "") == f"Invalid key: {STRUCK_OUT}~ was refused"


@given(st.data(), SECRETS)
@example(None, "aaaaaaaab")
def test_what_is_left_of_a_secret_where_a_text_was_cut_is_struck_out(data: st.DataObject | None, secret: str) -> None:
    redact = Redaction(secret)
    for length in range(LEAST, len(secret)):
        assert redact(f"key: {secret[:length]}").rstrip("\\") == f"key: {STRUCK_OUT}"
        for mark in ("...", "…"):
            said = redact(f"key: {secret[:length]}{mark} is wrong")
            assert said.replace("\\", "").replace(".", "").startswith(f"key: {STRUCK_OUT}")
            assert said.endswith(" is wrong")
    if data is None:
        return
    written = "".join(f"\\u{ord(letter):04x}" for letter in secret)
    cut = data.draw(st.integers(6 * LEAST, len(written)))
    assert redact(f"key: {written[:cut]}") == f"key: {STRUCK_OUT}"


@given(st.text(), SECRETS)
def test_all_else_is_left_as_it_is(text: str, secret: str) -> None:
    assume(secret[:LEAST] not in text)
    assert Redaction(secret)(text) == text


@pytest.mark.parametrize(
    "text", ["key-9fQ2-other", "key-9fQ2-SECRET", "key-9fQ2-SECRET-a71bX", "KEY-9FQ2-SECRET-A71BE", "50% of \\ & ..."]
)
def test_what_only_looks_like_a_secret_is_left(text: str) -> None:
    assert Redaction("key-9fQ2-SECRET-a71bE")(f"{text} is wrong") == f"{text} is wrong"


def test_what_is_no_beginning_of_a_secret_may_hold_one() -> None:
    assert Redaction("velt-velt-key")("velt-velt-velt-key velt-velt-key") == f"velt-{STRUCK_OUT} {STRUCK_OUT}"


@pytest.mark.parametrize(
    "secrets", [("abcdefgh", "abcdefgh-ijk"), ("abcdefgh-ijk", "abcdefgh"), ("h-ijk012", "abcdefgh-ijk012")]
)
def test_of_a_secret_that_holds_another_nothing_is_left(secrets: tuple[str, str]) -> None:
    assert Redaction(*secrets)(f"<{max(secrets, key=len)}>") == f"<{STRUCK_OUT}>"


def test_secrets_are_added_and_none_is_forgotten() -> None:
    redact = Redaction("the-old-key", "the-old-token")
    redact.add("the-new-key", "the-old-token")
    for secret in ("the-old-key", "the-old-token", "the-new-key"):
        assert redact(f"a {secret} b") == f"a {STRUCK_OUT} b"


def test_what_is_too_short_to_be_told_from_words_is_left() -> None:
    redact = Redaction("", "key", "1234567")
    assert redact("key 1234567 \\u0031234567") == "key 1234567 \\u0031234567"


def test_a_secret_is_in_no_repr() -> None:
    assert SECRET not in f"{Redaction(SECRET)!r} {vars(Redaction(SECRET))!r}"


@pytest.mark.parametrize("secret", ["\\" * 40, "%" * 40, "&amp;" * 8, "%25" * 14, "a" * 40, "\\u005c" * 7])
@pytest.mark.parametrize("unit", ["\\", "%25", "&amp;", "\\u005c", "a", "\0", "&#97;"])
def test_no_text_takes_long(secret: str, unit: str) -> None:
    """Each would go on for ever if what is tried grew with the ways to read it."""
    Redaction(secret)(unit * (4_000 // len(unit)) + "!")
