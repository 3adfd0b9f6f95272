"""What is taken from an answer to be shown or recorded holds no secret, however the server wrote it."""

import html
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Final
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bulk_update.model import Answer, Batch, Change
from bulk_update.pure.redaction import LEAST, STRUCK_OUT, Redaction
from bulk_update.pure.retrying import Trouble
from bulk_update.pure.wire import Judgement, judge
from tests.pure.escaping import SECRETS, escaped

SECRET: Final = "kEy-9f/Q2=a71+bE"
BATCH: Final = Batch("org-1", [Change("org-1", id, line, 0, 0, 2, b"{}") for line, id in enumerate("ab", 1)])

PLACES: Final[dict[str, tuple[int, str]]] = {
    "an error's message": (400, '{"error":{"status":"INVALID_ARGUMENT","message":"%s"}}'),
    "an error's message, with 200": (200, '{"error":{"status":"INTERNAL","message":"%s"}}'),
    "an error's status": (500, '{"error":{"status":"%s","message":"no"}}'),
    "a verdict's message": (200, '{"result":{"status":"success","data":{"a":{"success":false,"message":"%s"}}}}'),
    "a verdict's message, read loosely": (
        200,
        '{"result":{"status":"success","data":{"a":{"success":false,"message":"%s"},"b":5}}}',
    ),
    "a verdict's message in details": (
        500,
        '{"error":{"status":"INTERNAL","details":{"a":{"success":false,"message":"%s"}}}}',
    ),
    "the result's status": (200, '{"result":{"status":"%s","data":{}}}'),
    "a member of another form": (200, '{"result":{"status":"success","data":"%s"}}'),
    "an id that was not sent": (200, '{"result":{"status":"success","data":{"%s":{"success":true}}}}'),
    "a page": (200, "<html>%s</html>"),
    "a page of a proxy": (502, "<pre>%s"),
    "text": (401, "%s"),
    "JSON of another form": (500, '{"message":"%s"}'),
    "half of some JSON": (200, '{"error":{"message":"%s","sta'),
}
"""Where a server may say something: HTTP status and body, `%s` in it as in a string of JSON."""


def said_of(status: int, body: str | bytes, *secrets: str, batch: Batch = BATCH) -> Judgement:
    raw = body if isinstance(body, bytes) else body.encode()
    return judge(Answer(status, raw, redact=Redaction(*(secrets or (SECRET,)))), batch)


def texts(judgement: Judgement) -> list[str]:
    """List what is shown or recorded of a judgement."""
    errors = [text for _, error in judgement.refused for text in (error.code, error.message)]
    return [judgement.code, judgement.message, *errors]


def readings(text: str) -> list[str]:
    """Read a text as whoever sees it may: as it stands, as JSON, as a page, as a URL."""
    return [text, text.replace("\\", ""), html.unescape(text), unquote(text), unquote(html.unescape(text))]


def at(place: tuple[int, str], written: str) -> Judgement:
    status, body = place
    return said_of(status, body.replace("%s", written))


@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@given(st.data(), SECRETS)
def test_no_text_holds_a_secret_however_it_is_written(place: tuple[int, str], data: st.DataObject, secret: str) -> None:
    status, body = place
    assume(not any(secret in text for text in texts(said_of(status, body, secret))))  # words of the program
    written = data.draw(escaped(secret))
    judgement = said_of(status, body.replace("%s", f"key {written} is wrong"), secret)
    assert not [text for text in texts(judgement) for reading in readings(text) if secret in reading]


ESCAPES: Final[dict[str, Callable[[str], str]]] = {
    "as it is": str,
    "a slash": lambda text: text.replace("/", "\\/"),
    "an equals sign": lambda text: text.replace("=", "\\u003d"),
    "in capitals": lambda text: text.replace("=", "\\u003D").replace("/", "\\u002F").replace("-", "\\u002D"),
    "each character": lambda text: "".join(f"\\u{ord(letter):04x}" for letter in text),
    "JSON inside of JSON": lambda text: json.dumps(text.replace("/", "\\/"))[1:-1],
}


@pytest.mark.parametrize("write", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("name", PLACES)
def test_a_secret_is_struck_out_and_the_rest_stays(name: str, write: Callable[[str], str]) -> None:
    judgement = at(PLACES[name], f"key {write(SECRET)} is wrong")
    silent = name in ("a member of another form", "an id that was not sent")
    assert sum(f"key {STRUCK_OUT} is wrong" in text for text in texts(judgement)) == (not silent)


@pytest.mark.parametrize("write", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
def test_no_cut_leaves_a_part_of_a_secret(place: tuple[int, str], write: Callable[[str], str]) -> None:
    for shown in (60, 80, 1_000):
        for before in range(2, 45):
            judgement = at(place, "x" * (shown - before) + write(SECRET) + " is wrong")
            assert not [text for text in texts(judgement) if SECRET[:2] in text.replace("\\", "")]


@pytest.mark.parametrize("write", ESCAPES.values(), ids=ESCAPES)
@pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
@pytest.mark.parametrize("read", [400, 16_384])
def test_where_no_more_of_a_text_is_read_hardly_a_part_of_a_secret_is_left(
    read: int, place: tuple[int, str], write: Callable[[str], str]
) -> None:
    for before in (1, LEAST, 12, len(SECRET), 6 * LEAST, 7 * LEAST):
        judgement = at(place, " " * (read - before) + write(SECRET) + " is wrong")
        assert not [text for text in texts(judgement) if SECRET[:LEAST] in text.replace("\\", "")]


def test_a_secret_with_what_json_must_escape_is_struck_out() -> None:
    secret = 'kEy"SECRET\\4f9a'
    body = json.dumps({"error": {"status": "INTERNAL", "message": f"key {secret} is wrong"}})
    assert said_of(500, body, secret).message == f"key {STRUCK_OUT} is wrong"


def test_ids_are_matched_as_they_were_sent_also_when_they_hold_a_secret() -> None:
    batch = Batch("org-1", [change(SECRET), change("b")])
    data = {SECRET: {"success": True}, "b": {"success": False, "message": f"not {SECRET}"}}
    body = json.dumps({"result": {"status": "success", "data": data}})
    judgement = said_of(200, body, batch=batch)
    assert [change.id for change in judgement.updated] == [SECRET]
    assert [(change.id, error.message) for change, error in judgement.refused] == [("b", f"not {STRUCK_OUT}")]


def test_words_of_a_secret_are_no_words_of_the_server() -> None:
    """Nor would they be, when the ledger is read again."""
    body = '{"error":{"status":"INVALID_ARGUMENT","message":"changes: found expired-api-key-77"}}'
    assert said_of(400, body, "expired-api-key-77").trouble is Trouble.REFUSED
    assert said_of(400, body).trouble is Trouble.CREDENTIALS


def test_an_answer_that_says_that_all_is_well_is_not_looked_through() -> None:
    def refuse(text: str) -> str:
        raise AssertionError(text)

    body = json.dumps({"result": {"status": "success", "data": {id: {"success": True, "message": "%"} for id in "ab"}}})
    answer = replace(Answer(200, body.encode()), redact=refuse)
    assert judge(answer, BATCH).updated is BATCH.changes


def change(identifier: str) -> Change:
    return Change("org-1", identifier, 1, 0, 0, 2, b"{}")
