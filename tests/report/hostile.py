"""A ledger in which every word that came from elsewhere means ill."""

from typing import Final

from bulk_update.model import Change, RowError, Status
from tests.report.ledgers import Came, LedgerMaker

WORDS: Final = (
    "</script><script>alert(1)</script>",
    "</style><img src=x onerror=alert(1)>",
    "<!--",
    '"><svg onload=alert(1)>',
    "' onmouseover='alert(1)",
    "&lt;b&gt; &amp; &#0; &bogus",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\N{POP DIRECTIONAL FORMATTING} \N{LEFT-TO-RIGHT ISOLATE}x",
    "a\x00b\x1b[31mred\x07\r\n\tz\x7f\x9b",
    "x" * 1_000_000,
    "W" * 5_000,
    "\N{ARABIC LETTER ALEF}\N{ARABIC LETTER LAM} abc 123",
    "Z" + "\N{COMBINING GRAVE ACCENT}\N{COMBINING TILDE}" * 300,
    "\N{GRINNING FACE}\N{ZERO WIDTH SPACE}\N{ZERO WIDTH NO-BREAK SPACE}\N{LINE SEPARATOR}",
    "javascript:alert(1)",
    "url(#over-failed) {{user}} ${x} `y` %s %d",
    "../../../etc/passwd",
)


def hostile() -> bytes:
    """Make it: ids, organizations, messages, codes, settings, inputs and reasons are all of them."""
    appends: list[bytes] = []
    maker = LedgerMaker(appends.append, inputs=WORDS)
    settings: dict[str, object] = {word[:900]: {"value": word, "from": word} for word in WORDS}
    maker.run(settings=settings | {"nested": {word[:50]: [word] for word in WORDS}, "rate": "5 in 1 s"})
    line = 0
    for number, word in enumerate(WORDS, 1):
        other = WORDS[number % len(WORDS)]
        rows = [Change(word, other, line + place, 0, line + place, 1, b'{"id":"x"}') for place in (1, 2, 3)]
        line += 4
        maker.sending(number, number, rows)
        maker.attempt(number, number + 0.2, rows, Came(1, 200.0 + number, 400, RowError(word, other, 400)))
        maker.attempt(number, number + 0.6, rows, Came(2, 300.0 + number))
        maker.updated(rows[:1])
        maker.result(rows[1], Status.FAILED, RowError(word, other, 400))
        maker.result(rows[2], Status.UNKNOWN, RowError(other, word))
        maker.invalid(line, word, word, other, word.encode()[:60_000])
        maker.seal()
    stopped = " ".join(word[:100] for word in WORDS)
    maker.end(40.0, 3, {"run_seconds": 40.0, "complete": False, "stopped": stopped, "unsent": 7, "absent": 3})
    return b"".join(appends)
