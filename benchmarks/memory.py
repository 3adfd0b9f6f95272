"""How much memory the main job takes at most, and how many requests it takes of the fewest possible.

Rows wait until their batch is full: with many organizations interleaved there are many that must. What they take is
the buffer in use, bounded by `--buffer`; the rest of the peak should be the same whatever the input.
"""

from collections.abc import Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Final, Literal

from benchmarks.figures import counted, table
from benchmarks.inputs import Input, Spec, make_input
from benchmarks.ours import main_job
from benchmarks.server import Server

BUFFERS: Final = (("256MB", 256e6), ("8MB", 8e6))
"""The default, and a small one."""

_ROW_COST: Final = 300
"""Bytes that a waiting row is counted with beyond its own."""

_GROUP_COST: Final = 500
"""Bytes that an organization is counted with while rows of it wait in memory."""


def memory(folder: Path, server: Server, *, rows: int, sizes: Sequence[int], organizations: Sequence[int]) -> str:
    """Measure the peak for rows of several sizes, over few and many organizations."""
    lines = []
    for size, among in product(sizes, organizations):
        source = make_input(folder, Spec(rows, among, size))
        for name, buffer, peak, requests in _runs(source, folder, server):
            held = min(buffer, source.waiting * (size + _ROW_COST) + min(source.waiting, among) * _GROUP_COST) / 1e6
            lines.append(
                (
                    f"{rows:,} rows of {size:,} bytes, {counted(among, 'organization')}",
                    name,
                    f"{peak:,.0f}",
                    f"{held:,.0f}",
                    f"{peak - held:,.0f}",
                    f"{requests / source.best:.3f}",
                )
            )
        source.path.unlink()
    headers = ("", "--buffer", "peak MB", "in the buffer", "beyond it", "requests of the fewest")
    return table(headers, lines)


def batching(folder: Path, server: Server, *, rows: int, organizations: int) -> str:
    """Count requests where many organizations are interleaved, as many of each and by a power law."""
    lines = []
    spreads: tuple[Literal["even", "zipf"], ...] = ("even", "zipf")
    for spread in spreads:
        source = make_input(folder, Spec(rows, organizations, spread=spread))
        words = "Zipf 1.1" if spread == "zipf" else "uniform"
        lines += [
            (
                f"{rows:,} rows over {organizations:,} organizations, {words}",
                name,
                f"{source.best:,}",
                f"{requests:,}",
                f"{requests / source.best:.3f}",
                f"{peak:,.0f}",
            )
            for name, _, peak, requests in _runs(source, folder, server)
        ]
        source.path.unlink()
    return table(("", "--buffer", "fewest requests", "requests", "of the fewest", "peak MB"), lines)


def _runs(source: Input, folder: Path, server: Server) -> Iterator[tuple[str, float, float, int]]:
    """Run with each buffer: its name and size, the peak in megabytes, and the requests."""
    ledger = folder / "memory.ledger.ndjson"
    for name, buffer in BUFFERS:
        ledger.unlink(missing_ok=True)
        cost, summary = main_job(source, ledger, server.url, ("--rate", "none", "--buffer", name))
        yield name, buffer, cost.peak / 1e6, summary["requests"]
    ledger.unlink()
