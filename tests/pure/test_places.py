"""Where rows lie is found again, of each organization its own."""

from hypothesis import given
from hypothesis import strategies as st

from bulk_update.pure.places import Place, Places

NAMES = st.sampled_from([f"org-{number}" for number in range(40)])


@given(st.lists(st.tuples(NAMES, st.sampled_from(["add", "take", "any"])), max_size=200))
def test_each_organization_has_its_own_place(steps: list[tuple[str, str]]) -> None:
    places = Places()
    expected: dict[str, Place] = {}
    for number, (name, step) in enumerate(steps):
        if step == "add" and name not in expected:
            expected[name] = Place(number << 40 | number, number, 2**32 - 1 - number)
            assert places.add(name, expected[name])
        elif step == "take":
            assert places.take(name) == expected.pop(name, None)
        elif step == "any":
            place = places.take_any()
            names = [name for name, other in expected.items() if other == place]
            assert bool(names) == bool(expected)
            for found in names:
                del expected[found]
        assert len(places) == len(expected)
    for name, place in expected.items():
        assert places.take(name) == place
    assert places.take_any() is None


def test_a_place_is_not_found_where_only_its_bytes_look_like_a_name() -> None:
    places = Places()
    key, bucket = places._bucket("org")  # noqa: SLF001
    neighbour = next(name for name in map(str, range(100_000)) if places._bucket(name)[1] is bucket)  # noqa: SLF001
    newest, rows = int.from_bytes(key[:8], "little"), int.from_bytes(key[8:], "little")
    places.add(neighbour, Place(newest, rows, 1))
    assert key in bucket
    assert places.take("org") is None
    places.add("org", Place(5, 6, 7))
    assert places.take("org") == Place(5, 6, 7)
    assert places.take(neighbour) == Place(newest, rows, 1)


def test_numbers_that_do_not_fit_are_refused() -> None:
    places = Places()
    assert not places.add("org", Place(1, 2**32, 1))
    assert not places.add("org", Place(1, 1, 2**32))
    assert places.take("org") is None


def test_a_hundred_thousand_places_take_few_bytes() -> None:
    places = Places()
    for number in range(100_000):
        places.add(f"org-{number}", Place(number, 1, 1))
    taken = sum(bucket.__sizeof__() for bucket in places._buckets)  # noqa: SLF001
    assert taken < 32 * 100_000
