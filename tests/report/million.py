"""Measure the report of a ledger of a million rows: `python -m tests.report.million [ROWS]`."""

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bulk_update.edge.ledger import open_ledger_for_reading
from bulk_update.report.data import ReportData
from bulk_update.report.gather import Gathering
from bulk_update.report.page import render


def read(path: Path) -> tuple[ReportData, float]:
    """Read a ledger; return what it tells and the CPU seconds that took."""
    began, gathering = time.process_time(), Gathering()
    with open_ledger_for_reading(path) as file:
        tail = file.read(gathering.fold)
    data = gathering.data(path.name, len(tail))
    return data, time.process_time() - began


def main(rows: int) -> None:
    """Make the ledger in a process of its own, so that its memory does not count; print the figures."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "changes.ndjson.ledger.ndjson"
        subprocess.run([sys.executable, "-m", "tests.report.weather", path, str(rows)], check=True)
        data, seconds = read(path)
        began = time.process_time()
        page = render(data, 0.0).encode()
        drawn = time.process_time() - began
        megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"ledger {path.stat().st_size / 1e6:,.0f} MB, {data.rows:,} rows, {data.attempts:,} attempts")
        print(f"read   {seconds / data.rows * 1e6:.2f} us a row, peak memory {megabytes:.0f} MB")
        print(f"page   {len(page) / 1000:,.0f} kB in {drawn * 1000:.0f} ms")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
