"""The script that people write: read everything, group, send it all at once behind a semaphore.

    python script.py URL INPUT

aiohttp, json, a semaphore and gather; no ledger, no retries, no validation. Prints how many rows were updated.
"""

import asyncio
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import aiohttp

BATCH = 100
CONCURRENCY = 16


def read_batches(path: Path) -> list[dict[str, Any]]:
    """Read rows and group them into the bodies of requests."""
    groups = defaultdict(list)
    with path.open() as lines:
        for line in lines:
            row = json.loads(line)
            groups[row.pop("organizationId")].append(row)
    return [
        {"data": {"organizationId": organization, "activities": rows[at : at + BATCH]}}
        for organization, rows in groups.items()
        for at in range(0, len(rows), BATCH)
    ]


async def main(url: str, path: Path) -> int:
    """Send all batches and count the rows that were updated."""
    headers = {"x-velt-api-key": os.environ["VELT_API_KEY"], "x-velt-auth-token": os.environ["VELT_AUTH_TOKEN"]}
    slots = asyncio.Semaphore(CONCURRENCY)
    async with aiohttp.ClientSession(headers=headers) as session:

        async def send(body: dict[str, Any]) -> int:
            async with slots, session.post(f"{url}/v2/activities/update", json=body) as response:
                response.raise_for_status()
                verdicts = (await response.json())["result"]["data"]
                return sum(verdicts[row["id"]]["success"] for row in body["data"]["activities"])

        return sum(await asyncio.gather(*map(send, read_batches(path))))


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], Path(sys.argv[2]))))
