"""What `check` says of time: when it would be done, by the clock that hangs on the reader's wall."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from bulk_update.cli.check import clock_time
from tests.cli.process import run
from tests.runs import ndjson, rows

NOW = datetime(2026, 11, 23, 22, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hours", "zone", "shown"),
    [
        (1, UTC, "23:05 UTC"),
        (3, UTC, "2026-11-24 01:05 UTC"),
        (1, timezone(timedelta(hours=-5)), "18:05 -05:00"),
        (1, timezone(timedelta(hours=5, minutes=30)), "04:35 +05:30"),
        (0, timezone(timedelta(hours=0), "GMT"), "22:05 UTC"),
    ],
)
def test_a_time_of_day_has_its_zone_and_its_date_unless_it_is_today(hours: int, zone: timezone, shown: str) -> None:
    now = NOW.astimezone(zone)
    assert clock_time(now + timedelta(hours=hours), now) == shown


@pytest.mark.parametrize(("zone", "told"), [("UTC", "UTC"), ("<+0230>-2:30", "+02:30")])
async def test_done_by_is_told_in_the_zone_of_the_machine(zone: str, told: str, tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(2)))
    env = {"TZ": zone}
    assert f" {told} if it began now" in (await run("check", path, env=env)).out
    done_by = datetime.fromisoformat((await run("check", path, "--json", env=env)).json["done_by"])
    assert done_by.strftime("%z") == ("+0000" if zone == "UTC" else "+0230")


async def test_what_takes_for_ever_has_a_time_of_day_all_the_same(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(3)))
    slow = ("--rate", "0.0000001/h", "--batch-size", "1")
    assert (await run("check", path, *slow, env={})).code == 0
    assert (await run("check", path, "--rate", "none", "--json", env={})).json["done_by"] is None


async def test_the_time_heeds_the_rate_that_holds_longest(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson([*rows(4, "org-1"), *rows(4, "org-2")]))
    small = ("--batch-size", "1", "--organization-rate")
    slow = await run("check", path, *small, "1/m", env={})
    assert "3 min at 1/m for each organization: done by " in slow.out
    assert "2 s at 5/s: done by " in (await run("check", path, *small, "600/m", env={})).out
    told = (await run("check", path, *small, "1/m", "--rate", "none", "--json", env={})).json
    assert (told["seconds"], told["pace"]) == (180.0, "1/m for each organization")


async def test_a_rate_of_organizations_that_is_none_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "changes.ndjson"
    path.write_text(ndjson(rows(2)))
    refused = await run("check", path, "--organization-rate", "5/x", env={})
    assert (refused.code, "--organization-rate: found '5/x'" in refused.err) == (2, True)
