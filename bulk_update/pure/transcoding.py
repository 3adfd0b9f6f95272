r"""Text in another encoding than UTF-8, made UTF-8 block by block.

What a record holds that does not decode stays in it as bytes that are no UTF-8: so the record, and no other,
is found to be invalid by whoever reads it next. A byte below 0x80 cannot stand for itself in this way (it
would be an ordinary character), so it is written as `\\x0a`. UTF-32 can have characters that do not exist and
are made of such bytes alone: those make the input unusable.
"""

import codecs
from encodings import aliases
from typing import Final

from bulk_update.errors import InputError
from bulk_update.pure.names import nearest

UTF8: Final = "utf-8"

_NO_TEXT: Final = frozenset({"idna", "mbcs", "oem", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})
"""What Python calls an encoding, too, and no file is in."""

_WITHOUT_ALIAS: Final = frozenset({"cp720", "cp856", "cp874", "cp875", "cp1006", "koi8_t", "koi8_u"})
_COMMON: Final = "utf-8, utf-16, cp1252, latin-1, iso-8859-15, mac-roman, shift_jis, gb18030"
_FIRST_ABOVE_ASCII: Final = 0x80


def find_encoding(name: str) -> str | None:
    """Find the usual name of an encoding of text, such as `utf-16` for `UTF16`; None if there is none."""
    try:
        codec = codecs.lookup(name)
    except (LookupError, ValueError):  # a NUL in a name is a ValueError
        return None
    is_text: bool = codec._is_text_encoding  # noqa: SLF001 - how the standard library itself asks
    if not is_text or codec.name.replace("-", "_") in _NO_TEXT:
        return None
    return UTF8 if codec.name == "utf-8-sig" else codec.name


def unknown_encoding(name: str) -> str:
    """Say what was found in the place of an encoding's name, and what may have been meant."""
    known = {*aliases.aliases, *aliases.aliases.values(), *_WITHOUT_ALIAS}
    meant = nearest(name, sorted(spelling for spelling in known if find_encoding(spelling)))
    canonical = find_encoding(meant) if meant else None
    hint = f"did you mean {canonical}?" if canonical else f"expected a name such as {_COMMON}"
    return f"found an unknown encoding {name[:60]!r}; {hint}"


class Transcoder:
    """Make blocks of text in `encoding` blocks of UTF-8, wherever they are cut."""

    def __init__(self, encoding: str) -> None:
        codecs.register_error(_KEEPING, _keep)
        self._encoding = encoding
        self._decoder = codecs.getincrementaldecoder(encoding)(_KEEPING)

    def feed(self, block: bytes, *, final: bool = False) -> bytes:
        """Return what the block completes. InputError when bytes do not decode and cannot be kept either."""
        try:
            return self._decoder.decode(block, final).encode(errors="surrogateescape")
        except UnicodeError as error:
            raise InputError(f"found bytes that are not {self._encoding}: {_shown(error)}") from None


_KEEPING: Final = "bulk_update.keep_bytes"


def _keep(error: UnicodeError) -> tuple[str, int]:
    """Put marks for bytes into the text that do not decode; they become those bytes again."""
    if not isinstance(error, UnicodeDecodeError):
        raise error
    stray = error.object[error.start : error.end]
    if max(stray, default=0) < _FIRST_ABOVE_ASCII:
        raise error
    marks = (chr(0xDC00 + byte) if byte >= _FIRST_ABOVE_ASCII else f"\\x{byte:02x}" for byte in stray)
    return "".join(marks), error.end


def _shown(error: UnicodeError) -> str:
    if not isinstance(error, UnicodeDecodeError):
        return str(error)
    found = error.object[error.start : error.end][:8].hex(" ")
    return f"{found} ({error.reason})"
