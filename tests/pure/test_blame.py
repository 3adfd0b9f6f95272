"""Whose limit a push-back shows."""

from bulk_update.pure.blame import WITNESSES, Blame


def accept(blame: Blame, names: list[str], begin: float = 0.0, spacing: float = 0.1) -> None:
    for number, name in enumerate(names):
        answer(blame, name, begin + number * spacing)


def answer(blame: Blame, name: str, at: float) -> None:
    blame.accepted(name, at, at)


def refuse(blame: Blame, name: str, at: float) -> bool:
    return blame.refused(name, at, at)


def test_the_first_push_back_is_taken_as_everyones() -> None:
    assert not refuse(Blame(), "a", 0.0)


def test_it_is_its_own_where_others_were_accepted_within_the_second() -> None:
    blame = Blame()
    accept(blame, ["b", "c"] * WITNESSES)
    assert refuse(blame, "a", 1.0)


def test_what_was_accepted_long_ago_is_no_witness_nor_is_the_organization_itself() -> None:
    blame = Blame()
    accept(blame, ["b"] * WITNESSES + ["a"] * 20, spacing=0.15)
    assert not refuse(blame, "a", 3.8)


def test_it_is_everyones_where_another_was_refused_of_late() -> None:
    blame = Blame()
    assert not refuse(blame, "b", 0.0)
    answer(blame, "b", 0.1)
    accept(blame, ["b", "c"] * WITNESSES, 1.0, 0.05)
    assert not refuse(blame, "a", 1.6)
    accept(blame, ["c", "d"] * WITNESSES, 11.7, 0.05)
    assert refuse(blame, "b", 12.3)


def test_witnesses_may_come_slowly_as_long_as_nothing_of_it_is_accepted() -> None:
    blame = Blame()
    refuse(blame, "a", 0.0)
    accept(blame, ["b"] * WITNESSES, 10.0, 10.0)
    assert refuse(blame, "a", 61.0)


def test_several_may_be_refused_on_their_own_at_once() -> None:
    blame = Blame()
    assert not any(refuse(blame, name, 0.0) for name in "abc")
    accept(blame, ["d"] * WITNESSES, 10.0, 10.0)
    assert all(refuse(blame, name, 61.0) for name in "abc")


def test_it_is_everyones_where_one_that_was_refused_is_accepted_again() -> None:
    blame = Blame()
    refuse(blame, "a", 0.0)
    refuse(blame, "b", 0.1)
    accept(blame, ["b"] * WITNESSES, 10.0, 10.0)
    assert not refuse(blame, "a", 61.0)


def test_who_was_refused_goes_last_until_there_are_witnesses_or_it_is_accepted() -> None:
    blame = Blame()
    assert not blame.goes_last("a")
    refuse(blame, "a", 0.0)
    accept(blame, ["b"] * (WITNESSES - 1), 1.0)
    assert blame.goes_last("a")
    answer(blame, "b", 2.0)
    assert not blame.goes_last("a")
    refuse(blame, "a", 3.0)
    assert blame.goes_last("a")
    answer(blame, "a", 4.0)
    assert not blame.goes_last("a")


def test_who_sends_much_is_hit_first_by_a_limit_for_all() -> None:
    blame = Blame()
    accept(blame, ["a", "b"] * WITNESSES, spacing=0.05)
    assert not refuse(blame, "a", 0.5)


def test_a_limit_of_its_own_shows_when_no_other_is_ever_refused() -> None:
    blame, now = Blame(), 0.0
    for _ in range(20):
        now += 60
        if refuse(blame, "a", now):
            break
        accept(blame, ["a", "b", "b"] * 10, now + 1, 1.5)
    assert 120 < now <= 300
    assert not refuse(blame, "b", now)


def test_what_had_left_before_the_request_that_was_refused_is_no_witness() -> None:
    """A refusal comes at once, an update takes its time: what a limit for all let through is still on its way."""
    blame = Blame()
    assert not blame.refused("a", 1.01, 1.0)
    assert not blame.refused("b", 1.03, 1.02)
    for _ in range(WITNESSES):
        blame.accepted("c", 1.3, 0.9)
    assert blame.goes_last("a")
    assert not blame.refused("a", 1.4, 1.1)
    assert not blame.refused("b", 1.4, 1.2)
    for _ in range(WITNESSES):
        blame.accepted("c", 1.5, 1.3)
    assert not blame.goes_last("a")
    assert blame.refused("a", 1.6, 1.4)
