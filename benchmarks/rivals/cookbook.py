"""The pattern of the OpenAI cookbook's `api_request_parallel_processor.py`: a loop polls a file of ready requests.

    python cookbook.py URL REQUESTS RESULTS

REQUESTS: the body of one request a line. Each becomes a task of its own, at most one each millisecond; what fails
goes into a queue and is tried again; what comes back is appended to RESULTS with the request that it answers.
Prints how many rows were updated. aiohttp and json, as in the original; its token budget is a budget of bytes.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

REQUESTS_A_MINUTE = 60_000_000.0
BYTES_A_MINUTE = 60_000_000_000.0
ATTEMPTS = 5
PAUSE_AFTER_RATE_LIMIT = 15.0
PAUSE_OF_LOOP = 0.001


@dataclass
class Status:
    """How the whole job stands."""

    started: int = 0
    in_progress: int = 0
    succeeded: int = 0
    failed: int = 0
    updated: int = 0
    last_rate_limit: float = 0.0


@dataclass
class Request:
    """One request and what is left of its attempts."""

    number: int
    body: dict[str, Any]
    size: int
    attempts_left: int = ATTEMPTS
    errors: list[object] = field(default_factory=list)

    async def call(
        self, session: aiohttp.ClientSession, url: str, retries: "asyncio.Queue[Request]", results: Path, status: Status
    ) -> None:
        """Make one attempt; append what came of it, or go into the queue again."""
        error: object = None
        answer: dict[str, Any] = {}
        try:
            async with session.post(url=url, json=self.body) as response:
                answer = await response.json()
            error = answer.get("error")
            if error is not None and "rate limit" in str(error).lower():
                status.last_rate_limit = time.time()
        except Exception as caught:  # noqa: BLE001 - as in the original
            error = caught
        if error is not None:
            self.errors.append(str(error))
            if self.attempts_left:
                retries.put_nowait(self)
            else:
                append([self.body, self.errors], results)
                status.in_progress -= 1
                status.failed += 1
            return
        append([self.body, answer], results)
        status.in_progress -= 1
        status.succeeded += 1
        status.updated += sum(verdict["success"] for verdict in answer["result"]["data"].values())


def append(record: object, path: Path) -> None:
    """Append a line of JSON, opening the file anew as the original does."""
    with path.open("a") as file:
        file.write(json.dumps(record) + "\n")


class Budget:
    """What may leave now: it fills with the clock and is used by requests."""

    def __init__(self, a_minute: float) -> None:
        self._a_minute = a_minute
        self.left = a_minute
        self._updated = time.time()

    def fill(self) -> None:
        """Add what the time since the last call has brought."""
        now = time.time()
        self.left = min(self.left + self._a_minute * (now - self._updated) / 60.0, self._a_minute)
        self._updated = now


async def main(url: str, requests: Path, results: Path) -> int:
    """Poll until all requests are done; tell how many rows were updated."""
    headers = {"x-velt-api-key": os.environ["VELT_API_KEY"], "x-velt-auth-token": os.environ["VELT_AUTH_TOKEN"]}
    retries: asyncio.Queue[Request] = asyncio.Queue()
    status, capacity, room = Status(), Budget(REQUESTS_A_MINUTE), Budget(BYTES_A_MINUTE)
    tasks: set[asyncio.Task[None]] = set()
    next_request: Request | None = None
    with requests.open() as lines:
        async with aiohttp.ClientSession(headers=headers) as session:
            while True:
                if next_request is None:
                    if not retries.empty():
                        next_request = retries.get_nowait()
                    elif line := lines.readline():
                        next_request = Request(status.started, json.loads(line), len(line))
                        status.started += 1
                        status.in_progress += 1
                capacity.fill()
                room.fill()
                if next_request is not None and capacity.left >= 1 and room.left >= next_request.size:
                    capacity.left -= 1
                    room.left -= next_request.size
                    next_request.attempts_left -= 1
                    call = next_request.call(session, f"{url}/v2/activities/update", retries, results, status)
                    task = asyncio.create_task(call)
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
                    next_request = None
                if status.in_progress == 0:
                    return status.updated
                await asyncio.sleep(PAUSE_OF_LOOP)
                if time.time() - status.last_rate_limit < PAUSE_AFTER_RATE_LIMIT:
                    await asyncio.sleep(PAUSE_AFTER_RATE_LIMIT)


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))))
