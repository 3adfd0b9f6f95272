import errno
import gzip
import os
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest
from anyio import to_thread

from bulk_update.edge.source import BLOCK, HEAD, check_inputs, detect_format, format_of, open_source
from bulk_update.errors import InputError
from bulk_update.pure.csv.settings import TableSettings

ROWS = b"".join(b'{"organizationId":"org-1","id":"a-%d","actionIcon":"pen"}\n' % number for number in range(20))
ROOT = Path(__file__).parents[2]
MEMORY = Path("/proc/self/mem")

Compress = Callable[[bytes], bytes]


def gz(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def zst(data: bytes) -> bytes:
    if sys.version_info >= (3, 14):
        from compression import zstd

        return zstd.compress(data)
    import zstandard

    return zstandard.compress(data)


COMPRESSED = pytest.mark.parametrize(("ending", "compress"), [(".gz", gz), (".zst", zst)])


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, bytes], str]:
    """Write a file into an empty folder; return its path."""

    def write(name: str, data: bytes) -> str:
        path = tmp_path / name
        path.write_bytes(data)
        return str(path)

    return write


@pytest.fixture
def standard_input() -> Iterator[int]:
    """Stand a pipe in for standard input; give the descriptor to write to, to be closed by the test."""
    kept = os.dup(0)
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    os.close(reading)
    yield writing
    os.dup2(kept, 0)
    os.close(kept)


async def blocks_of(name: str, encoding: str = "utf-8") -> list[bytes]:
    async with open_source(name, TableSettings(encoding=encoding)) as source:
        blocks = []
        while block := await source.read():
            blocks.append(block)
        assert await source.read() == b""
        return blocks


async def whole(name: str, encoding: str = "utf-8") -> bytes:
    return b"".join(await blocks_of(name, encoding))


async def refused(name: str) -> str:
    """Return why an input cannot be read, of which nothing was handed on; asking before says the same."""
    with pytest.raises(InputError) as before:
        check_inputs([name])
    with pytest.raises(InputError) as caught:
        async with open_source(name) as source:
            await source.read()
    assert str(caught.value) == str(before.value)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------ files


async def test_a_file_is_read_in_blocks(write: Callable[[str, bytes], str]) -> None:
    data = os.urandom(3 * BLOCK + 17)
    blocks = await blocks_of(write("rows.ndjson", data))
    assert b"".join(blocks) == data
    assert max(map(len, blocks)) <= BLOCK
    assert len(blocks) == 4


async def test_it_is_told_how_far_a_file_is_read(write: Callable[[str, bytes], str]) -> None:
    for name, data in (("rows.ndjson", ROWS), ("rows.ndjson.gz", gz(ROWS))):
        async with open_source(write(name, data)) as source:
            assert (source.bytes_read, source.bytes_total) == (0, len(data))
            await source.read()
            assert source.bytes_read == len(data)


async def test_a_byte_order_mark_is_dropped(write: Callable[[str, bytes], str]) -> None:
    for name, data in (
        ("a.csv", b"\xef\xbb\xbfid\n"),
        ("b.gz", gz(b"\xef\xbb\xbfid\n")),
        ("c", b"id\n\xef\xbb\xbf"),
    ):
        check_inputs([path := write(name, data)])
        assert await whole(path) == data.removeprefix(b"\xef\xbb\xbf") if name != "b.gz" else b"id\n"


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("rows.ndjson", "ndjson"),
        ("rows.JSONL", "ndjson"),
        ("rows.csv", "csv"),
        ("rows.tsv", "csv"),
        ("rows.csv.gz", "csv"),
        ("a.b/rows.ndjson.ZST", "ndjson"),
        ("rows.json", None),
        ("rows.gz", None),
        ("csv", None),
        ("-", None),
        ("rows.csv/part", None),
    ],
)
def test_the_name_tells_the_format(name: str, expected: str | None) -> None:
    assert format_of(name) == expected


async def test_a_source_knows_the_format_that_its_name_tells(write: Callable[[str, bytes], str]) -> None:
    async with open_source(write("rows.csv.gz", gz(b"id\n"))) as source:
        assert source.format == "csv"


# ------------------------------------------------------------------------------------------------ compressed


@COMPRESSED
async def test_members_in_a_row_are_one_input(
    write: Callable[[str, bytes], str], ending: str, compress: Compress
) -> None:
    members = [ROWS, b"", b"\xef\xbb\xbf", b"x" * 3 * BLOCK, ROWS]
    name = write("rows.ndjson" + ending, b"".join(map(compress, members)) + b"\0" * 512)
    check_inputs([name])
    assert await whole(name) == b"".join(members)


@COMPRESSED
async def test_compression_is_told_by_content_too(
    write: Callable[[str, bytes], str], ending: str, compress: Compress
) -> None:
    name = write("rows" + ending + ".ndjson", compress(ROWS))
    check_inputs([name])
    assert await whole(name) == ROWS


async def test_a_frame_to_be_skipped_may_come_first(write: Callable[[str, bytes], str]) -> None:
    skipped = b"\x5a\x2a\x4d\x18\x04\0\0\0note"
    assert await whole(write("rows.zst", skipped + zst(ROWS))) == ROWS


@COMPRESSED
async def test_a_file_cut_anywhere_is_refused_before_any_of_it_is_handed_on(
    write: Callable[[str, bytes], str], ending: str, compress: Compress
) -> None:
    member = compress(ROWS)
    two = member + member
    for size in set(range(1, len(two))) - {len(member)}:
        name = write("cut.ndjson" + ending, two[:size])
        assert await refused(name) == f"{name} is cut off: its {format_name(ending)} data has no end"


def format_name(ending: str) -> str:
    return {".gz": "gzip", ".zst": "zstd"}[ending]


async def test_a_damaged_file_is_refused_or_its_content_is_whole(write: Callable[[str, bytes], str]) -> None:
    data = gz(ROWS)
    for at in range(len(data)):
        name = write("damaged.ndjson.gz", data[:at] + bytes((data[at] ^ 0x10,)) + data[at + 1 :])
        try:
            assert await whole(name) == ROWS
        except InputError as error:
            assert str(error).startswith(name)  # noqa: PT017 -- either is right


async def test_what_follows_the_last_member_is_refused(write: Callable[[str, bytes], str]) -> None:
    name = write("rows.ndjson.gz", gz(ROWS) + b"and more")
    assert (await refused(name)).startswith(f"{name} is corrupt (gzip: ")


async def test_a_large_cut_file_is_handed_on_up_to_the_block_before_its_end(
    write: Callable[[str, bytes], str],
) -> None:
    data = gz(os.urandom(10 * BLOCK))[:-1]
    read: list[bytes] = []
    async with open_source(write("rows.ndjson.gz", data)) as source:

        async def read_all() -> None:
            while True:
                read.append(await source.read())

        with pytest.raises(InputError, match="cut off"):
            await read_all()
    assert 8 * BLOCK <= len(b"".join(read)) < 10 * BLOCK


@COMPRESSED
async def test_a_name_that_promises_compression_is_believed(
    write: Callable[[str, bytes], str], ending: str, compress: Compress
) -> None:
    name = write("rows.ndjson" + ending, ROWS)
    assert "does not begin like it" in await refused(name)
    other = {".gz": zst, ".zst": gz}[ending]
    assert "does not begin like it" in await refused(write("rows" + ending, other(compress(ROWS))))


@COMPRESSED
async def test_a_bomb_takes_no_memory(write: Callable[[str, bytes], str], ending: str, compress: Compress) -> None:
    size = 256 * 1024 * 1024
    name = write("bomb.ndjson" + ending, compress(bytes(size // 4)) * 4)
    read = 0
    tracemalloc.start()
    try:
        async with open_source(name) as source:
            while block := await source.read():
                read += len(block)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert read == size
    assert peak < 32 * 1024 * 1024


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="the standard library has it")
async def test_without_zstandard_it_is_told_what_to_install(
    write: Callable[[str, bytes], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = write("rows.ndjson.zst", zst(ROWS))
    monkeypatch.setitem(sys.modules, "zstandard", None)
    told = await refused(name)
    assert f"{name} is Zstandard, which needs zstandard (the extra zst); install it: " in told
    assert told.endswith(" install 'zstandard>=0.23'")


# ------------------------------------------------------------------------------------------------ refused


async def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    name = str(tmp_path / "absent.ndjson")
    assert await refused(name) == f"{name} cannot be opened: No such file or directory"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        check_inputs([str(tmp_path)])


def test_a_file_that_may_not_be_read_is_refused(write: Callable[[str, bytes], str]) -> None:
    path = write("rows.ndjson", ROWS)
    Path(path).chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(65_534)
        with pytest.raises(InputError, match="cannot be opened: Permission denied"):
            check_inputs([path])
    finally:
        os.seteuid(user)


@pytest.mark.parametrize(("name", "data"), [("a.csv", b""), ("a.csv.gz", gz(b"")), ("a", b"\xef\xbb\xbf")])
def test_an_empty_file_is_refused(write: Callable[[str, bytes], str], name: str, data: bytes) -> None:
    with pytest.raises(InputError, match="is empty"):
        check_inputs([write(name, data)])


def test_standard_input_can_be_given_once(write: Callable[[str, bytes], str]) -> None:
    name = write("rows.ndjson", ROWS)
    check_inputs([name, "-", name])
    with pytest.raises(InputError, match="given twice"):
        check_inputs(["-", name, "-"])


@pytest.mark.parametrize("encoding", ["UTF-16", "UTF-32"])
@pytest.mark.parametrize("mark", ["\ufeff"])
@pytest.mark.parametrize("order", ["le", "be"])
async def test_a_wide_encoding_is_refused(
    write: Callable[[str, bytes], str], encoding: str, mark: str, order: str
) -> None:
    name = write("my rows.csv", f"{mark}id,actionIcon\r\n".encode(f"{encoding}-{order}"))
    assert await refused(name) == f"{name} is {encoding}; --encoding {encoding.lower()} reads it"
    assert await whole(name, encoding.lower()) == b"id,actionIcon\r\n"


async def test_a_wide_encoding_inside_compression_is_refused(write: Callable[[str, bytes], str]) -> None:
    name = write("rows.csv.gz", gz("\ufeffid\n".encode("utf-16-le")))
    assert (await refused(name)).endswith(" is UTF-16; --encoding utf-16 reads it")
    assert await whole(name, "utf-16") == b"id\n"


@pytest.mark.parametrize(("encoding", "order"), [("utf-16-le", "UTF-16LE"), ("utf-16-be", "UTF-16BE")])
def test_a_wide_encoding_without_a_mark_is_refused(
    write: Callable[[str, bytes], str], encoding: str, order: str
) -> None:
    name = write("rows.csv", "id,actionIcon\r\n".encode(encoding))
    with pytest.raises(InputError, match=f"is {order}; --encoding {encoding} reads it"):
        check_inputs([name])
    check_inputs([name], TableSettings(encoding=encoding))


@pytest.mark.parametrize(("ending", "compress"), [("", bytes), (".gz", gz), (".zst", zst)])
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-16-be"])
async def test_another_encoding_is_made_utf8_block_by_block(
    write: Callable[[str, bytes], str], ending: str, compress: Compress, encoding: str
) -> None:
    text = "id;actionIcon\r\n" + "".join(f"caf\u00e9-{number};\u20ac\r\n" for number in range(40_000))
    name = write(f"rows.csv{ending}", compress(text.encode(encoding)))
    check_inputs([name], TableSettings(encoding=encoding))
    blocks = await blocks_of(name, encoding)
    assert b"".join(blocks) == text.encode()
    assert len(blocks) > 1


async def test_an_encoding_is_refused_that_the_mark_contradicts(write: Callable[[str, bytes], str]) -> None:
    name = write("rows.csv", b"\xef\xbb\xbfid\n")
    with pytest.raises(InputError, match="begins with the mark of UTF-8; read it without --encoding cp1252"):
        check_inputs([name], TableSettings(encoding="cp1252"))
    name = write("rows.csv", "\ufeffid\n".encode("utf-16-le"))
    with pytest.raises(InputError, match="is UTF-16; --encoding utf-16 reads it"):
        check_inputs([name], TableSettings(encoding="cp1252"))


async def test_an_input_cut_within_a_character_is_refused_with_its_name(write: Callable[[str, bytes], str]) -> None:
    name = write("rows.csv", "\ufeffid\n".encode("utf-16-le")[:-1])
    with pytest.raises(InputError, match=rf"^{name}: found bytes that are not utf-16: 0a \(truncated data\)$"):
        check_inputs([name], TableSettings(encoding="utf-16"))


@pytest.mark.parametrize("at", [0, 1, 100, HEAD - 1])
def test_what_is_no_text_is_refused(write: Callable[[str, bytes], str], at: int) -> None:
    data = b"x" * at + b"\0" + b"x" * HEAD
    for name in (write("rows.ndjson", data), write("rows.ndjson.gz", gz(data))):
        with pytest.raises(InputError, match=rf"holds a NUL byte \(byte {at + 1}\) and no row"):
            check_inputs([name])


@pytest.mark.parametrize(
    "data",
    [
        b'{"id":"a\0b"}\n{"id":"c"}\n',
        b'{\0"id":"a"}\n{"id":"c"}\n',
        b'\0{"id":"a"}\n',
        b"\0" * 5_000 + b'\n{"id":"a"}\n',
        b'oops\0\n {"id":"a"}\n',
        b'{"id":"' + b"\0" * 5_000 + b'"}\n{"id":"c"}\n',
        b"id,actionIcon\na,\0\n",
        b"number,actionIcon\na,\0\n",
    ],
)
def test_a_stray_nul_makes_no_file_unreadable(write: Callable[[str, bytes], str], data: bytes) -> None:
    for name in (write("rows", data), write("rows.gz", gz(data))):
        check_inputs([name], TableSettings({"id": "number"}))


@pytest.mark.parametrize(
    "text", ['{"id":"a"}\n', "organizationId,id\n", '{"id":"\u6f22\u5b57\u6f22\u5b57"}\n' * 9, "id\n"]
)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_in_utf_16_is_told_without_its_mark(write: Callable[[str, bytes], str], text: str, encoding: str) -> None:
    with pytest.raises(InputError, match=rf"--encoding {encoding} reads it$"):
        check_inputs([write("rows.csv", text.encode(encoding))])


def test_what_is_no_text_further_on_is_for_the_reader_of_rows(write: Callable[[str, bytes], str]) -> None:
    check_inputs([write("rows.ndjson", b"x" * (BLOCK + 1) + b"\0")])


@pytest.mark.skipif(not MEMORY.exists(), reason="needs a file whose beginning cannot be read")
async def test_an_error_while_reading_is_told_in_the_words_of_the_system() -> None:
    async with open_source(str(MEMORY)) as source:
        with pytest.raises(InputError) as caught:
            await source.read()
    assert str(caught.value) == f"{MEMORY} cannot be read: {os.strerror(errno.EIO)}"


# ------------------------------------------------------------------------------------------------ pipes


async def test_a_pipe_gives_what_is_there(standard_input: int) -> None:
    check_inputs(["-"])
    async with open_source("-") as source:
        assert (source.format, source.bytes_total) == (None, None)
        for piece in (b'{"id":', b'"a"}', b"\n", b"x" * 1000):
            os.write(standard_input, piece)
            assert await source.read() == piece
        os.close(standard_input)
        assert await source.read() == b""
        assert source.bytes_read == 1011


async def test_a_first_block_is_enough_to_tell_the_format(standard_input: int) -> None:
    pieces = [b"\xef", b"\xbb\xbf", b"\n", b"i", b"d,action", b"Icon\na,"]
    async with open_source("-") as source, anyio.create_task_group() as tasks:

        async def write_slowly() -> None:
            for piece in pieces:
                await anyio.wait_all_tasks_blocked()
                os.write(standard_input, piece)

        tasks.start_soon(write_slowly)
        assert await source.read() == b"\nid,actionIcon\na,"
        os.close(standard_input)
        assert await source.read() == b""


async def test_a_pipe_may_be_compressed(standard_input: int) -> None:
    data = gz(ROWS)
    async with open_source("-") as source, anyio.create_task_group() as tasks:

        async def write_slowly() -> None:
            for piece in (data[:1], data[1:3], data[3:40], data[40:]):
                await anyio.wait_all_tasks_blocked()
                os.write(standard_input, piece)
            os.close(standard_input)

        tasks.start_soon(write_slowly)
        read = b""
        while block := await source.read():
            read += block
    assert read == ROWS


async def test_standard_input_may_be_a_file(write: Callable[[str, bytes], str]) -> None:
    kept = os.dup(0)
    file = os.open(write("rows.ndjson", ROWS), os.O_RDONLY)
    os.dup2(file, 0)
    os.close(file)
    os.lseek(0, 10, os.SEEK_SET)
    try:
        async with open_source("-") as source:
            assert source.bytes_total == len(ROWS) - 10
            assert await source.read() == ROWS[10:]
            assert await source.read() == b""
        os.fstat(0)
    finally:
        os.dup2(kept, 0)
        os.close(kept)


async def test_standard_input_of_a_wide_encoding_is_refused(standard_input: int) -> None:
    os.write(standard_input, "\ufeffid\n".encode("utf-16"))
    os.close(standard_input)
    with pytest.raises(InputError, match=r"^standard input is UTF-16; --encoding utf-16 reads it$"):
        await whole("-")


async def test_a_named_pipe_is_waited_for(tmp_path: Path) -> None:
    name = str(tmp_path / "rows.ndjson")
    os.mkfifo(name)
    check_inputs([name])
    async with open_source(name) as source, anyio.create_task_group() as tasks:
        read: list[bytes] = []

        async def read_all() -> None:
            while block := await source.read():
                read.append(block)

        tasks.start_soon(read_all)
        await anyio.wait_all_tasks_blocked()
        with await to_thread.run_sync(open, name, "wb", 0) as pipe:
            assert source.format == "ndjson"
            await to_thread.run_sync(pipe.write, ROWS * 1000)
    assert b"".join(read) == ROWS * 1000


async def test_a_read_that_waits_can_be_cancelled(standard_input: int) -> None:
    async with open_source("-") as source, anyio.create_task_group() as tasks:
        tasks.start_soon(source.read)
        await anyio.wait_all_tasks_blocked()
        tasks.cancel_scope.cancel()
    os.write(standard_input, b"not for us")
    assert os.read(0, 100) == b"not for us"
    os.close(standard_input)


def test_a_process_ends_though_its_standard_input_is_silent() -> None:
    script = """
        import anyio
        from bulk_update.edge.source import open_source

        async def main():
            async with open_source("-") as source, anyio.create_task_group() as tasks:
                tasks.start_soon(source.read)
                await anyio.wait_all_tasks_blocked()
                tasks.cancel_scope.cancel()

        anyio.run(main)
    """
    with subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)], stdin=subprocess.PIPE, cwd=ROOT) as process:
        assert process.wait(timeout=60) == 0


# ------------------------------------------------------------------------------------------------ formats


@pytest.mark.parametrize(
    ("head", "expected"),
    [
        (b'{"id":"a"}', "ndjson"),
        (b"\xef\xbb\xbf \r\n\t{", "ndjson"),
        (b"id;actionIcon\n", "csv"),
        (b"\n_note,changes.status.to:json", "csv"),
        (b'"organizationId"\tx', "csv"),
    ],
)
def test_the_content_tells_the_format(head: bytes, expected: str) -> None:
    assert detect_format(head) == expected


def test_a_header_that_was_given_tells_the_format() -> None:
    assert detect_format(b"Activity,Icon\n", {"id": "Activity"}.values()) == "csv"


@pytest.mark.parametrize(
    ("head", "told"),
    [
        (b"name,age\nid,x\n", 'found "name,age", which is neither NDJSON'),
        (b'[{"id":"a"}]', r"jq -c '.\[\]'"),
        (b"<html>", "if it is a CSV with other headers: --format csv, and --column"),
        (b"\xff", "neither"),
        (b" \n", "found nothing, neither"),
    ],
)
def test_a_content_that_is_neither_is_refused(head: bytes, told: str) -> None:
    with pytest.raises(InputError, match=told):
        detect_format(head)
