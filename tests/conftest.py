"""What every test rests on: asyncio as the only event loop, and the same examples on every run."""

import pytest
from hypothesis import settings

# A found example is to be written down as a test of its own, not kept in a database on one machine.
settings.register_profile("deterministic", derandomize=True, database=None, deadline=None)
settings.load_profile("deterministic")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run each async test on asyncio: the program runs on nothing else."""
    return "asyncio"
