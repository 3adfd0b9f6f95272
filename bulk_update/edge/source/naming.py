"""What an input is called, in messages."""

from typing import Final

from bulk_update.errors import InputError
from bulk_update.pure.names import public_name

STANDARD_INPUT: Final = "-"


def called(name: str) -> str:
    """Name an input for a person."""
    return "standard input" if name == STANDARD_INPUT else public_name(name)


def refusal(name: str, what: str, error: OSError) -> InputError:
    """Say in the words of the system why an input cannot be used."""
    return InputError(f"{called(name)} {what}: {error.strerror or error}")


def explain_empty(name: str) -> str:
    """Say that an input has not a single byte: most likely what should have written it has failed."""
    return f"{called(name)} is empty; was it written to its end?"
