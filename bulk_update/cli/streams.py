"""Standard streams: they may be closed, full, or read by nobody; that changes nothing of what has happened."""

import contextlib
import os
import sys
from collections.abc import Iterator
from typing import IO, Final, TextIO

from bulk_update.errors import BulkUpdateError
from bulk_update.pure.shown import printable

LONGEST: Final = 1_000
"""Characters of a sentence that may hold what came from elsewhere."""


class OutputLost(BulkUpdateError):
    """Report that data could not be written to standard output."""


def fill_closed_descriptors() -> None:
    """Let no file that is opened later take the place of a standard stream that is closed."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free is taken: this one. Reading from it stays an error.
            os.open(os.devnull, os.O_WRONLY)


def say(text: str) -> None:
    """Say something to a person, on standard error, if anybody is there."""
    with contextlib.suppress(OSError):
        _write(sys.stderr, text)


def complain(message: str, log_format: str = "text", level: str = "error") -> None:
    """Say what went wrong when no progress is shown; `log_format` `json`: as the event that progress makes of it."""
    if log_format != "json":
        say(f"bulk-update: {message}")
        return
    import json

    from bulk_update.edge.clock import WallClock

    say(json.dumps({"event": "notice", "time": WallClock().stamp(), "level": level, "message": message}))


def give(text: str) -> None:
    """Give data on standard output. OutputLost when it cannot be written and its reader has not just gone."""
    try:
        _write(sys.stdout, text)
    except BrokenPipeError:
        return
    except OSError as error:
        raise OutputLost(f"standard output cannot be written: {error.strerror}") from None


def give_json(value: object) -> None:
    """Give an object as JSON, in characters that standard output can show. OutputLost as of `give`."""
    import json

    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        text = json.dumps(value)
    give(text)


@contextlib.contextmanager
def data_stream() -> Iterator[IO[bytes]]:
    """Hand out standard output for bytes; when its reader goes, the block ends. OutputLost as of `give`."""
    if sys.stdout is None:
        with open(os.devnull, "wb") as nowhere:  # noqa: PTH123 - no path of anybody's
            yield nowhere
        return
    try:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        _let_go(sys.stdout)
    except OSError as error:
        _let_go(sys.stdout)
        raise OutputLost(f"standard output cannot be written: {error.strerror}") from None


def safe(text: str, most: int = 200) -> str:
    """Show text that came from elsewhere: no control characters, no marks that reorder, not too long."""
    return printable(text, most)


def columns_of(stream: TextIO | None) -> int | None:
    """Tell how wide the terminal behind a stream is; None when there is none, or it does not tell."""
    if stream is None:
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or None
    except (OSError, ValueError):  # it is no terminal, or closed
        return None


def leave_streams() -> None:
    """Let out what is left, so that nothing can fail when the interpreter ends."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            try:
                stream.flush()
            except (OSError, ValueError):
                _let_go(stream)


def _write(stream: TextIO | None, text: str) -> None:
    if stream is None:
        return
    encoding = stream.encoding or "utf-8"
    try:
        print(text.encode(encoding, "backslashreplace").decode(encoding), file=stream, flush=True)
    except ValueError:  # it was closed
        return
    except OSError:
        _let_go(stream)
        raise


def _let_go(stream: TextIO) -> None:
    """Let what is still in its buffer go nowhere."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
