"""What is judged by its form is judged as if it had been decoded."""

import json
from collections.abc import Mapping, Sequence

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bulk_update.model import Answer, Batch, Change
from bulk_update.pure.answer_form import Judge
from bulk_update.pure.wire import judge

TRUE = {"success": True, "message": "Activity updated."}
FALSE = {"success": False, "message": "Activity updated."}

WORDS = [
    "success",
    "status",
    "data",
    "message",
    "result",
    "a",
    "b",
    "ab",
    '"',
    "\\",
    '","',
    ",",
    "é",
    "%s",
    "",
    "nobody's id 0",
]
IDS = st.lists(st.one_of(st.sampled_from(WORDS), st.text(max_size=4)), min_size=1, max_size=5, unique=True)


def sent(ids: Sequence[str]) -> Batch:
    return Batch("org-1", [Change("org-1", id, line, 0, 0, 2, b"{}") for line, id in enumerate(ids, 1)])


def write(data: Mapping[str, object], *, compact: bool = True, status: str = "success") -> bytes:
    result = {"status": status, "message": "Activity(s) updated successfully.", "data": data}
    return json.dumps({"result": result}, separators=(",", ":") if compact else None, ensure_ascii=False).encode()


def falsify(body: bytes, ids: Sequence[str], how: int) -> bytes:
    """Change an answer that says yes to all: nothing, a verdict, the order, an id, or what stands around."""
    data = dict.fromkeys(ids, TRUE)
    match how:
        case 1:
            return write({**data, ids[-1]: FALSE})
        case 2:
            return write(dict(reversed(data.items())))
        case 3:
            return write({**data, "stranger": TRUE})
        case 4:
            return body.replace(b"true", b"false", 1)
        case 5:
            return write(data, status="failure")
        case 6:
            return body + b" "
        case 7:
            return write(dict.fromkeys(ids[1:], TRUE))
        case 8:
            return b'{"error":' + body + b"}"
        case _:
            return body


@settings(max_examples=500)
@given(
    st.lists(st.tuples(IDS, st.booleans(), st.integers(0, 9), st.sampled_from([200, 200, 200, 201, 500])), max_size=6)
)
@example([(["a", "b"], True, 0, 200), (["success", "data"], True, 0, 200), (["c", "d"], True, 4, 200)])
@example([(["success", "b"], True, 0, 200), (["c", "d"], True, 0, 200)])
@example([(["a", "b"], True, 0, 200), (['","', '"'], True, 0, 200)])
def test_a_known_form_makes_no_difference(answers: list[tuple[list[str], bool, int, int]]) -> None:
    known = Judge()
    for ids, compact, how, status in answers:
        batch = sent(ids)
        body = falsify(write(dict.fromkeys(ids, TRUE), compact=compact), ids, how)
        answer = Answer(status, body)
        assert known.judge(answer, batch) == judge(answer, batch)


@pytest.mark.parametrize("wrong", [b'"success":false', b'"success":1', b'"success":"true"', b'"success": true'])
def test_a_verdict_that_is_written_otherwise_is_read(wrong: bytes) -> None:
    known, batch = Judge(), sent("abc")
    body = write(dict.fromkeys("abc", TRUE))
    assert known.judge(Answer(200, body), batch).updated == batch.changes
    answer = Answer(200, body.replace(b'"success":true', wrong, 1))
    assert known.judge(answer, batch) == judge(answer, batch)


def test_a_word_of_the_answer_that_is_an_id_as_well_is_not_taken_for_its_place() -> None:
    known, first, second = Judge(), sent(["success", "b"]), sent(["c", "d"])
    body = write({"success": TRUE, "b": TRUE})
    assert known.judge(Answer(200, body), first).updated == first.changes
    answer = Answer(200, body.replace(b'"success"', b'"c"', 1).replace(b'"b"', b'"d"'))
    assert known.judge(answer, second) == judge(answer, second)


def test_an_id_that_looks_like_two_is_not_filled_in() -> None:
    known, second = Judge(), sent(['x",', "y"])
    body = write(dict.fromkeys("ab", TRUE))
    known.judge(Answer(200, body), sent("ab"))
    between = body[body.index(b'"a"') + 3 : body.index(b'"b"')]
    naive = b'"x\\",","y"'.replace(b'","', b'"' + between + b'"')
    answer = Answer(200, body.replace(b'"a"' + between + b'"b"', naive))
    assert known.judge(answer, second) == judge(answer, second)


def test_answers_that_carry_their_own_time_are_learned_from_a_few_times_only() -> None:
    known = Judge()
    for time in range(40):
        batch = sent([f"a{time}", f"b{time}"])
        body = write({id: {"success": True, "message": f"at {time}"} for id in batch.ids})
        assert known.judge(Answer(200, body), batch).updated is batch.changes
