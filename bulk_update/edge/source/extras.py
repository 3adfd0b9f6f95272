"""Libraries that only some inputs need, and what to do when one is not installed."""

import shlex
import sys
from importlib.util import find_spec
from typing import Final

EXTRAS: Final = {
    "zst": "zstandard>=0.23",
    "parquet": "pyarrow>=22",
    "remote": "fsspec[gs,http,s3]>=2025.7",
}
"""What each extra of bulk-update installs, as a requirement."""


def explain_missing(extra: str) -> str:
    """Say what is not installed, and a command that installs it where this program runs."""
    python = sys.executable or "python3"
    pip = [python, "-m", "pip"] if find_spec("pip") is not None else ["python3", "-m", "pip", "--python", python]
    return f"{_name(extra)} (the extra {extra}); install it: {shlex.join([*pip, 'install', EXTRAS[extra]])}"


def _name(extra: str) -> str:
    return EXTRAS[extra].partition(">")[0].partition("[")[0]
