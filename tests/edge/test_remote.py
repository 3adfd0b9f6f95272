"""Remote inputs: in ranges or copied, the same bytes; and no secret of a URL in any message."""

import gzip
import io
import random
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import fsspec
import pyarrow as pa
import pytest
from pyarrow import parquet

from bulk_update.edge.source import BLOCK, check_inputs, open_source
from bulk_update.errors import InputError
from tests.servers.files import serve_files

ROOT = Path(__file__).parents[2]
ROWS = b"".join(b'{"organizationId":"o","id":"a-%d","actionIcon":"pen"}\n' % number for number in range(200_000))
SECRET = "?X-Signature=s3cr3t#part"


@pytest.fixture
def memory() -> Iterator[fsspec.AbstractFileSystem]:
    """Give the file system in memory, empty."""
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


async def whole(url: str) -> bytes:
    async with open_source(url) as source:
        blocks = []
        while block := await source.read():
            blocks.append(block)
            assert len(block) <= 2 * BLOCK
        assert source.bytes_read == source.bytes_total
    return b"".join(blocks)


def refused(url: str) -> str:
    with pytest.raises(InputError) as caught:
        check_inputs([url])
    assert "s3cr3t" not in str(caught.value)
    assert "password" not in str(caught.value)
    return str(caught.value)


def as_parquet() -> bytes:
    file = io.BytesIO()
    parquet.write_table(pa.table({"id": ["a", "b"], "entityData": [1, 2]}), file)
    return file.getvalue()


@pytest.mark.parametrize("name", ["rows.ndjson", "rows.ndjson.gz", "rows"])
async def test_a_file_of_any_system_is_read(memory: fsspec.AbstractFileSystem, name: str) -> None:
    memory.pipe(f"/folder/{name}", gzip.compress(ROWS) if name.endswith("gz") else ROWS)
    url = f"memory://folder/{name}"
    assert ROWS.startswith(check_inputs([url])[0].text)
    assert await whole(url) == ROWS


async def test_parquet_of_any_system_is_read(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/rows.parquet", as_parquet())
    memory.pipe("/rows", as_parquet())
    for url in ("memory://rows.parquet", "memory://rows"):
        check_inputs([url])
        assert await whole(url) == b'{"id":"a","entityData":1}\n{"id":"b","entityData":2}\n'


@pytest.mark.parametrize("has_ranges", [True, False])
async def test_a_file_of_the_web_is_read(has_ranges: bool) -> None:
    noise = random.Random(1).randbytes(9_000_000)
    files = {
        "/rows.ndjson": ROWS,
        "/rows.ndjson.gz": gzip.compress(ROWS),
        "/rows.parquet": as_parquet(),
        "/n.csv": noise,
    }
    with serve_files(files, has_ranges=has_ranges) as server:
        assert await whole(f"{server.url}/rows.ndjson{SECRET}") == ROWS
        assert await whole(f"{server.url}/rows.ndjson.gz{SECRET}") == ROWS
        assert len(await whole(f"{server.url}/rows.parquet{SECRET}")) == 52
        server.asked.clear()
        assert await whole(f"{server.url}/n.csv") == noise
        gets = [span for method, span in server.asked if method == "GET"]
        assert len([span for span in gets if span]) == (4 if has_ranges else 1)  # one is to find out
        assert len([span for span in gets if not span]) == (0 if has_ranges else 1)


async def test_a_file_that_changes_while_it_is_read_is_told() -> None:
    with serve_files({"/rows.csv": b"id\n" * 3_000_000}) as server:
        async with open_source(f"{server.url}/rows.csv{SECRET}") as source:
            await source.read()
            server.files["/rows.csv"] = b"ID\n" * 3_000_000
            with pytest.raises(InputError) as caught:
                while await source.read():
                    pass
    assert str(caught.value) == f"{server.url}/rows.csv has changed while it was read; run the same command again"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (403, "access is refused (403); a signed URL may have expired: sign it anew"),
        (500, "the server answered 500; try again later"),
    ],
)
def test_what_the_server_refuses_is_told_without_the_query(status: int, told: str) -> None:
    with serve_files({"/rows.csv": b"id\n"}) as server:
        server.status = status
        url = f"{server.url.replace('//', '//user:password@')}/rows.csv{SECRET}"
        assert refused(url) == f"{server.url}/rows.csv cannot be read: {told}"


def test_what_is_not_there_is_told_without_the_query() -> None:
    assert refused("memory://none.csv") == "memory://none.csv cannot be read: there is no such file; check its name"
    with serve_files({}) as server:
        url, name = f"{server.url}/rows.csv{SECRET}", f"{server.url}/rows.csv"
        assert refused(url) == f"{name} cannot be read: there is no such file; check its name"
    assert (
        refused(url)
        == f"{name} cannot be read: it cannot be reached (ClientConnectorError); check the address and the network"
    )


def test_a_folder_is_refused(memory: fsspec.AbstractFileSystem) -> None:
    memory.pipe("/folder/rows.csv", b"id\n")
    assert refused("memory://folder") == "memory://folder cannot be read: it is a folder; name the files in it"


def test_what_the_libraries_log_is_not_shown() -> None:
    script = """
        import logging
        from bulk_update.edge.source import check_inputs
        from bulk_update.errors import InputError
        try:
            check_inputs(["memory://none.csv"])
        except InputError:
            for name in ("gcsfs", "gcsfs.core", "s3fs", "botocore.x", "google.auth"):
                logging.getLogger(name).warning("s3cr3t")
        logging.warning("another's")
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert (ended.stdout, ended.stderr) == ("", "WARNING:root:another's\n")


async def test_a_file_that_is_refused_in_the_middle_is_told() -> None:
    with serve_files({"/rows.csv": b"id\n" * 3_000_000}) as server:
        async with open_source(f"{server.url}/rows.csv{SECRET}") as source:
            await source.read()
            server.status = 403
            with pytest.raises(InputError, match=r"/rows.csv cannot be read: access is refused \(403\); a signed"):
                while await source.read():
                    pass


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("http://example.com/rows.csv?s3cr3t", "http://example.com/rows.csv: over plain http anybody on the way could"),
        ("ftp://example.com/rows.csv", "over plain ftp"),
        ("htps://host/rows.csv?s3cr3t", "htps://host/rows.csv: found the unknown kind htps://; did you mean https://?"),
        (
            "s3://bucket/?s3cr3t",
            "s3://bucket/: found no name of a file, expected one such as s3://bucket/changes.ndjson",
        ),
        ("gs://", "gs://: found no name of a file"),
        ("x-y://bucket/rows.csv", "expected s3://, gs:// or https://"),
        ("s3://bucket/rows.csv", "s3://bucket/rows.csv cannot be read: s3:// needs fsspec (the extra remote); install"),
        ("gs://bucket/rows.csv", "gs://bucket/rows.csv cannot be read: gs:// needs fsspec (the extra remote); install"),
        ("az://bucket/rows.csv", "az://bucket/rows.csv cannot be read: az:// needs another library: "),
    ],
)
def test_a_url_that_cannot_be_read_is_refused(url: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("s3fs", "gcsfs", "adlfs"):
        monkeypatch.setitem(sys.modules, module, None)
    assert told in refused(url)


def test_without_the_library_the_extra_is_named() -> None:
    script = """
        import sys
        sys.modules["fsspec"] = None
        from bulk_update.edge.source import check_inputs
        from bulk_update.errors import InputError
        try:
            check_inputs(["s3://bucket/rows.csv?s3cr3t"])
        except InputError as error:
            print(error)
    """
    ended = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert ended.stdout.startswith(
        "s3://bucket/rows.csv is remote, which needs fsspec (the extra remote); install it: "
    )
    assert ended.stdout.endswith(" install 'fsspec[gs,http,s3]>=2025.7'\n")
