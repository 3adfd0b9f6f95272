"""What befalls a request between its arrival and its answer, and what is seen on the wire."""

import json
from pathlib import Path

import aiohttp
import anyio
import pytest

from bulk_update.errors import SettingsError
from bulk_update.sandbox import Access, Conduct, Store, open_sandbox
from bulk_update.sandbox.admission import Arrival
from bulk_update.sandbox.faults.rules import Act, Faults, Rule
from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.records import Record
from bulk_update.sandbox.service import Service
from tests.sandbox.requests import HEADERS

UPDATE = "/v2/activities/update"


def body(*ids: str) -> bytes:
    return json.dumps({"data": {"organizationId": "o", "activities": [{"id": id} for id in ids]}}).encode()


def arrival(*ids: str) -> Arrival:
    return Arrival("POST", UPDATE, HEADERS, body(*ids))


def test_requests_are_numbered_on_from_what_the_store_has_seen(tmp_path: Path) -> None:
    for expected in (1, 2):
        with Store(tmp_path / "db") as store:
            store.ensure("o", ["a"])
            visit = Service(Workspace(store)).receive(arrival("a"))
            visit.answer()
            visit.close(is_whole=True)
            assert [event.request for event in store.events("o", "a")][-1] == expected


def test_an_answer_that_was_lost_settles_nothing(workspace: Workspace) -> None:
    workspace.store.ensure("o", ["a"])
    service = Service(workspace)

    def send(value: int, *, is_whole: bool) -> None:
        data = {"organizationId": "o", "activities": [{"id": "a", "entityData": value}]}
        visit = service.receive(Arrival("POST", UPDATE, HEADERS, json.dumps({"data": data}).encode()))
        visit.answer()
        visit.close(is_whole=is_whole)

    send(1, is_whole=False)
    send(2, is_whole=True)
    assert service.statistics.violations == 0
    send(1, is_whole=True)
    assert service.statistics.manners.out_of_order == 1
    assert service.statistics.dropped == 1


def test_a_verdict_that_was_left_out_settles_nothing(workspace: Workspace) -> None:
    workspace.store.ensure("o", ["a"])
    service = Service(workspace, Conduct(faults=Faults((Rule(Act(missing=1.0)),))))
    for ids in (("a",), ("a", "b")):
        visit = service.receive(arrival(*ids))
        visit.answer()
        visit.close(is_whole=True)
    assert service.statistics.violations == 0
    assert service.statistics.faults == 2


def test_all_that_happened_to_an_id_is_kept(store: Store) -> None:
    store.put([Record("o", "a", b'{"id":"a"}')])
    service = Service(Workspace(store, clock=lambda: 5))
    activity = {"id": "a", "featureType": "comment", "actionType": "x", "actionUser": {"userId": "u"}}
    requests: list[tuple[str, dict[str, object]]] = [
        (UPDATE, {"activities": [{"id": "a", "actionIcon": "1"}]}),
        ("/v2/activities/add", {"documentId": "d", "activities": [activity]}),
        (UPDATE, {"activities": [{"id": "a", "actionIcon": "2"}]}),
        ("/v2/activities/delete", {"activityIds": ["a"]}),
        ("/v2/activities/add", {"documentId": "d", "activities": [activity]}),
    ]
    for path, data in requests:
        request = json.dumps({"data": {"organizationId": "o", **data}}).encode()
        visit = service.receive(Arrival("POST", path, HEADERS, request))
        delivery = visit.answer()
        assert delivery.reply is not None
        assert delivery.reply.status == 200, delivery.reply.body
        visit.close(is_whole=True)
    events = store.events("o", "a")
    assert [(event.kind, event.request) for event in events] == [
        ("seed", None),
        ("update", 1),
        ("add", 2),
        ("update", 3),
        ("delete", 4),
        ("add", 5),
    ]
    assert [event.time for event in events[1:]] == [5] * 5


# ------------------------------------------------------------------------------------- on the wire


async def wire(act: Act, store: Store) -> bytes:
    """Send an update of `a` on which a fault holds; return all that came back."""
    store.ensure("o", ["a"])
    conduct = Conduct(faults=Faults((Rule(act),)))
    async with open_sandbox(store, conduct=conduct) as sandbox:
        headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())
        length = len(body("a"))
        start = f"POST {UPDATE} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        head = f"{start}{headers}Content-Length: {length}\r\n\r\n"
        received = b""
        async with await anyio.connect_tcp("127.0.0.1", int(sandbox.url.rpartition(":")[2])) as stream:
            await stream.send(head.encode() + body("a"))
            try:
                async for piece in stream:
                    received += piece
            except anyio.BrokenResourceError:
                received += b"RESET"
        assert sandbox.statistics.dropped == (act.drop is not None or act.cut is not None)
        return received


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_dropped_connection_sends_nothing(store: Store, when: str) -> None:
    assert await wire(Act(drop=when), store) in {b"", b"RESET"}  # type: ignore[arg-type]
    assert len(store.history("o", "a")) == (when == "after")


async def test_a_cut_answer_promises_more_than_it_sends(store: Store) -> None:
    head, _, rest = (await wire(Act(cut=0.5), store)).partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
    assert head.startswith(b"HTTP/1.1 200 ")
    assert len(rest) == length // 2


async def test_a_status_and_its_headers(store: Store) -> None:
    received = await wire(Act(status=429, retry_after=7), store)
    assert received.startswith(b"HTTP/1.1 429 ")
    assert b"Retry-After: 7\r\n" in received


async def test_two_requests_that_wait_at_once_are_seen_to_overlap(store: Store) -> None:
    store.ensure("o", ["a", "b"])
    conduct = Conduct(faults=Faults((Rule(Act(latency=0.2)),)))
    async with open_sandbox(store, conduct=conduct) as sandbox, aiohttp.ClientSession(headers=HEADERS) as session:

        async def send(*ids: str) -> None:
            async with session.post(f"{sandbox.url}{UPDATE}", data=body(*ids)) as answer:
                assert answer.status == 200

        async with anyio.create_task_group() as both:
            both.start_soon(send, "a")
            both.start_soon(send, "a", "b")
        assert sandbox.statistics.manners.overlapping_ids == 1


async def test_the_admin_api_is_there_unless_told() -> None:
    async with open_sandbox() as sandbox, aiohttp.ClientSession() as session:
        async with session.get(f"{sandbox.url}/_sandbox/statistics") as answer:
            assert (answer.status, (await answer.json())["records"]) == (200, 0)
        async with session.post(f"{sandbox.url}/_sandbox/seed", data=b'{"organizationId":"o","id":"a"}') as answer:
            assert await answer.json() == {"records": 1}
        async with session.get(f"{sandbox.url}/_sandbox/export") as answer:
            assert (await answer.read()).startswith(b'{"organizationId":"o","id":"a"')
        assert sandbox.statistics.requests == 0
    async with (
        open_sandbox(access=Access(has_admin=False)) as sandbox,
        aiohttp.ClientSession() as session,
        session.get(f"{sandbox.url}/_sandbox/statistics") as answer,
    ):
        assert answer.status == 401


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "rehearsal.example"])  # noqa: S104
async def test_an_address_that_others_can_reach_must_be_allowed(host: str) -> None:
    with pytest.raises(SettingsError, match="--allow-remote"):
        async with open_sandbox(access=Access(host)):
            pass
    if host == "0.0.0.0":  # noqa: S104
        async with open_sandbox(access=Access(host, allow_remote=True)) as sandbox:
            assert sandbox.url.startswith("http://0.0.0.0:")
