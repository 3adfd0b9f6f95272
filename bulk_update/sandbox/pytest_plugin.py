"""A pytest fixture for people who test their own migration code: `velt_sandbox`.

In a conftest.py:

    pytest_plugins = ["bulk_update.sandbox.pytest_plugin"]

In a test:

    def test_my_migration(velt_sandbox):
        velt_sandbox.seed([{"organizationId": "org-1", "id": "activity-001"}])
        velt_sandbox.inject("flaky", seed=7)
        migrate(velt_sandbox.url, velt_sandbox.api_key, velt_sandbox.auth_token)
        assert velt_sandbox.record("org-1", "activity-001")["actionIcon"] == "pen"
        assert velt_sandbox.statistics.violations == 0

Each test gets an empty sandbox of its own, in a thread of its own; a `velt_sandbox_setup` fixture of yours says
how it is started.
"""

from collections.abc import Iterator

import pytest

from bulk_update.sandbox.background import BackgroundSandbox, sandbox_in_background
from bulk_update.sandbox.running import Setup


@pytest.fixture
def velt_sandbox_setup() -> Setup:
    """Say how `velt_sandbox` is started; override it where the defaults will not do."""
    return Setup()


@pytest.fixture
def velt_sandbox(velt_sandbox_setup: Setup, monkeypatch: pytest.MonkeyPatch) -> Iterator[BackgroundSandbox]:
    """Serve an emulator of the API; VELT_API_URL, VELT_API_KEY and VELT_AUTH_TOKEN point to it."""
    with sandbox_in_background(velt_sandbox_setup) as sandbox:
        for name, value in sandbox.environment.items():
            monkeypatch.setenv(name, value)
        yield sandbox
