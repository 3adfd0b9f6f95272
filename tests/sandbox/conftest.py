"""A store, and a workspace over it whose clock and ids are known."""

import itertools
from collections.abc import Iterator

import pytest

from bulk_update.sandbox.operations import Workspace
from bulk_update.sandbox.store import Store


@pytest.fixture
def store() -> Iterator[Store]:
    with Store() as opened:
        yield opened


@pytest.fixture
def workspace(store: Store) -> Workspace:
    numbers = itertools.count(1)
    return Workspace(store, clock=lambda: 1_722_409_519_944, new_id=lambda: f"new-{next(numbers)}")
