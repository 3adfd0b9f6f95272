"""Over https the job is the same, when the server's certificate is one that the machine trusts."""

import asyncio
import json
import ssl
from pathlib import Path

from tests.cli.process import CREDENTIALS, run
from tests.edge.test_transport import SELF_SIGNED
from tests.runs import ndjson, row


async def test_rows_are_updated_over_tls(tmp_path: Path) -> None:
    certificate, changes = tmp_path / "server.pem", tmp_path / "changes.ndjson"
    certificate.write_text(SELF_SIGNED)
    changes.write_text(ndjson(row(f"a{number}", entityData="x" * 5_000) for number in range(400)))
    connections = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        while head := await _head(reader):
            size = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            body = json.loads(await reader.readexactly(int(size.partition(b":")[2])))
            data = {activity["id"]: {"success": True} for activity in body["data"]["activities"]}
            told = json.dumps({"result": {"status": "success", "data": data}}).encode()
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(told), told))
        writer.close()

    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    async with await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls) as server:
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        words = ("--api-url", url, "--batch-size", "20", "--rate", "none", "--concurrency", "2", "--json")
        ended = await run(changes, *words, env=CREDENTIALS | {"SSL_CERT_FILE": str(certificate)})
    assert (ended.code, ended.json["updated"], ended.json["attempts"]) == (0, 400, 20)
    assert connections == 2, "connections are used again"


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except (asyncio.IncompleteReadError, ConnectionError):
        return b""
