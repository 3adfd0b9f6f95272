"""Velt's own Python SDK, unchanged, against the sandbox.

It lives in an environment of its own under build/, made once from requirements/velt-py.txt, pins and hashes.
"""

import hashlib
import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

from bulk_update.sandbox import BackgroundSandbox, Setup, sandbox_in_background

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements" / "velt-py.txt"

SCRIPT = """
import json, os
from velt_py import VeltSDK
from velt_py.models import activity_api as asked
from velt_py.models.workspace import GetActivityConfigRequest
from velt_py.services.api.base_api_service import BaseApiService

BaseApiService.VELT_API_BASE_URL = os.environ["VELT_API_URL"]  # the SDK's one setting for its base
sdk = VeltSDK.initialize({"apiKey": os.environ["VELT_API_KEY"], "authToken": os.environ["VELT_AUTH_TOKEN"]})
api, org = sdk.api.activities, "org-123"
activity = {
    "id": "activity-001", "featureType": "comment", "actionType": "comment.add", "actionUser": {"userId": "user-1"},
    "targetEntityId": "annotation-789", "displayMessageTemplate": "{{user}} added a comment",
}
custom = {key: value for key, value in activity.items() if key != "targetEntityId"} | {"featureType": "custom"}
update = {"id": "activity-001", "displayMessageTemplate": "{{user}} updated the comment", "surprise": 1}
answers = [
    api.addActivities(asked.AddActivitiesRequest(org, "doc-456", [activity])),
    api.addActivities(asked.AddActivitiesRequest(org, "doc-456", [custom])),
    api.updateActivities(asked.UpdateActivitiesRequest(org, [update, {"id": "activity-002"}])),
    api.updateActivities(asked.UpdateActivitiesRequest(org, [update]), filter_unknown_fields=True),
    api.getActivities(asked.GetActivitiesRequest(organizationId=org, activityIds=["activity-001"], pageSize=5)),
    api.deleteActivities(asked.DeleteActivitiesRequest(organizationId=org, activityIds=["activity-001"])),
    sdk.api.workspace.getActivityConfig(GetActivityConfigRequest()),
]
print(json.dumps(answers))
"""


def sdk_python() -> Path:
    """Return the interpreter that has the SDK; make its environment when it is not there."""
    if not LOCK.exists():
        pytest.skip("NO LOCK OF velt-py: the SDK was not driven")
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()[:12]
    folder = ROOT / "build" / f"velt-py-{digest}-{sys.version_info[0]}.{sys.version_info[1]}"
    python = folder / "bin" / "python"
    if (folder / "ready").exists():
        return python
    install = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes", "--requirement", str(LOCK)]
    try:
        subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True, capture_output=True)
        subprocess.run(install, check=True, capture_output=True, timeout=240)
    except (subprocess.SubprocessError, OSError) as error:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn(f"velt-py cannot be installed here: {error}", stacklevel=1)
        pytest.skip("VELT-PY CANNOT BE INSTALLED HERE: the SDK was not driven")
    (folder / "ready").touch()
    return python


def drive(sandbox: BackgroundSandbox) -> list[dict[str, Any]]:
    ran = subprocess.run(
        [sdk_python(), "-c", SCRIPT], env=dict(sandbox.environment), capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    answers: list[dict[str, Any]] = json.loads(ran.stdout)
    return answers


def test_the_official_sdk_gets_what_is_documented() -> None:
    with sandbox_in_background(Setup(api_key="key-of-a-test", auth_token="token-of-a-test")) as sandbox:
        added, refused, updated, again, got, deleted, config = drive(sandbox)
        assert added["result"]["data"]["success"] is True
        assert refused["error"]["status"] == "INVALID_ARGUMENT"
        assert refused["error"]["message"].startswith("Target entity ID is required")
        yes = {"success": True, "message": "Activity updated."}
        no = {"success": False, "message": "Failed to update activity."}
        assert updated["result"]["data"] == {"activity-001": yes, "activity-002": no}
        assert again["result"]["data"] == {"activity-001": yes}
        (record,) = got["result"]["data"]
        assert record["displayMessageTemplate"] == "{{user}} updated the comment"
        assert "surprise" not in record
        assert deleted["result"]["data"]["activity-001"]["success"] is True
        assert config["result"]["data"]["activityServiceConfig"]["isEnabled"] is True
        assert [event.kind for event in sandbox.history("org-123", "activity-001")] == [
            "add",
            "update",
            "update",
            "delete",
        ]
        assert sandbox.statistics.violations == 0
