"""The tokens that continue a get: opaque, as Velt's are, and good for their own query alone. Pure."""

import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import replace

import msgspec

from bulk_update.sandbox.records import Query

_encode = msgspec.json.Encoder().encode


def page_token(query: Query, timestamp: int, id: str) -> str:
    """Return the token of the page after the record of `timestamp` and `id`."""
    return urlsafe_b64encode(_encode((_fingerprint(query), timestamp, id))).decode()


def read_page_token(query: Query, token: str) -> tuple[int, str]:
    """Return timestamp and id of the last record of the page before; raise ValueError, saying why not."""
    try:
        fingerprint, timestamp, id = msgspec.json.decode(urlsafe_b64decode(token), type=tuple[int, int, str])
    except ValueError:  # msgspec's errors, binascii's and UnicodeEncodeError are all of them
        raise ValueError("Invalid pageToken.") from None
    if fingerprint != _fingerprint(query):
        raise ValueError("The pageToken belongs to another query.")
    return timestamp, id


def _fingerprint(query: Query) -> int:
    return zlib.crc32(_encode(replace(query, after=None)))
