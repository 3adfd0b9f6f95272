"""Rows by organization, of which there may be more than there is room for."""

from bulk_update.model import Status
from bulk_update.report.organizations import MOST, OrganizationTally
from bulk_update.report.series import PLACES

UPDATED, FAILED = PLACES[Status.UPDATED], PLACES[Status.FAILED]


def test_those_with_most_amiss_come_first_then_the_largest() -> None:
    tally = OrganizationTally()
    tally.settle("large", UPDATED, 900)
    tally.settle("small", UPDATED, 5)
    tally.settle("bad", FAILED, 2)
    tally.settle("worse", FAILED, 9)
    tally.attempt("worse")
    assert [each.name for each in tally.facts(9)] == ["worse", "bad", "large", "small"]
    assert [each.name for each in tally.facts(2)] == ["worse", "bad"]
    assert (tally.facts(1)[0].amiss, tally.facts(1)[0].attempts) == (9, 1)


def test_a_result_that_is_replaced_is_taken_back() -> None:
    tally = OrganizationTally()
    tally.settle("o", FAILED, 3)
    tally.settle("o", UPDATED, 2)
    tally.settle("o", FAILED, -2)
    (facts,) = tally.facts(9)
    assert (facts.rows, facts.amiss) == (3, 1)


def test_rows_without_an_organization_are_told_and_are_none() -> None:
    tally = OrganizationTally()
    tally.settle(None, PLACES[Status.INVALID], 1)
    tally.settle("o", UPDATED, 1)
    assert tally.total() == 1
    assert [each.name for each in tally.facts(9)] == [None, "o"]


def test_when_there_are_too_many_those_that_are_well_are_let_go() -> None:
    tally = OrganizationTally()
    for number in range(3 * MOST):
        tally.settle(f"org-{number}", FAILED if number % 1000 == 0 else UPDATED, 1)
    assert tally.is_rough
    assert tally.total() == 3 * MOST
    assert sum(each.amiss for each in tally.facts(MOST)) == 3 * MOST // 1000


def test_a_megabyte_of_a_name_is_kept_short_and_apart() -> None:
    tally = OrganizationTally()
    tally.settle("x" * 1_000_000, UPDATED, 1)
    tally.settle("x" * 1_000_000 + "y", UPDATED, 1)
    names = [each.name for each in tally.facts(9)]
    assert len(names) == 2
    assert all(len(name or "") < 300 for name in names)
