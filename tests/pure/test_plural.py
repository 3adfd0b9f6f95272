"""One thing, or several."""

import pytest

from bulk_update.pure.plural import counted


@pytest.mark.parametrize(
    ("number", "words"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (1_000, "1,000 rows"), (1_001, "1,001 rows")]
)
def test_the_noun_goes_with_its_number(number: int, words: str) -> None:
    assert counted(number, "row") == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 retries"), (1, "1 retry"), (12, "12 retries")])
def test_a_noun_may_have_a_plural_of_its_own(number: int, words: str) -> None:
    assert counted(number, "retry", "retries") == words
