"""The version, for the package, the ledger and the requests."""

from typing import Final

VERSION: Final = "0.1.0"
