"""What was on its way and has no result since: the same whether rows are looked at one by one or many at once."""

from hypothesis import given, settings
from hypothesis import strategies as st

from bulk_update.pure.doubts import Doubts

keys = st.frozensets(st.integers(1, 3), min_size=1)
steps = st.lists(
    st.tuples(st.sampled_from(["send", "send", "end", "end", "results"]), st.integers(0, 5), keys), max_size=30
)


@given(steps)
@settings(max_examples=300)
def test_a_row_is_in_doubt_while_a_request_has_it_that_has_not_ended_and_no_result_came(
    drawn: list[tuple[str, int, frozenset[int]]],
) -> None:
    doubts = Doubts()
    model: dict[int, set[int]] = {}
    for number, (step, back, named) in enumerate(drawn):
        if step == "send":
            doubts.send(number, set(named))
            model[number] = set(named)
        elif step == "end":
            doubts.end(number - back)
            model.pop(number - back, None)
        else:
            doubts.have_results(sorted(named))
            for request in [request for request, held in model.items() if held & named]:
                model[request] -= named
                if not model[request]:
                    del model[request]
        assert doubts.keys == set().union(*model.values())
        assert set(doubts.requests) == model.keys()


def test_nothing_is_kept_of_what_has_ended() -> None:
    doubts = Doubts()
    for number in range(1_000):
        doubts.send(number, {number, number + 1})
        doubts.end(number - 1)
    assert doubts._keys == {999, 1_000}  # noqa: SLF001
    assert doubts._shared <= {999, 1_000}  # noqa: SLF001
