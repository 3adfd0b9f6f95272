"""Ways in which a server may write a character that it repeats."""

import html.entities
from typing import Final

from hypothesis import strategies as st

from bulk_update.pure.redaction import STRUCK_OUT

LETTERS: Final = "".join(map(chr, range(0x21, 0x7F)))
"""What a key or a token may be made of."""

SECRETS: Final = st.text(LETTERS, min_size=8, max_size=60).filter(lambda secret: secret != STRUCK_OUT)


def in_json(letter: str) -> list[str]:
    """Write a character as it may stand in a string of JSON."""
    ways = [f"\\u{ord(letter):04x}", f"\\u{ord(letter):04X}"]
    return ways + ([letter] if letter not in '"\\' else []) + ([f"\\{letter}"] if letter in '"\\/' else [])


def in_page(letter: str) -> list[str]:
    """Write a character as it may stand in a page."""
    code = ord(letter)
    ways = [f"&#{code};", f"&#{code:04};", f"&#x{code:x};", f"&#X{code:04X};", f"&amp;#{code};", f"&amp;#x{code:x};"]
    return ways + [f"&{name}" for name, text in html.entities.html5.items() if text == letter and name[-1] == ";"]


def in_url(letter: str) -> list[str]:
    """Write a character as it may stand in a URL."""
    return [f"%{ord(letter):02x}", f"%{ord(letter):02X}", f"%25{ord(letter):02X}"]


@st.composite
def escaped(draw: st.DrawFn, secret: str) -> str:
    """Draw a way to write a secret into a string of JSON, each of its characters in a way of its own."""
    ways = ((in_json,), (in_page, in_json), (in_url, in_json), (in_page, in_url, in_json))
    forms = draw(st.sampled_from(ways))
    return "".join(draw(st.sampled_from([way for form in forms for way in form(letter)])) for letter in secret)
