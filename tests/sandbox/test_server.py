import asyncio
import io
import json
import logging
import sqlite3
import subprocess
import sys
from pathlib import Path

import aiohttp
import anyio
import pytest

from bulk_update.errors import InputError, SettingsError
from bulk_update.sandbox import Sandbox, Setup, Statistics, Store, Violations, open_sandbox, run_sandbox
from bulk_update.sandbox.server import Access
from bulk_update.sandbox.switches import BODY_LIMIT
from tests.sandbox.requests import HEADERS

UPDATE = b'{"data":{"organizationId":"o","activities":[{"id":"a"},{"id":"b"},{"id":"a"}]}}'


async def post(sandbox: Sandbox, path: str, body: bytes, **headers: str) -> tuple[int, str, bytes]:
    sent = HEADERS | {name.replace("_", "-"): value for name, value in headers.items()}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{sandbox.url}{path}", data=io.BytesIO(body), headers=sent) as answer,
    ):
        return answer.status, answer.content_type, await answer.read()


async def test_statistics_are_a_snapshot() -> None:
    async with open_sandbox() as sandbox:
        assert sandbox.statistics == Statistics()
        sandbox.store.ensure("o", ["a"])
        before = sandbox.statistics
        await post(sandbox, "/v2/activities/update", UPDATE)
        await post(sandbox, "/v2/activities/update", b"{}")
        await post(sandbox, "/elsewhere", b"{}")
        assert before == Statistics()
        assert sandbox.statistics == Statistics(
            requests=3, refused=2, updated=1, failed=1, duplicates=1, manners=Violations(repeated_ids=1)
        )
        assert sandbox.statistics.violations == 1


async def test_credentials_that_it_was_told_are_the_only_ones() -> None:
    async with open_sandbox(api_key="key", auth_token="token") as sandbox:
        assert (await post(sandbox, "/v2/activities/update", UPDATE))[0] == 200
        status, _, body = await post(sandbox, "/v2/activities/update", UPDATE, x_velt_api_key="other")
        assert (status, json.loads(body)) == (
            403,
            {"error": {"message": "Invalid API key.", "status": "PERMISSION_DENIED"}},
        )
        status, _, body = await post(sandbox, "/v2/activities/update", UPDATE, X_Velt_Auth_Token="")
        assert (status, json.loads(body)) == (
            400,
            {"error": {"message": "Auth token is required", "status": "INVALID_ARGUMENT"}},
        )


async def test_a_body_over_the_cap_gets_413_and_no_json() -> None:
    async with open_sandbox() as sandbox:
        at_the_cap = UPDATE + b" " * (BODY_LIMIT - len(UPDATE))
        assert (await post(sandbox, "/v2/activities/update", at_the_cap))[0] == 200
        status, content_type, body = await post(sandbox, "/v2/activities/update", at_the_cap + b" ")
        assert (status, content_type) == (413, "text/html")
        assert body.startswith(b"<html>")
        assert sandbox.statistics.refused == 1


async def test_a_path_is_what_it_says_percent_encoded_or_not() -> None:
    async with open_sandbox() as sandbox:
        assert (await post(sandbox, "/v2/activities/%75pdate?x=1", UPDATE))[0] == 200


async def test_get_on_an_endpoint_is_refused() -> None:
    async with (
        open_sandbox() as sandbox,
        aiohttp.ClientSession(headers=HEADERS) as session,
        session.get(f"{sandbox.url}/v2/activities/get") as answer,
    ):
        assert answer.status == 400


async def test_an_idle_connection_does_not_keep_it_from_closing() -> None:
    async with aiohttp.ClientSession(headers=HEADERS) as session:
        async with open_sandbox() as sandbox:
            async with session.post(f"{sandbox.url}/v2/activities/update", data=UPDATE) as answer:
                await answer.read()
            began = anyio.current_time()
        assert anyio.current_time() - began < 5


async def test_a_stalled_request_does_not_keep_it_from_closing() -> None:
    async with open_sandbox() as sandbox:
        stream = await anyio.connect_tcp("127.0.0.1", int(sandbox.url.rpartition(":")[2]))
        head = b"POST /v2/activities/update HTTP/1.1\r\nHost: sandbox\r\nContent-Length: 10\r\n"
        await stream.send(head + b"Expect: 100-continue\r\n\r\n")
        assert b"100 Continue" in await stream.receive()
        began = anyio.current_time()
    assert anyio.current_time() - began < 5
    await stream.aclose()


@pytest.mark.parametrize(
    "sent",
    [
        b"Content-Length: 100\r\n\r\n{}",
        b"Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    ],
    ids=["cut", "not gzip"],
)
async def test_a_broken_request_is_answered_or_dropped_and_changes_nothing(
    sent: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "aiohttp")
    async with open_sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"POST /v2/activities/update HTTP/1.1\r\nHost: sandbox\r\n" + sent)
            await stream.send_eof()
            async for _ in stream:
                pass
        assert (await post(sandbox, "/v2/activities/update", UPDATE))[0] == 200
        assert sandbox.statistics.failed == 2
    assert [record for record in caplog.records if record.levelno >= logging.ERROR] == []


async def test_a_store_of_its_own_closes_with_it() -> None:
    async with open_sandbox() as sandbox:
        assert sandbox.store.count() == 0
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        sandbox.store.count()


async def test_a_store_that_was_given_outlives_it(store: Store) -> None:
    store.ensure("o", ["a"])
    async with open_sandbox(store) as sandbox:
        assert sandbox.store is store
    assert store.count() == 1


async def test_a_port_that_is_taken_is_a_settings_error() -> None:
    async with open_sandbox() as sandbox:
        port = int(sandbox.url.rpartition(":")[2])
        told = f"cannot listen on 127.0.0.1:{port}: another program does; choose another --port"
        with pytest.raises(SettingsError, match=told):
            async with open_sandbox(port=port):
                pass
    with pytest.raises(SettingsError, match="cannot listen on"):
        async with open_sandbox(port=70_000):
            pass


async def test_a_host_that_is_not_here_is_told() -> None:
    with pytest.raises(SettingsError, match="cannot listen on 192.0.2.1:0: --host is no address of this machine$"):
        async with open_sandbox(access=Access("192.0.2.1", allow_remote=True)):
            pass


async def test_it_closes_when_it_is_cancelled() -> None:
    with anyio.CancelScope() as scope:
        async with open_sandbox() as sandbox:
            scope.cancel()
            await anyio.sleep_forever()
    with pytest.raises(OSError, match="connect"):
        await anyio.connect_tcp("127.0.0.1", int(sandbox.url.rpartition(":")[2]))


async def test_run_sandbox_announces_serves_and_stops(tmp_path: Path) -> None:
    seed = tmp_path / "seed.ndjson"
    seed.write_text('{"organizationId":"o","id":"a"}\n')
    stop, told = asyncio.Event(), asyncio.Queue[str]()
    with anyio.fail_after(10):
        running = asyncio.create_task(run_sandbox(Setup(seed=seed), stop, told.put_nowait))
        line = await told.get()
        url = line.removeprefix("sandbox: listening on ").removesuffix(", 1 records")
        async with (
            aiohttp.ClientSession(headers=HEADERS) as session,
            session.post(f"{url}/v2/activities/update", data=UPDATE) as answer,
        ):
            assert (await answer.json())["result"]["data"]["a"]["success"] is True
        stop.set()
        assert (await running).updated == 1


async def test_run_sandbox_refuses_a_bad_seed_before_it_listens(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read the seed"):
        await run_sandbox(Setup(seed=tmp_path / "missing"), asyncio.Event(), pytest.fail)


def test_importing_the_package_loads_neither_aiohttp_nor_sqlite() -> None:
    script = (
        "import sys, bulk_update; before = set(sys.modules); import bulk_update.sandbox;"
        "print(sorted({'aiohttp', 'sqlite3', 'msgspec'} & (set(sys.modules) - before)))"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_a_name_that_is_not_there_is_no_attribute() -> None:
    import bulk_update.sandbox as package

    assert not hasattr(package, "nothing")
    assert all(hasattr(package, name) for name in package.__all__)
