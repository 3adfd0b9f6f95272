"""How the page looks: light and dark, on paper, on a phone. One style sheet, and the patterns of the charts."""

from typing import Final

from bulk_update.report.markup import Markup, join, tag

_LIGHT: Final = """
color-scheme:light;--page:#f6f6f3;--card:#fff;--ink:#1b1e23;--soft:#575e6a;--edge:#dcdee2;--grid:#e4e6ea;
--panel:#fafafa;--link:#1d58b4;--over:rgba(255,255,255,.55);--limit:#1b1e23;
--updated:#0f7b5f;--failed:#c2372c;--invalid:#975a00;--unknown:#7848b5;--superseded:#5d7086;
--first:#2e6fbe;--retry:#975a00;--p50:#1d58b4;--p90:#0f7b5f;--p99:#b0357a;
"""
_DARK: Final = """
color-scheme:dark;--page:#121418;--card:#1a1d23;--ink:#e9ebee;--soft:#a5adb9;--edge:#343a44;--grid:#2c323b;
--panel:#1d2127;--link:#8ab6ff;--over:rgba(18,20,24,.5);--limit:#e9ebee;
--updated:#3fb68f;--failed:#ff7d6e;--invalid:#e2a640;--unknown:#b797f0;--superseded:#94a5b9;
--first:#6ea8f2;--retry:#e2a640;--p50:#8ab6ff;--p90:#3fb68f;--p99:#f08cc0;
"""

_BASE: Final = """
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Helvetica Neue",Arial,sans-serif;font-variant-numeric:tabular-nums;overflow-wrap:anywhere}
main,header,footer,nav{max-width:1080px;margin:0 auto;padding:0 20px}
header{padding-top:36px}
h1,h2,h3,p,ul,ol,dl,dd,figure,pre{margin:0;padding:0}
ul,ol{list-style:none}
h1{font-size:30px;line-height:1.2;letter-spacing:-.02em;text-wrap:balance}
h2{font-size:19px;letter-spacing:-.01em;margin-bottom:12px}
h2+.note{margin-top:-6px}
h3{font-size:15px}
a{color:var(--link)}
bdi{unicode-bidi:isolate;white-space:pre-wrap}
code,pre,.identifier{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;font-size:.9em}
pre code{font-size:1em}
:focus-visible{outline:2px solid var(--link);outline-offset:2px}
.kicker{color:var(--soft);font-size:13px;margin-bottom:8px}
.sign{display:inline-block;width:1.3em;height:1.3em;line-height:1.3em;border-radius:50%;text-align:center;
color:var(--card);font-size:.72em;margin-right:.45em;vertical-align:.12em}
.well .sign{background:var(--updated)}.amiss .sign{background:var(--failed)}.open .sign{background:var(--invalid)}
.rest{font-size:17px;margin-top:8px;color:var(--soft);max-width:60em}
.facts{display:grid;grid-template-columns:repeat(auto-fit,minmax(230px,1fr));gap:10px 28px;margin-top:22px;
font-size:14px}
dt{color:var(--soft);font-size:13px}
nav{margin-top:22px;display:flex;flex-wrap:wrap;gap:4px 18px;font-size:14px}
nav a{text-decoration:none;padding:3px 0}nav a:hover{text-decoration:underline}
section{background:var(--card);border:1px solid var(--edge);border-radius:10px;padding:20px 22px;margin-top:18px}
.note{color:var(--soft);font-size:13px;margin-top:8px}
footer{color:var(--soft);font-size:13px;padding-top:20px;padding-bottom:44px}
"""

_PARTS: Final = """
.steps li+li{margin-top:14px}
.steps p{font-size:14px;color:var(--soft)}
.steps pre{margin-top:4px;background:var(--page);border:1px solid var(--edge);border-radius:6px;padding:9px 12px;
white-space:pre-wrap}
.steps code{user-select:all;-webkit-user-select:all}
.whole{display:block;border-radius:5px;overflow:hidden;margin-bottom:14px}
.statuses li{display:grid;grid-template-columns:18px 6.5em 8em 4.5em 1fr;gap:0 12px;align-items:baseline;padding:3px 0}
.statuses .swatch{align-self:center}
.statuses b,.share{text-align:right}
.meaning,.share{color:var(--soft)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(170px,1fr));gap:1px;background:var(--edge);
border:1px solid var(--edge);border-radius:10px;overflow:hidden;margin-top:18px}
.tiles div{background:var(--card);padding:14px 22px}
.tiles .value{font-size:24px;font-weight:600;letter-spacing:-.02em;line-height:1.3}
.tiles dd{font-size:13px;color:var(--soft)}.tiles dd.value{color:var(--ink)}
figure+figure{margin-top:34px}
figcaption{color:var(--soft);font-size:13px;margin-top:2px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;font-size:13px;margin:8px 0 2px}
.legend li{display:flex;align-items:center;gap:6px}
.legend .unit{color:var(--soft)}
.chart{display:grid;grid-template-columns:48px minmax(0,1fr)}
.chart svg{display:block;overflow:visible}
.note+figure{margin-top:18px}
.chart text{font-size:11px;fill:var(--soft)}
.panel{fill:var(--panel)}
.grid{stroke:var(--grid)}
line.tick{stroke:var(--soft)}
text.run-name{fill:var(--ink)}
.limit{stroke:var(--limit);stroke-width:1.5;stroke-dasharray:6 4}
.hit{fill:transparent}
.bin:hover .hit{fill:var(--ink);fill-opacity:.08}
[class^="l-"]{fill:none;stroke-width:2;stroke-linecap:round;stroke-linejoin:round;vector-effect:non-scaling-stroke}
.l-p50{stroke:var(--p50);stroke-width:2.5}
.l-p90{stroke:var(--p90);stroke-dasharray:7 4}
.l-p99{stroke:var(--p99);stroke-dasharray:1.5 4}
details{margin-top:4px;font-size:13px}
summary{color:var(--soft);cursor:pointer;width:max-content;padding:3px 0}
details .scroll{max-height:340px;margin-top:6px;border:1px solid var(--edge);border-radius:6px}
figure details td,figure details th{white-space:nowrap}
"""

_TABLES: Final = """
.scroll{overflow:auto}
table{border-collapse:collapse;width:100%;font-size:14px}
caption{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
th,td{text-align:left;vertical-align:top;padding:8px 14px 8px 0;font-weight:400;border-bottom:1px solid var(--edge)}
details th,details td{padding:3px 14px;border-bottom-color:var(--grid)}
tbody tr:last-child>*{border-bottom:0}
thead th{color:var(--soft);font-size:13px;white-space:nowrap}
.figure{text-align:right;white-space:nowrap;width:1%}
.wide{min-width:16em}.id{min-width:11em}
#slowest .wide{width:45%}
.cards td:last-child,.cards th:last-child{padding-right:0}
td>bdi,td>span,.more>bdi{display:block}
.zero{color:var(--soft)}
td>code{display:block;overflow:hidden;color:var(--soft);font-size:.86em}
td .small{font-size:.92em;color:var(--soft)}
.more{margin:0;font-size:1em}
.more summary{color:inherit;width:auto;padding:0}
.more[open] summary bdi{display:none}
.more[open] summary::after{content:"shorten";color:var(--link)}
td>code,td>details,td>bdi{max-width:46em}
.identifier{color:var(--soft);overflow:hidden}
th .identifier,th bdi{color:var(--ink)}
.bar{display:block;width:110px;margin-left:auto;height:5px;margin-top:5px;background:var(--grid);border-radius:2px}
.status{white-space:nowrap;font-weight:600}
.s-updated{color:var(--updated)}.s-failed{color:var(--failed)}.s-invalid{color:var(--invalid)}
.s-unknown{color:var(--unknown)}.s-superseded{color:var(--superseded)}
"""

_PHONE: Final = """
@media (max-width:680px){
main,header,footer,nav{padding-left:14px;padding-right:14px}
header{padding-top:22px}
h1{font-size:24px}
section{padding:16px 14px}
.tiles{grid-template-columns:1fr 1fr}
.tiles div{padding:12px 14px}
.statuses li{grid-template-columns:18px 1fr auto auto}
.statuses b{grid-column:3}.statuses .name{grid-column:2;grid-row:1}.meaning{grid-column:2/-1;font-size:13px}
.chart{grid-template-columns:40px minmax(0,1fr)}
.chart .scale{margin-left:-8px}
.minor{display:none}
.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
.cards,.cards tbody{display:block}
.cards tr{display:block;padding:12px 0;border-bottom:1px solid var(--edge)}
.cards tr:last-child{border-bottom:0}
.cards th,.cards td{display:grid;grid-template-columns:7.5em minmax(0,1fr);gap:0 10px;text-align:left;border:0;
padding:2px 0;width:auto;white-space:normal}
.cards th::before,.cards td::before{content:attr(data-label);color:var(--soft);font-size:.92em;grid-row:1/99}
.cards .zero{display:none}
.cards .bar{margin-left:0}
}
"""

_PRINT: Final = """
@media print{
:root{LIGHT--page:#fff}
@page{margin:14mm}
body{font-size:11px;background:#fff;-webkit-print-color-adjust:exact;print-color-adjust:exact}
main,header,footer{max-width:none;padding:0}
header{padding-top:0}
h1{font-size:22px}
nav,figure details,.more[open] summary,.hit,.minor{display:none}
.more summary{list-style:none}
#time{display:grid;grid-template-columns:1fr 1fr;gap:14px 22px}
#time>h2,#time>.note{grid-column:1/-1;margin:0}
#time figure{margin:0}
th,td{padding:3px 12px 3px 0}
.bar{margin-top:2px;height:3px}
#slowest tbody tr:nth-child(n+11){display:none}
section{border:0;padding:0;margin-top:22px}
figure,tr,.tiles,.steps li{break-inside:avoid}
h2,h3,thead{break-after:avoid}
tbody tr:first-child,tbody tr:nth-child(2){break-before:avoid}
table{font-size:10.5px}
.scroll{overflow:visible;max-height:none}
}
"""

_FILLS: Final = {
    "updated": ("updated", "with-verdicts"),
    "first": ("first",),
    "failed": ("failed", "refused"),
    "invalid": ("invalid", "throttled", "retry"),
    "unknown": ("unknown", "server-error"),
    "superseded": ("superseded", "no-answer"),
    "grid": ("unsent",),
}
"""What is filled alike, by the colour it has."""

_STROKES: Final = {
    "failed": "M0 0l7 7M7 0l-7 7",
    "invalid": "M-1 1l2 -2M0 7l7 -7M6 8l2 -2",
    "unknown": "M2 2h.01M5.5 5.5h.01",
    "superseded": "M0 1.5h7M0 5h7",
    "grid": "M3.5 0v7",
}
"""What is drawn over a colour, so that it can be told from the others without seeing colours."""


def _fills() -> str:
    words = []
    for colour, kinds in _FILLS.items():
        fill = f"url(#over-{colour})" if colour in _STROKES else f"var(--{colour})"
        plain = ",".join((f".c-{colour}", *(f".t-{kind}" for kind in kinds)))
        words.append(f"{','.join(f'.f-{kind}' for kind in kinds)}{{fill:{fill}}}{plain}{{fill:var(--{colour})}}")
    return "".join(words)


STYLE: Final = "".join(
    [
        f":root{{{_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}",
        _BASE,
        _PARTS,
        _TABLES,
        _fills(),
        ".over{fill:none;stroke:var(--over);stroke-width:1.6;stroke-linecap:round}.defs{position:absolute}",
        _PHONE,
        _PRINT.replace("LIGHT", _LIGHT),
    ]
).replace("\n", "")
"""The style sheet of the page."""


def patterns() -> Markup:
    """Define the patterns that charts and swatches are filled with."""
    drawn = [
        tag(
            "pattern",
            tag("rect", class_=f"c-{colour}", width=7, height=7),
            tag("path", class_="over", d=path),
            id=f"over-{colour}",
            width=7,
            height=7,
            patternUnits="userSpaceOnUse",
        )
        for colour, path in _STROKES.items()
    ]
    return tag("svg", tag("defs", join(drawn)), class_="defs", width=0, height=0, aria_hidden="true")
