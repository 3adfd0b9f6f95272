"""Inputs in S3 and Google Cloud Storage, read by the real libraries from servers on loopback.

Run where these are installed: pip install 'fsspec[gs,s3]' 'moto[server]'
"""

import gzip
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import pytest

from tests.cli.process import Ended, run
from tests.runs import ndjson, read_ledger, rows
from tests.servers.storage import StorageServer, serve_storage

ROWS: Final = ndjson(rows(3)).encode()
FILES: Final[Mapping[str, bytes]] = {
    "dir/rows.ndjson": ROWS,
    "rows.ndjson.gz": gzip.compress(ROWS),
    "long.ndjson": ROWS * 100_000,
}
NOWHERE: Final = "http://127.0.0.1:9"

Environment = dict[str, str]


@pytest.fixture(scope="module")
def s3() -> Iterator[Environment]:
    """Serve S3, and tell how it is reached."""
    pytest.importorskip("s3fs")
    boto3: Any = pytest.importorskip("boto3")
    moto: Any = pytest.importorskip("moto.server")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url, region = f"http://{host}:{port}", "us-east-1"
    client = boto3.client(
        "s3", endpoint_url=url, region_name=region, aws_access_key_id="key", aws_secret_access_key="s3cr3t"
    )
    client.create_bucket(Bucket="bucket")
    for name, data in FILES.items():
        client.put_object(Bucket="bucket", Key=name, Body=data)
    yield {
        "AWS_ENDPOINT_URL_S3": url,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "s3cr3t",
        "AWS_DEFAULT_REGION": region,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_MAX_ATTEMPTS": "1",
    }
    server.stop()


@pytest.fixture
def gs() -> Iterator[tuple[StorageServer, Environment]]:
    """Serve Google Cloud Storage, and tell how it is reached."""
    pytest.importorskip("gcsfs")
    with serve_storage({"bucket": FILES}) as server:
        yield server, {"STORAGE_EMULATOR_HOST": server.url, "NO_GCE_CHECK": "true"}


async def check(url: str, env: Environment) -> Ended:
    ended = await run("check", url, "--json", env={"PYTHONWARNINGS": "ignore", **env})
    assert "s3cr3t" not in ended.out + ended.err
    return ended


async def refused(url: str, env: Environment) -> str:
    ended = await check(url, env)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1), ended.err
    return ended.err.removeprefix(f"bulk-update: {url} cannot be read: ").removesuffix("\n")


@pytest.mark.parametrize(("name", "count"), [("dir/rows.ndjson", 3), ("rows.ndjson.gz", 3), ("long.ndjson", 300_000)])
async def test_files_are_read(name: str, count: int, s3: Environment, gs: tuple[StorageServer, Environment]) -> None:
    for url, env in ((f"s3://bucket/{name}", s3), (f"gs://bucket/{name}", gs[1])):
        ended = await check(url, env)
        assert (ended.code, ended.err, ended.json["valid"]) == (0, "", count)


async def test_the_main_job_reads_them(s3: Environment, tmp_path: Path) -> None:
    ended = await run(
        "s3://bucket/dir/rows.ndjson", "--sandbox", "--quiet", env={"PYTHONWARNINGS": "ignore", **s3}, cwd=tmp_path
    )
    assert (ended.code, ended.err) == (0, "")
    assert read_ledger(tmp_path / "rows.ndjson.sandbox.ledger.ndjson").statuses == {"updated": 3}


async def test_trouble_with_s3_is_told(s3: Environment) -> None:
    missing = "there is no such file; check its name, and the bucket's"
    assert await refused("s3://bucket/none.ndjson", s3) == missing
    assert await refused("s3://none/rows.ndjson", s3) == missing
    assert await refused("s3://bucket/dir", s3) == "it is a folder; name the files in it"
    away = await refused("s3://bucket/rows.ndjson", {**s3, "AWS_ENDPOINT_URL_S3": NOWHERE})
    assert away == "it cannot be reached (EndpointConnectionError); check the address and the network"
    anonymous = {
        name: value for name, value in s3.items() if name not in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    }
    for env in ({**anonymous, "HOME": "/nonexistent"}, {**s3, "AWS_PROFILE": "none"}):
        told = await refused("s3://bucket/dir/rows.ndjson", env)
        assert told == "no credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE"


async def test_trouble_with_google_cloud_storage_is_told(gs: tuple[StorageServer, Environment]) -> None:
    server, env = gs
    missing = "there is no such file; check its name, and the bucket's"
    assert await refused("gs://bucket/none.ndjson", env) == missing
    assert await refused("gs://none/rows.ndjson", env) == missing
    assert await refused("gs://bucket/dir", env) == "it is a folder; name the files in it"
    server.status = 403
    told = await refused("gs://bucket/dir/rows.ndjson", env)
    assert told.startswith("access is refused (403); see that the credentials may read it, or set GOOGLE_APPLICATION")
