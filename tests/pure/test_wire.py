import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulk_update.model import Answer, Batch, Change, RowError
from bulk_update.pure.retrying import Trouble
from bulk_update.pure.wire import Judgement, encode_request, judge

TRUE = {"success": True, "message": "Activity updated."}
FALSE = {"success": False, "message": "Failed to update activity."}
DEEP = 100_000


def sent(ids: Iterable[str] = "abc") -> Batch:
    """Make a batch of changes to these ids."""
    return Batch("org-1", [Change("org-1", id, line, 0, 0, 2, b"{}") for line, id in enumerate(ids, 1)])


def success(data: object, **others: object) -> bytes:
    """Write the body of a success as the official page shows it."""
    result = {"status": "success", "message": "Activity(s) updated successfully.", "data": data, **others}
    return json.dumps({"result": result}).encode()


def failure(status: str, message: str = "The reason.", **others: object) -> bytes:
    return json.dumps({"error": {"message": message, "status": status, **others}}).encode()


def ask(body: bytes, http: int = 200, ids: Iterable[str] = "abc") -> Judgement:
    """Judge an answer, and see that each change is in exactly one place."""
    batch = sent(ids)
    judgement = judge(Answer(http, body), batch)
    refused = [change for change, _ in judgement.refused]
    places = [*judgement.updated, *refused, *judgement.unanswered]
    assert sorted(places, key=lambda change: change.line) == batch.changes
    return judgement


def ids_of(judgement: Judgement) -> tuple[str, str, str]:
    """Write which ids are updated, refused and unanswered."""
    return (
        "".join(change.id for change in judgement.updated),
        "".join(change.id for change, _ in judgement.refused),
        "".join(change.id for change in judgement.unanswered),
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"result":{"status":"success","data":{"a":{"success":false}},"data":{"a":{"success":true}}}}',
        b'{"result":{"status":"success","data":{"a":{"success":true}},"d\\u0061ta":{"a":{"success":true}}}}',
        b'{"result":{"status":"success","data":{}},"result":{"status":"success","data":{"a":{"success":true}}}}',
        b'{"err\\u006fr":{"status":"INTERNAL","message":"no"},"result":{"status":"success","data":{"a":{"success":true}}}}',
    ],
)
def test_an_answer_that_contradicts_itself_updates_nothing(body: bytes) -> None:
    assert ids_of(ask(body, ids="a")) == ("", "", "a")


# ----------------------------------------------------------------------------------------------- what is sent


def test_a_request_holds_the_organization_and_the_activities_and_nothing_else() -> None:
    changes = [
        Change("org-1", "a", 1, 0, 0, 2, b'{"id":"a","entityData":1.0}'),
        Change("org-1", "b", 2, 0, 0, 32, b'{"id":"b","actionIcon":"\\u0041"}'),
    ]
    assert encode_request(Batch("org-1", changes)) == (
        b'{"data":{"organizationId":"org-1","activities":'
        b'[{"id":"a","entityData":1.0},{"id":"b","actionIcon":"\\u0041"}]}}'
    )


@pytest.mark.parametrize("organization", ['"', "\\", "\x00", "é😀", "\u2028", "a" * 1000])
def test_any_organization_is_written_as_json(organization: str) -> None:
    batch = Batch(organization, [Change(organization, "a", 1, 0, 0, 2, b'{"id":"a"}')])
    data = {"organizationId": organization, "activities": [{"id": "a"}]}
    assert json.loads(encode_request(batch)) == {"data": data}


# ---------------------------------------------------------------------------------------- an answer by its ids


def test_each_id_gets_its_own_verdict() -> None:
    judgement = ask(success({"c": TRUE, "a": FALSE, "b": TRUE}))
    assert ids_of(judgement) == ("bc", "a", "")
    assert judgement.refused[0][1] == RowError("not_updated", "Failed to update activity.", 200)
    assert (judgement.trouble, judgement.http) == (None, 200)


def test_all_may_be_updated() -> None:
    judgement = ask(success({"a": TRUE, "b": TRUE, "c": TRUE}))
    assert ids_of(judgement) == ("abc", "", "")
    assert (judgement.trouble, judgement.http) == (None, 200)


def test_a_status_of_success_says_nothing_of_the_ids() -> None:
    assert ids_of(ask(success({"a": FALSE, "b": FALSE, "c": FALSE}))) == ("", "abc", "")


def test_an_id_that_is_absent_is_unanswered_and_never_a_success() -> None:
    judgement = ask(success({"b": TRUE}))
    assert ids_of(judgement) == ("b", "", "ac")
    assert (judgement.trouble, judgement.code) == (None, "no_verdict")
    assert ids_of(ask(success({}))) == ("", "", "abc")


@pytest.mark.parametrize("extra", [TRUE, FALSE, None, {}, "x"])
@pytest.mark.parametrize("others", [{}, {"a": TRUE}, {"a": TRUE, "b": TRUE, "c": TRUE}, {"a": "malformed"}])
def test_an_id_that_was_not_sent_voids_the_whole_answer(extra: object, others: dict[str, object]) -> None:
    judgement = ask(success({**others, "not sent": extra}))
    assert ids_of(judgement) == ("", "", "abc")
    assert judgement.trouble is Trouble.UNREADABLE


@pytest.mark.parametrize("near", ["A", "a ", "ａ", "a\u0301", "\\u0061"])
def test_ids_are_compared_exactly(near: str) -> None:
    judgement = ask(success({near: TRUE}))
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.UNREADABLE)


def test_an_id_may_be_spelled_with_escapes() -> None:
    assert ids_of(ask(success({"é😀": TRUE}), ids=["é😀", "b"]))[0] == "é😀"
    body = success({"b": TRUE}).replace(b'"b"', b'"\\u0062"')
    assert ids_of(ask(body)) == ("b", "", "ac")


def test_ids_may_be_named_like_the_keys_of_an_answer() -> None:
    names = ["success", "message", "error", "data", "result", "status", "__proto__", ""]
    data = {name: FALSE if name in {"error", "status"} else TRUE for name in names}
    judgement = ask(success(data), ids=names)
    assert [change.id for change, _ in judgement.refused] == ["error", "status"]
    assert len(judgement.updated) == 6


MALFORMED = [
    '"true"', "1", "0", "null", '"success"', "[]", "{}", "true", "[true]",
    '{"success":"true"}', '{"success":1}', '{"success":1.0}', '{"success":null}', '{"success":[true]}',
    '{"Success":true}', '{"message":"success"}', '{"success":{"success":true}}', '{"data":{"success":true}}',
    '[{"success":true}]', '[["success",true]]',
]  # fmt: skip


@pytest.mark.parametrize("verdict", MALFORMED)
def test_a_malformed_verdict_leaves_that_id_alone_unanswered(verdict: str) -> None:
    body = success({"a": TRUE, "b": "?", "c": FALSE}).replace(b'"?"', verdict.encode())
    judgement = ask(body)
    assert ids_of(judgement) == ("a", "c", "b")
    assert judgement.trouble is None


def test_what_stands_beside_success_does_not_matter() -> None:
    body = success({"a": {**TRUE, "code": 1, "more": {"success": False}}, "b": {"success": True}, "c": TRUE}, extra=[1])
    assert ids_of(ask(body)) == ("abc", "", "")
    assert ids_of(ask(b" \n" + body.replace(b",", b" ,\t") + b"\n")) == ("abc", "", "")


@pytest.mark.parametrize("message", ["success", '"success"', '"success":true', '{"a":{"success":true}}', '\\"success'])
def test_a_message_may_speak_of_success(message: str) -> None:
    said = {"success": False, "message": message}
    judgement = ask(success({"a": said, "b": {**TRUE, "message": message}}))
    assert ids_of(judgement) == ("b", "a", "c")
    assert judgement.refused[0][1].message == message


def test_what_the_server_says_is_cut() -> None:
    judgement = ask(success({"a": {"success": False, "message": "x" * 100_000}}))
    assert len(judgement.refused[0][1].message) < 2_000
    judgement = ask(failure("x" * 100_000, "y" * 100_000), 400)
    assert len(judgement.message) + len(judgement.code) < 2_000


# ----------------------------------------------------------------------------------- an id that is named twice


def body_of(*verdicts: str, status: str = '"success"', before: str = "") -> bytes:
    """Write a body with verdicts as text, so that a key may be repeated."""
    return f'{{"result":{{"status":{status}{before},"data":{{{",".join(verdicts)}}}}}}}'.encode()


REPEATED = {
    "alike": ['"a":{"success":true}', '"a":{"success":true}'],
    "false, then true": ['"a":{"success":false}', '"a":{"success":true}'],
    "true, then false": ['"a":{"success":true}', '"a":{"success":false}'],
    "null, then true": ['"a":null', '"a":{"success":true}'],
    "empty, then true": ['"a":{}', '"a":{"success":true}'],
    "true, then empty": ['"a":{"success":true}', '"a":{}'],
    "an array, then true": ['"a":[["success",false]]', '"a":{"success":true}'],
    "spelled otherwise": ['"\\u0061":{"success":false}', '"a":{"success":true}'],
    "named otherwise": ['"a":{"\\u0073uccess":false}', '"a":{"success":true}'],
    "thrice": ['"a":{"success":true}', '"a":{}', '"a":{"success":true}'],
    "two verdicts in one": ['"a":{"success":false,"success":true}'],
    "two verdicts in one, spelled otherwise": ['"a":{"success":false,"\\u0073uccess":true}'],
}


@pytest.mark.parametrize("repeated", REPEATED.values(), ids=REPEATED)
@pytest.mark.parametrize("status", ['"success"', '"\\u0073uccess"', '"succes\\u0073"'])
@pytest.mark.parametrize("other", ['"b":{"success":true}', '"b":{"success":true,"message":"success"}'])
def test_an_id_that_is_named_twice_is_unanswered(repeated: list[str], status: str, other: str) -> None:
    for verdicts in ([*repeated, other], [other, *repeated], [repeated[0], other, *repeated[1:]]):
        judgement = ask(body_of(*verdicts, status=status))
        assert ids_of(judgement) == ("b", "", "ac")
        assert judgement.trouble is None


@pytest.mark.parametrize("repeated", REPEATED.values(), ids=REPEATED)
def test_an_id_that_is_named_twice_in_details_is_not_updated(repeated: list[str]) -> None:
    details = ",".join([*repeated, '"b":{"success":true}'])
    body = f'{{"error":{{"status":"INTERNAL","message":"m","details":{{{details}}}}}}}'.encode()
    judgement = ask(body, 500)
    assert "a" not in ids_of(judgement)[0] + ids_of(judgement)[1]


@pytest.mark.parametrize(
    "junk", ["1" * 5000, "[" * 980 + "]" * 980, "[" * 990 + "]" * 990, "1e999", '"\\ud83d\\ude00"', '"é"']
)
def test_nothing_beside_the_verdicts_makes_the_judge_fail(junk: str) -> None:
    twice = ['"a":{"success":false}', '"a":{"success":true}', '"b":{"success":true}']
    for body in (
        body_of(*twice, before=f',"n":{junk}'),
        body_of(*twice, f'"c":{{"success":true,"n":{junk}}}'),
        body_of(*twice, f'"c":{junk}'),
    ):
        assert "a" not in ids_of(ask(body))[0]
        assert "[" in junk or ids_of(ask(body))[0].startswith("b")


# ------------------------------------------------------------------------- what is no answer about the rows

NO_ANSWERS = {
    "nothing": b"",
    "null": b"null",
    "a number": b"200",
    "an empty object": b"{}",
    "an empty result": b'{"result":{}}',
    "result is null": b'{"result":null}',
    "no data": b'{"result":{"status":"success"}}',
    "data is []": success([]),
    "data is null": success(None),
    "data is a list of verdicts": success([TRUE, TRUE, TRUE]),
    "data is one verdict": b'{"result":{"status":"success","data":"success"}}',
    "no status": json.dumps({"result": {"data": {"a": TRUE}}}).encode(),
    "another status": success({"a": TRUE}, status="error"),
    "status is true": success({"a": TRUE}, status=True),
    "status in capitals": success({"a": TRUE}, status="Success"),
    "data without result": json.dumps({"data": {"a": TRUE}, "status": "success"}).encode(),
    "a cut body": success({"a": TRUE, "b": TRUE})[:-20],
    "two answers": success({"a": TRUE}) * 2,
    "NaN": success({"a": TRUE}, n=float("nan")),
    "UTF-16": success({"a": TRUE}).decode().encode("utf-16"),
    "a mark": b"\xef\xbb\xbf" + success({"a": TRUE}),
    "not UTF-8": success({"\u00e9": TRUE}).replace(b"\\u00e9", b"\xe9"),
    "NUL bytes": b"\x00" * 100,
    "error is text": b'{"error":"Not found"}',
    "text with a tag in it": b"Sign in <here>",
    "a long status": success({}, status="x" * 5000),
}


@pytest.mark.parametrize("body", NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_200_of_another_form_tells_nothing(body: bytes) -> None:
    judgement = ask(body)
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.UNREADABLE)
    assert judgement.code == "unreadable"
    assert len(judgement.message) < 300


@pytest.mark.parametrize("body", [b"<!DOCTYPE html><html>Sign in</html>", b"\r\n <html>success</html>", b"<"])
def test_a_200_with_a_page_for_people_is_told_apart(body: bytes) -> None:
    judgement = ask(body)
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.WEB_PAGE)


@pytest.mark.parametrize("http", [201, 202, 204, 206, 301, 302, 307, 400, 418, 500, 502])
def test_verdicts_count_only_with_200(http: int) -> None:
    judgement = ask(success({"a": TRUE, "b": TRUE, "c": TRUE}), http)
    assert ids_of(judgement) == ("", "", "abc")
    assert judgement.trouble is not None


def deep_bodies(levels: int) -> list[bytes]:
    arrays, objects = b"[" * levels + b"]" * levels, b'{"a":' * levels + b"1" + b"}" * levels
    bodies = [
        b"%s",
        b"%s}",
        b'{"result":%s}',
        b'{"result":{"status":"success","data":%s}}',
        b'{"result":{"status":"success","data":{"a":%s}}}',
        b'{"result":{"status":"success","data":{"a":{"success":true},"b":{"success":%s}}}}',
        b'{"result":{"status":"success","data":{"a":{"success":"x"},"b":{"success":true,"n":%s}}}}',
        b'{"result":{"status":"success","data":{"a":{"success":true},"a":{"success":true,"n":%s}}}}',
        b'{"result":{"data":{"a":{"success":"x"}},"status":"success","n":%s}}',
        b'{"result":{"data":{"a":{"success":true}},"status":"success"},"n":%s}',
        b'{"error":%s}',
        b'{"error":{"status":"INTERNAL","details":%s}}',
        b'{"error":{"status":"INTERNAL","details":{"a":%s}}}',
        b'{"error":{"status":"INTERNAL","details":{"a":{"success":true,"n":%s}}}}',
    ]
    return [body.replace(b"%s", deep) for body in bodies for deep in (arrays, objects)]


@pytest.mark.parametrize("levels", [*range(900, 1020, 7), DEEP])
def test_deep_bodies_raise_nothing(levels: int) -> None:
    for body in deep_bodies(levels):
        for http in (200, 400, 500):
            judgement = ask(body, http)
            assert "b" not in ids_of(judgement)[0] or levels < DEEP


def test_large_bodies_raise_nothing() -> None:
    ids = [f"id-{number}" for number in range(50_000)]
    assert len(ask(success(dict.fromkeys(ids, TRUE)), ids=ids).updated) == 50_000
    judgement = ask(success(dict.fromkeys(ids, TRUE)))
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.UNREADABLE)
    assert ask(b"x" * 8_000_000, 502).trouble is Trouble.SERVER_ERROR


# --------------------------------------------------------------------------------------------------- failures


@pytest.mark.parametrize("http", [200, 400, 500])
def test_an_error_counts_whatever_the_http_status(http: int) -> None:
    judgement = ask(failure("RESOURCE_EXHAUSTED", "Slow down."), http)
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.THROTTLED)
    assert (judgement.code, judgement.message, judgement.http) == ("RESOURCE_EXHAUSTED", "Slow down.", http)


def test_an_error_may_be_spaced_out() -> None:
    body = failure("RESOURCE_EXHAUSTED").replace(b":", b" : ").replace(b"{", b"{ ")
    assert ask(body, 200).trouble is Trouble.THROTTLED


def test_an_error_beside_a_result_is_an_error() -> None:
    both = json.loads(failure("INTERNAL")) | json.loads(success({"a": TRUE, "b": TRUE, "c": TRUE}))
    assert ids_of(ask(json.dumps(both).encode())) == ("", "", "abc")


@pytest.mark.parametrize("message", ["Auth token is required", "Invalid API key."])
def test_an_invalid_argument_that_speaks_of_credentials_is_no_rows_fault(message: str) -> None:
    assert ask(failure("INVALID_ARGUMENT", message), 400).trouble is Trouble.CREDENTIALS
    assert ask(failure("INVALID_ARGUMENT", "changes: expected an object"), 400).trouble is Trouble.REFUSED


@pytest.mark.parametrize(
    ("http", "body", "trouble"),
    [
        (502, b"<html>Bad Gateway</html>", Trouble.SERVER_ERROR),
        (503, b"", Trouble.UNAVAILABLE),
        (429, b"<html>slow down</html>", Trouble.THROTTLED),
        (413, b"<html>too large</html>", Trouble.TOO_LARGE),
        (401, b"Unauthorized", Trouble.CREDENTIALS),
        (404, b"<html>not found</html>", Trouble.NOT_THIS_API),
        (302, b"", Trouble.NOT_THIS_API),
        (400, b'{"error":"bad"}', Trouble.REFUSED),
        (400, b'{"error":{"message":5,"status":"INTERNAL"}}', Trouble.REFUSED),
        (400, b'{"error":{}}', Trouble.REFUSED),
        (500, b'{"error":null}', Trouble.SERVER_ERROR),
    ],
)
def test_without_a_google_status_the_http_number_decides(http: int, body: bytes, trouble: Trouble) -> None:
    judgement = ask(body, http)
    assert (ids_of(judgement), judgement.trouble, judgement.http) == (("", "", "abc"), trouble, http)
    assert judgement.code
    assert judgement.message


def test_a_code_and_a_message_are_there_even_when_the_server_says_nothing() -> None:
    judgement = ask(b'{"error":{}}', 503)
    assert (judgement.code, judgement.message) == ("unavailable", "HTTP 503")


@pytest.mark.parametrize("http", [500, 400, 200])
def test_details_of_a_failure_settle_the_ids_they_name(http: int) -> None:
    """Sister endpoints answer a partial failure so (API.md)."""
    judgement = ask(failure("INTERNAL", details={"a": TRUE, "b": FALSE}), http)
    assert ids_of(judgement) == ("a", "b", "c")
    assert judgement.trouble is None
    assert judgement.refused[0][1] == RowError("not_updated", "Failed to update activity.", http)


@pytest.mark.parametrize(
    "details",
    [
        {},
        [],
        None,
        "text",
        [TRUE],
        {"a": "text"},
        {"a": TRUE, "b": {}},
        {"a": TRUE, "b": {"success": "true"}},
        {"a": {"success": 1}},
        {"reason": "x", "success": True},
        {"fieldViolations": []},
    ],
)
def test_details_of_another_form_settle_nothing(details: object) -> None:
    judgement = ask(failure("INTERNAL", details=details), 500)
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.SERVER_ERROR)


@pytest.mark.parametrize("others", [{}, {"a": TRUE}])
def test_details_that_name_ids_that_were_not_sent_are_of_another_request(others: dict[str, object]) -> None:
    judgement = ask(failure("INVALID_ARGUMENT", details={**others, "not sent": FALSE}), 400)
    assert (ids_of(judgement), judgement.trouble) == (("", "", "abc"), Trouble.UNREADABLE)


# ------------------------------------------------------------------------------------------- random answers

IDS = st.sampled_from(["a", "b", "c", "d", "success", "error", "é"])
ODD: st.SearchStrategy[object] = st.sampled_from(
    [None, True, 1, "true", [], {}, {"success": 1}, {"success": "true"}, {"message": "x"}]
)
VERDICTS = st.fixed_dictionaries(
    {"success": st.booleans()}, optional={"message": st.sampled_from(["", "success", '"success"', "é\\"])}
)
PAIRS = st.lists(st.tuples(IDS, VERDICTS | VERDICTS | ODD), max_size=5)


def write(pairs: list[tuple[str, Any]], dump: Callable[[object], str]) -> str:
    return "{" + ",".join(dump(name) + ":" + dump(verdict) for name, verdict in pairs) + "}"


@settings(max_examples=500)
@given(PAIRS, st.lists(IDS, min_size=1, max_size=5, unique=True), st.booleans(), st.booleans())
@example([("a", None), ("a", {"success": True})], ["a"], False, False)
def test_only_sent_ids_with_one_verdict_of_true_are_updated(
    pairs: list[tuple[str, Any]], ids: list[str], in_details: bool, spaced: bool
) -> None:
    data = write(pairs, json.dumps if spaced else lambda value: json.dumps(value, separators=(",", ":")))
    if in_details:
        body, http = f'{{"error":{{"status":"INTERNAL","details":{data}}}}}', 500
    else:
        body, http = f'{{"result":{{"status":"success","data":{data}}}}}', 200
    judgement = ask(body.encode(), http, ids)
    named = [name for name, _ in pairs]
    verdicts = {
        name: verdict["success"]
        for name, verdict in pairs
        if named.count(name) == 1 and isinstance(verdict, dict) and isinstance(verdict.get("success"), bool)
    }
    may_settle = set(named) <= set(ids) and not (in_details and set(verdicts) != set(named))
    expected = {name: verdicts.get(name) for name in ids} if may_settle else dict.fromkeys(ids)
    assert {change.id for change in judgement.updated} == {name for name in ids if expected[name] is True}
    assert {change.id for change, _ in judgement.refused} == {name for name in ids if expected[name] is False}


@given(
    st.binary(max_size=200) | st.text('{}[]":,truefalsn1 ', max_size=60).map(str.encode), st.sampled_from([200, 500])
)
def test_garbage_raises_nothing_and_updates_nothing(body: bytes, http: int) -> None:
    assert ids_of(ask(body, http)) == ("", "", "abc")


@given(st.data())
def test_a_damaged_answer_raises_nothing(data: st.DataObject) -> None:
    body = bytearray(data.draw(st.sampled_from([success({"a": TRUE, "b": FALSE}), failure("X", details={"a": TRUE})])))
    for _ in range(data.draw(st.integers(1, 4))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.sampled_from(b'{}[]",:a1\\t'))
    judgement = ask(bytes(body), data.draw(st.sampled_from([200, 500])))
    assert {change.id for change in judgement.updated} <= {"a", "b"}
