import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bulk_update.errors import InputError
from bulk_update.pure.transcoding import Transcoder, find_encoding, unknown_encoding

ENCODINGS = ("utf-8", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252", "iso8859-1", "shift_jis", "gb18030")


def transcoded(data: bytes, encoding: str, cuts: list[int] | None = None) -> bytes:
    transcoder, begin, pieces = Transcoder(encoding), 0, []
    for cut in sorted(cuts or []):
        pieces.append(transcoder.feed(data[begin:cut]))
        begin = max(begin, cut)
    return b"".join(pieces) + transcoder.feed(data[begin:], final=True)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(ENCODINGS), st.lists(st.integers(0, 60)))
@example("caf\u00e9 \U0001f600\r\n", "utf-16", [1, 3, 11, 12, 13])
def test_text_becomes_utf8_wherever_it_is_cut(text: str, encoding: str, cuts: list[int]) -> None:
    data = text.encode(encoding, errors="ignore")
    assert transcoded(data, encoding, cuts) == data.decode(encoding).encode()


@given(st.binary(), st.sampled_from(("cp1252", "shift_jis", "gb18030", "utf-8", "ascii")), st.lists(st.integers(0, 60)))
def test_bytes_that_do_not_decode_stay_and_spoil_nothing_else(data: bytes, encoding: str, cuts: list[int]) -> None:
    lines = [b"before", data.replace(b"\n", b""), b"after"]
    read = transcoded(b"\n".join(lines), encoding, cuts).split(b"\n")
    assert (read[0], read[-1]) == (b"before", b"after")
    try:
        expected = lines[1].decode(encoding).encode()
    except UnicodeDecodeError:
        with pytest.raises(UnicodeDecodeError):
            read[1].decode()
    else:
        assert read[1] == expected


def test_half_a_pair_of_utf16_is_kept_without_making_a_line() -> None:
    data = "a".encode("utf-16-le") + b"\x0a\xd8" + "b\n".encode("utf-16-le")
    assert transcoded(data, "utf-16-le") == b"a\\x0a\xd8b\n"


@pytest.mark.parametrize(
    ("data", "encoding", "found"),
    [
        (b"a\0b", "utf-16-le", "62 (truncated data)"),
        (b"\0\0\x11\0", "utf-32-le", "00 00 11 00 (code point not in range(0x110000))"),
    ],
)
def test_what_cannot_be_kept_makes_the_input_unusable(data: bytes, encoding: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        transcoded(data, encoding)
    assert str(caught.value) == f"found bytes that are not {encoding}: {found}"


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("UTF8", "utf-8"),
        ("utf-8-sig", "utf-8"),
        ("windows-1252", "cp1252"),
        ("UTF16", "utf-16"),
        ("latin-1", "iso8859-1"),
        ("Shift-JIS", "shift_jis"),
    ],
)
def test_an_encoding_may_be_spelt_in_many_ways(name: str, canonical: str) -> None:
    assert find_encoding(name) == canonical


@pytest.mark.parametrize(
    "name", ["rot13", "zlib", "hex", "idna", "punycode", "unicode_escape", "undefined", "", "\0", "é"]
)
def test_what_is_no_encoding_of_text_is_none(name: str) -> None:
    assert find_encoding(name) is None


@pytest.mark.parametrize(
    ("name", "meant"), [("uft-16", "utf-16"), ("widnows-1252", "cp1252"), ("latin_11", "iso8859-1")]
)
def test_the_nearest_name_is_told(name: str, meant: str) -> None:
    assert unknown_encoding(name) == f"found an unknown encoding {name!r}; did you mean {meant}?"


def test_common_names_are_told_where_none_is_near() -> None:
    assert "expected a name such as utf-8, utf-16, cp1252" in unknown_encoding("klingon")
