"""A disk that is full in the middle of a write: what is half written is cut off, kept, and sent again."""

import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random

import anyio
import pytest

from tests.crash.world import many_rows, open_world


@pytest.mark.parametrize("limit", [150, 1_111, 3_000])
async def test_a_write_that_is_cut_short_ends_the_run_and_the_next_one_goes_on(tmp_path: Path, limit: int) -> None:
    async with open_world(tmp_path, many_rows(Random(3), 20)) as world:

        def bound() -> None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        ended = await world.run(preexec_fn=bound)
        assert ended.code == 3
        assert "the ledger cannot be written: File too large. Sending has stopped" in ended.err
        torn = world.tale()
        assert len(torn.data) == limit
        world.check_finished(await world.run())
        kept = world.ledger.with_name(f"{world.ledger.name}.torn-1")
        assert kept.read_bytes() == torn.data[len(torn.whole) :]
        assert kept.stat().st_mode & 0o777 == 0o600


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here, so none is filled")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


async def test_a_full_disk_ends_the_run_and_with_room_again_the_next_one_goes_on(
    tmp_path: Path, small_disk: Path
) -> None:
    async with open_world(tmp_path, many_rows(Random(4), 60)) as world:
        world.ledger = small_disk / "ledger.ndjson"
        ended = await world.run()
        assert ended.code == 3
        assert "the ledger cannot be written: No space left on device. Sending has stopped" in ended.err
        left = {path.name: path.read_bytes() for path in small_disk.iterdir()}
        for _ in range(2):
            again = await world.run()
            assert again.code == 3
            assert f"the ledger {world.ledger} cannot be written: No space left on device; its torn tail" in again.err
            assert "Nothing was sent; make room or mend the disk, then run the same command again" in again.err
            assert {path.name: path.read_bytes() for path in small_disk.iterdir()} == left
        await anyio.run_process(["mount", "-o", "remount,size=1m", str(small_disk)])
        world.check_finished(await world.run())
