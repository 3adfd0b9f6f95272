"""Metrics: valid in Prometheus's text format whatever is told, and true."""

import math
from dataclasses import replace
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.model import Snapshot, Status
from bulk_update.pure.metrics import BEGINS, NAMES, Figures, Last, expose, read_last
from bulk_update.pure.standing import Standing
from tests.exposition import Family, parse

SNAPSHOT: Final = Snapshot(
    read=1_000,
    counts={Status.UPDATED: 700, Status.FAILED: 20, Status.INVALID: 3, Status.UNKNOWN: 2, Status.SUPERSEDED: 1},
    unsent=274,
    waiting=174,
    skipped=10,
    attempts=12,
    retries=4,
    seconds=60.0,
    allowed=(300, 60.0),
    outage=None,
    bytes_read=100,
    bytes_total=200,
    is_read_whole=False,
    pushbacks=2,
    answered=8,
    flying=3,
)
STANDING: Final = Standing(SNAPSHOT, 726, 100, share=0.363, requests_per_second=4.75, seconds_left=100.0)
RUN: Final = {"verb": "run", "version": "0.1.0", "ledger": "changes.ndjson.ledger.ndjson"}
AT_WORK: Final = Figures("nightly", RUN, 1_700_000_000.25, 1_700_000_060.25, 60.0, True, Last(1, 5.5, 4.5), STANDING)
BEFORE: Final = replace(AT_WORK, standing=None, last=Last())


def told(figures: Figures) -> dict[str, Family]:
    return parse(expose(figures))


def values(figures: Figures) -> dict[str, float]:
    """Tell the metrics that have one sample, without their prefix."""
    found = told(figures)
    return {
        name.removeprefix("bulk_update_"): next(iter(family.samples.values()))
        for name, family in found.items()
        if len(family.samples) == 1
    }


def test_a_run_at_work_tells_all() -> None:
    assert values(AT_WORK) == {
        "running": 1,
        "run_info": 1,
        "written_timestamp_seconds": 1_700_000_060.25,
        "start_timestamp_seconds": 1_700_000_000.25,
        "duration_seconds": 60,
        "last_exit_code": 1,
        "last_end_timestamp_seconds": 5.5,
        "last_success_timestamp_seconds": 4.5,
        "input_complete": 0,
        "done_ratio": 0.363,
        "rows_in_flight": 100,
        "requests_in_flight": 3,
        "requests_total": 8,
        "attempts_total": 12,
        "retries_total": 4,
        "pushbacks_total": 2,
        "requests_per_second": 4.75,
        "allowed_requests_per_second": 5,
        "outage_seconds": 0,
    }
    assert told(AT_WORK).keys() == NAMES


def test_rows_are_told_by_status_and_add_up() -> None:
    rows = told(AT_WORK)["bulk_update_rows"]
    assert {dict(labels)["status"] for labels in rows.samples} == {*map(str, Status), "unsent"}
    assert sum(rows.samples.values()) == SNAPSHOT.read
    assert (rows.value(status="updated"), rows.value(status="unsent")) == (700, 274)


def test_what_cannot_be_told_is_left_out() -> None:
    assert values(BEFORE).keys() == {
        "running",
        "run_info",
        "written_timestamp_seconds",
        "start_timestamp_seconds",
        "duration_seconds",
    }
    unknown = replace(AT_WORK, standing=Standing(SNAPSHOT, 0, 0))
    assert NAMES - told(unknown).keys() == {"bulk_update_done_ratio", "bulk_update_requests_per_second"}


def test_a_rate_that_nothing_bounds_is_infinite() -> None:
    unbounded = replace(AT_WORK, standing=replace(STANDING, snapshot=replace(SNAPSHOT, allowed=None)))
    assert values(unbounded)["allowed_requests_per_second"] == math.inf


def test_an_outage_is_told_by_how_long_it_lasts() -> None:
    stalled = replace(AT_WORK, standing=replace(STANDING, snapshot=replace(SNAPSHOT, outage=125.5)))
    assert values(stalled)["outage_seconds"] == 125.5


def test_every_sample_names_its_job() -> None:
    families = told(AT_WORK)
    assert {dict(labels)["name"] for family in families.values() for labels in family.samples} == {"nightly"}


@given(st.text(), st.text())
def test_labels_hold_any_text(name: str, ledger: str) -> None:
    figures = replace(AT_WORK, name=name, run={"ledger": ledger})
    ((labels, value),) = parse(expose(figures).encode().decode())["bulk_update_run_info"].samples.items()
    assert value == 1
    assert dict(labels) == {"name": name, "ledger": ledger}


def test_half_a_character_is_replaced() -> None:
    assert dict(next(iter(told(replace(BEFORE, name="a\udcff"))["bulk_update_running"].samples)))["name"] == "a?"


@pytest.mark.parametrize(
    "last", [Last(), Last(0, 1_700_000_000.5, 1_700_000_000.5), Last(143, 12.0), Last(3, 5.0, 4.25)]
)
@pytest.mark.parametrize("name", ["nightly", 'a"b}\\ 1\nc'])
def test_how_the_last_run_ended_is_read_back(last: Last, name: str) -> None:
    text = expose(replace(AT_WORK, name=name, last=last))
    assert read_last(text) == last
    assert text.encode().startswith(BEGINS)


@pytest.mark.parametrize("text", ["", "bulk_update_last_exit_code", "bulk_update_last_exit_code{} x\n", "nonsense"])
def test_what_is_no_file_of_metrics_tells_nothing(text: str) -> None:
    assert read_last(text) == Last()


# ------------------------------------------------------------------------------- the reader itself


HEAD: Final = "# HELP a_total h\n# TYPE a_total counter\n"


@pytest.mark.parametrize(
    "text",
    [
        HEAD + "a_total 1",
        HEAD,
        "a_total 1\n",
        HEAD + "a_total one\n",
        HEAD + "a_total -1\n",
        HEAD + "a_total 1\na_total 1\n",
        HEAD + 'a_total{a="1",} 1\n',
        HEAD + 'a_total{a="1",a="2"} 1\n',
        HEAD + 'a_total{a="\\t"} 1\n',
        HEAD + 'a_total{a-b="1"} 1\n',
        HEAD + "b_total 1\n",
        HEAD + "a_total 1\n# TYPE b gauge\n",
        HEAD.replace("counter", "number") + "a_total 1\n",
        HEAD.replace("a_total", "a") + "a 1\n",
        HEAD + "a_total 1\n" + HEAD.replace("a_", "b_") + 'b_total 1\na_total{a="2"} 1\n',
        HEAD + HEAD + "a_total 1\n",
    ],
)
def test_what_the_format_does_not_allow_is_refused(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        parse(text)


def test_what_it_allows_is_read() -> None:
    text = HEAD + 'a_total{a="\\\\\\"\\n"} 1.5e3\na_total 0\n'
    assert parse(text)["a_total"].samples == {(("a", '\\"\n'),): 1_500.0, (): 0.0}
