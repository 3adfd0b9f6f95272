"""elasticsearch-py's `async_streaming_bulk`: the helper for bulk updates that most programs know.

    python elasticsearch_bulk.py URL INPUT

It speaks the protocol of Elasticsearch, which the benchmarks' server answers too: the same rows, in chunks of 100,
each an update of one document; one request is in flight at a time, as the helper has it. Prints how many rows
were updated. Its versions are those of elasticsearch_bulk.txt, in an environment of its own.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# It is installed into an environment of its own, which type checks do not see.
from elasticsearch import AsyncElasticsearch  # type: ignore[import-not-found]
from elasticsearch.helpers import async_streaming_bulk  # type: ignore[import-not-found]

BATCH = 100


def read_actions(path: Path) -> Iterator[dict[str, Any]]:
    """Read rows as updates of documents."""
    with path.open() as lines:
        for line in lines:
            row = json.loads(line)
            yield {"_op_type": "update", "_index": row.pop("organizationId"), "_id": row.pop("id"), "doc": row}


async def main(url: str, path: Path) -> int:
    """Send all rows and count those that were updated."""
    async with AsyncElasticsearch(url) as client:
        updates = async_streaming_bulk(client, read_actions(path), chunk_size=BATCH, raise_on_error=False)
        return sum([ok async for ok, _ in updates])


if __name__ == "__main__":
    print(asyncio.run(main(sys.argv[1], Path(sys.argv[2]))))
