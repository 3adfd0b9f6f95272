"""Errors of libraries in words of our own: what, and what to do."""

import pytest

from bulk_update.edge.source.trouble import explain


class NoCredentialsError(Exception):
    """As botocore's."""


class DefaultCredentialsError(Exception):
    """As google-auth's."""


class EndpointConnectionError(Exception):
    """As botocore's."""


class HttpError(Exception):
    """As gcsfs's."""

    def __init__(self, code: int) -> None:
        super().__init__("s3cr3t")
        self.code = code


class ClientError(Exception):
    """As botocore's."""

    def __init__(self, status: int) -> None:
        super().__init__("s3cr3t")
        self.response = {"ResponseMetadata": {"HTTPStatusCode": status}}


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("scheme", "error", "told"),
    [
        ("s3", NoCredentialsError(), "no credentials are found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or"),
        ("s3a", caused(OSError("x"), NoCredentialsError()), "no credentials are found; set AWS_ACCESS_KEY_ID"),
        ("gs", DefaultCredentialsError(), "no credentials are found; set GOOGLE_APPLICATION_CREDENTIALS to a key file"),
        ("az", NoCredentialsError(), "no credentials are found; its library tells"),
        (
            "s3",
            PermissionError(13, "s3cr3t"),
            "access is refused (403); see that the credentials may read it, or set A",
        ),
        (
            "gcs",
            OSError("Forbidden: s3cr3t"),
            "access is refused (403); see that the credentials may read it, or set G",
        ),
        ("gs", HttpError(401), "access is refused (401); see that the credentials may read it"),
        ("https", HttpError(403), "access is refused (403); a signed URL may have expired: sign it anew"),
        ("gs", HttpError(503), "the server answered 503; try again later"),
        ("https", HttpError(416), "the server answered 416"),
        ("s3", caused(OSError("x"), ClientError(500)), "the server answered 500; try again later"),
        ("s3", caused(FileNotFoundError("x"), ClientError(404)), "there is no such file; check its name, and the buc"),
        ("https", FileNotFoundError("s3cr3t"), "there is no such file; check its name"),
        ("https", caused(FileNotFoundError("x"), ConnectionRefusedError()), "it cannot be reached (ConnectionRefused"),
        ("s3", EndpointConnectionError("s3cr3t"), "it cannot be reached (EndpointConnectionError); check the address"),
        ("https", TimeoutError(), "it cannot be reached (TimeoutError); check the address and the network"),
        ("s3", IsADirectoryError(), "it is a folder; name the files in it"),
        ("s3", RuntimeError("s3cr3t"), "RuntimeError"),
    ],
)
def test_an_error_is_told_with_what_to_do(scheme: str, error: Exception, told: str) -> None:
    said = explain(scheme, error)
    assert said.startswith(told)
    assert "s3cr3t" not in said


def test_a_chain_of_errors_without_end_is_looked_into_as_far_as_makes_sense() -> None:
    one, other = OSError("x"), OSError("y")
    one.__cause__, other.__cause__ = other, one
    assert explain("s3", one) == "OSError"
