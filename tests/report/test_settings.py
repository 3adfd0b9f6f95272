"""Settings, as run lines have them and may have them."""

import pytest

from bulk_update.report.settings import rate_of, settings_of, value_of, whole_of


@pytest.mark.parametrize(
    ("rate", "expected"),
    [
        ("5 in 1 s", (5.0, 1.0)),
        ({"value": "300 in 60 s", "from": "--rate"}, (300.0, 60.0)),
        ("1 in 2.5 s", (1.0, 2.5)),
        ("300/m", (300.0, 60.0)),
        ("5", (5.0, 1.0)),
        (5, (5.0, 1.0)),
        ("none", None),
        (None, None),
        ("0 in 1 s", None),
        ("1.2.3 in 1 s", None),
        (["5"], None),
    ],
)
def test_a_rate_is_read_in_every_form(rate: object, expected: tuple[float, float] | None) -> None:
    assert rate_of({"rate": rate}) == expected


def test_values_may_stand_plainly_or_with_their_source() -> None:
    settings = {"a": 5, "b": {"value": True, "source": "profile x"}, "c": {"odd": 1}, "d": None}
    shown = {setting.name: (setting.value, setting.source) for setting in settings_of([settings])}
    assert shown == {"a": ("5", ""), "b": ("yes", "profile x"), "c": ('{"odd": 1}', ""), "d": ("none", "")}
    assert value_of(settings, "nothing") is None
    assert (whole_of(settings, "a"), whole_of(settings, "b")) == (5, None)


def test_names_are_spelled_as_options_are() -> None:
    (setting,) = settings_of([{"giveUpAfter": "15m"}])
    assert setting.name == "give-up-after"


def test_very_many_settings_are_not_all_shown() -> None:
    assert len(settings_of([{f"s{number}": "x" * 9_999 for number in range(999)}])) == 60


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("rate", "5 in 1 s", "5/s"),
        ("rate", "300 in 60 s", "300/m"),
        ("organizationRate", "1 in 300 s", "0.2/m"),
        ("timeout", "30 s", "30s"),
        ("giveUpAfter", "900 s", "15m"),
        ("batchBytes", 1_000_000, "1MB"),
        ("buffer", 256_000_000, "256MB"),
        ("batchSize", 1_000, "1,000"),
        ("encoding", "850", "850"),
        ("rate", "none", "none"),
        ("rate", f"{'9' * 400} in 1 s", f"{'9' * 400} in 1 s"[:300]),
        ("giveUpAfter", "1.2.3 s", "1.2.3 s"),
    ],
)
def test_values_are_shown_as_a_person_types_them(name: str, value: object, shown: str) -> None:
    (setting,) = settings_of([{name: value}])
    assert setting.value == shown
