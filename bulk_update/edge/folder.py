"""The folder from which relative paths begin."""

import os


def current_folder() -> str:
    """Name the working directory; "" when it is gone."""
    try:
        return os.getcwd()  # noqa: PTH109 - it is compared and kept as text
    except OSError:
        return ""
