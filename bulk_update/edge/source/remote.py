"""Inputs that are somewhere else: S3, Google Cloud Storage, HTTPS, and what else fsspec knows.

What gives ranges is read in ranges, as rows are needed: no connection is held open while rows are sent. What
gives none is first copied into an unnamed temporary file. A URL may be signed, so messages have neither its
query nor the words of a library, which may repeat it.
"""

import io
import ipaddress
import logging
import tempfile
from collections.abc import Callable, Mapping
from typing import IO, Any, Final, TypeAlias
from urllib.parse import urlsplit

from bulk_update.edge.source.descriptor import BLOCK
from bulk_update.edge.source.extras import explain_missing
from bulk_update.edge.source.trouble import explain
from bulk_update.errors import InputError
from bulk_update.pure.names import nearest, public_name

_PLAIN: Final = ("http", "ftp")
_WEB: Final = ("http", "https")
_STORES: Final = ("s3", "gs", "gcs")
_LOGGERS: Final = ("fsspec", "s3fs", "gcsfs", "aiobotocore", "botocore", "google", "google_auth_httplib2")
_SILENCE: Final = 60.0
"""Seconds without a byte after which a web server is given up."""

_RANGE: Final = 4 * 1_048_576
"""Bytes asked for at once."""

_IDENTITY: Final = ("size", "ETag", "etag", "LastModified", "Last-Modified", "generation", "mtime")
"""What tells that a file is still the same, as far as its place tells any of it."""


Untyped: TypeAlias = Any
"""Something of fsspec, which has no types."""


class RemoteFile:
    """An input that is read over the network. InputError when it cannot be.

    `size`: bytes of it, None where that is not told. `for_columns`: it is read here
    and there, not from its beginning.
    """

    is_stream = False

    def __init__(self, url: str, *, for_columns: bool = False) -> None:
        self._label = public_name(url)
        self._scheme = url.partition("://")[0].lower()
        fsspec = _import(self._label)
        self.bytes_read = 0
        self._has_changed = False
        self._system, self._path = self._find(fsspec, url)
        try:
            known = self._system.info(self._path)
            self._check_is_file(known)
            self._identity = _identity(known)
            self.size: int | None = known.get("size")
            self._file = self._open(for_columns=for_columns)
        except Exception as error:  # noqa: BLE001 - each of its systems raises its own
            raise self._refusal(error) from None

    def read(self) -> bytes:
        """Return the next block; empty at the end. InputError when the file is another one by then."""
        try:
            block: bytes = self._file.read(BLOCK)
            if not block and not isinstance(self._file, _Copy):
                self._system.invalidate_cache()
                self._has_changed = _identity(self._system.info(self._path)) != self._identity
        except Exception as error:  # noqa: BLE001 - as above
            raise self._refusal(error) from None
        if self._has_changed:
            raise InputError(f"{self._label} has changed while it was read; run the same command again")
        self.bytes_read += len(block)
        return block

    def begins_with(self, mark: bytes) -> bool:
        """Tell how the file begins, and go back there."""
        found = self.file.read(len(mark))
        self.file.seek(0)
        return found == mark

    @property
    def file(self) -> "_Told":
        """The file, to read and seek in."""
        return _Told(self._file, self._refusal)

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def _find(self, fsspec: Untyped, url: str) -> tuple[Untyped, str]:
        """Find what reads a URL of this kind."""
        scheme = self._scheme
        if scheme not in fsspec.available_protocols():
            meant = nearest(scheme, fsspec.available_protocols())
            hint = f"did you mean {meant}://?" if meant else "expected s3://, gs:// or https://"
            raise InputError(f"{self._label}: found the unknown kind {scheme}://; {hint}")
        if scheme in _PLAIN and not _is_loopback(url):
            raise InputError(
                f"{self._label}: over plain {scheme} anybody on the way could change what is to be written; use https"
            )
        if scheme in _STORES and not urlsplit(self._label).path.strip("/"):
            raise InputError(
                f"{self._label}: found no name of a file, expected one such as {scheme}://bucket/changes.ndjson"
            )
        how = _web_timeouts() if scheme in _WEB else {}
        try:
            system, path = fsspec.core.url_to_fs(url, skip_instance_cache=True, **how)
        except ImportError as error:
            needs = explain_missing("remote") if scheme in _STORES else f"another library: {error}"
            raise InputError(f"{self._label} cannot be read: {scheme}:// needs {needs}") from None
        except Exception as error:  # noqa: BLE001 - as above
            raise self._refusal(error) from None
        return system, path

    def _check_is_file(self, known: Mapping[str, object]) -> None:
        if known.get("type") == "directory":
            raise IsADirectoryError

    def _open(self, *, for_columns: bool) -> IO[bytes]:
        if self._path.startswith(tuple(f"{scheme}:" for scheme in _WEB)) and not self._gives_ranges():
            with self._system.open(self._path, "rb", block_size=0) as source:
                copy = _copy_of(source)
            self.size = copy.seek(0, 2)
            copy.seek(0)
            return copy
        cache = "none" if for_columns else "readahead"
        file: IO[bytes] = self._system.open(self._path, "rb", block_size=_RANGE, cache_type=cache)
        return file

    def _gives_ranges(self) -> bool:
        """Ask a web server for its second byte: one that does not know ranges begins with the first."""
        if self.size is None:
            return False
        with self._system.open(self._path, "rb", block_size=_RANGE, cache_type="none") as file:
            file.seek(1)
            try:
                return len(file.read(1)) == 1
            except ValueError:
                return False

    def _refusal(self, error: Exception) -> InputError:
        """Say what went wrong in words of our own."""
        if isinstance(error, InputError):
            return error
        return InputError(f"{self._label} cannot be read: {explain(self._scheme, error)}")


class _Told(io.RawIOBase):
    """A file whose errors are told in words of our own, whoever reads it."""

    def __init__(self, file: IO[bytes], refusal: Callable[[Exception], InputError]) -> None:
        self._file = file
        self._refusal = refusal

    def read(self, size: int = -1, /) -> bytes:
        """Read up to so many bytes."""
        try:
            return self._file.read(size)
        except Exception as error:  # noqa: BLE001 - each system raises its own
            raise self._refusal(error) from None

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """Go to a place."""
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        """Tell the place."""
        return self._file.tell()

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that any place can be gone to."""
        return True


class _Copy(tempfile.SpooledTemporaryFile[bytes]):
    """A copy of a file that gives no ranges."""


def _copy_of(source: IO[bytes]) -> "_Copy":
    copy = _Copy(max_size=_RANGE)
    while block := source.read(BLOCK):
        copy.write(block)
    return copy


def _identity(known: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(str(known.get(name)) for name in _IDENTITY)


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _import(label: str) -> Untyped:
    try:
        import fsspec
    except ImportError:
        raise InputError(f"{label} is remote, which needs {explain_missing('remote')}") from None
    for name in _LOGGERS:  # what they say of their own accord may have a secret in it
        logger = logging.getLogger(name)
        if not logger.handlers:
            logger.addHandler(logging.NullHandler())
    return fsspec


def _web_timeouts() -> dict[str, object]:
    """Bound silence and not length: a large file may take its time."""
    import aiohttp

    timeout = aiohttp.ClientTimeout(total=None, sock_connect=_SILENCE, sock_read=_SILENCE)
    return {"client_kwargs": {"timeout": timeout}}
