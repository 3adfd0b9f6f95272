"""Why a remote file cannot be read, and what to do: in words of our own, since a library's may repeat a secret."""

from collections.abc import Iterator
from typing import Final

_NO_CREDENTIALS: Final = frozenset(
    {
        "NoCredentialsError",
        "PartialCredentialsError",
        "CredentialRetrievalError",
        "ProfileNotFound",
        "TokenRetrievalError",
        "SSOTokenLoadError",
        "UnauthorizedSSOTokenError",
        "DefaultCredentialsError",
        "RefreshError",
    }
)
"""Errors of botocore and google-auth, by name: their libraries are loaded only for what needs them."""

_HOW_TO_LOG_IN: Final = {
    "s3": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gs": "set GOOGLE_APPLICATION_CREDENTIALS to a key file, or run: gcloud auth application-default login",
}
_UNREACHED: Final = frozenset({"EndpointConnectionError", "ConnectTimeoutError", "ReadTimeoutError", "ProxyError"})
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_NOT_FOUND: Final = 404
_SERVER_FAULT: Final = 500
_DEEPEST: Final = 8
_OPAQUE: Final = (FileNotFoundError, PermissionError, IsADirectoryError)


def explain(scheme: str, error: BaseException) -> str:
    """Say what went wrong with a file at a URL of this scheme."""
    chain = list(_causes(error))
    names = [type(each).__name__ for each in chain]
    scheme = {"gcs": "gs", "s3a": "s3"}.get(scheme, scheme)
    status = next((code for each in chain if (code := _status(each)) is not None), None)
    unreached = next((name for each, name in zip(chain, names, strict=True) if _is_unreached(each)), None)
    if _NO_CREDENTIALS & set(names):
        why = f"no credentials are found; {_HOW_TO_LOG_IN.get(scheme, 'its library tells where it looks for them')}"
    elif status is not None and status != _NOT_FOUND:
        why = _explain_status(scheme, status)
    elif status is None and unreached is not None:
        why = f"it cannot be reached ({unreached}); check the address and the network"
    elif isinstance(error, PermissionError):
        why = _explain_status(scheme, _FORBIDDEN)
    elif isinstance(error, IsADirectoryError):
        why = "it is a folder; name the files in it"
    elif status == _NOT_FOUND or isinstance(error, FileNotFoundError):
        why = "there is no such file; check its name" + (", and the bucket's" if scheme in _HOW_TO_LOG_IN else "")
    else:
        why = names[0]
    return why


def _explain_status(scheme: str, status: int) -> str:
    if status in (_UNAUTHORIZED, _FORBIDDEN):
        how = _HOW_TO_LOG_IN.get(scheme)
        todo = (
            f"see that the credentials may read it, or {how}" if how else "a signed URL may have expired: sign it anew"
        )
        return f"access is refused ({status}); {todo}"
    return f"the server answered {status}" + ("; try again later" if status >= _SERVER_FAULT else "")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and what it was raised from."""
    each: BaseException | None = error
    for _ in range(_DEEPEST):
        if each is None:
            return
        yield each
        each = each.__cause__


def _status(error: BaseException) -> int | None:
    """Find the HTTP status that an error tells, as aiohttp, gcsfs and botocore have it."""
    response = getattr(error, "response", None)
    if isinstance(response, dict):
        status = response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        return status if isinstance(status, int) else None
    for name in ("status", "code"):
        status = vars(error).get(name)
        if isinstance(status, int):
            return status
    if type(error) is OSError and str(error).startswith("Forbidden"):  # gcsfs tells it in no other way
        return _FORBIDDEN
    return None


def _is_unreached(error: BaseException) -> bool:
    """Tell whether no answer came; fsspec says of all trouble with a web server that the file is missing."""
    if type(error).__name__ in _UNREACHED:
        return True
    return isinstance(error, ConnectionError | TimeoutError) or (
        isinstance(error, OSError) and not isinstance(error, _OPAQUE) and type(error) is not OSError
    )
