"""A report as one page that needs nothing else: no script, no image, no font, and a policy that allows none."""

import base64
import hashlib
from typing import Final

from bulk_update.report import figures
from bulk_update.report.charts import chart_section
from bulk_update.report.data import ReportData
from bulk_update.report.markup import Markup, join, tag
from bulk_update.report.overview import header, next_section, rows_section, tiles_section
from bulk_update.report.style import STYLE, patterns
from bulk_update.report.tables import (
    organizations_section,
    reasons_section,
    runs_section,
    settings_section,
    slowest_section,
)

_HASH: Final = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()

POLICY: Final = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'"
"""The Content-Security-Policy of the page: its own style sheet, known by its hash, and nothing else."""


def render(data: ReportData, now: float) -> str:
    """Write the page; `now`: when it is made, seconds since 1970."""
    sections = [
        ("next", "What to run next", next_section(data)),
        ("rows", "Rows", rows_section(data)),
        ("reasons", "Why rows are not updated", reasons_section(data)),
        ("time", "Over time", chart_section(data)),
        ("organizations", "Organizations", organizations_section(data)),
        ("slowest", "Slowest requests", slowest_section(data)),
        ("runs", "Runs", runs_section(data)),
        ("settings", "Settings", settings_section(data)),
    ]
    links = tag("nav", join(tag("a", title, href=f"#{name}") for name, title, _ in sections), aria_label="Sections")
    drawn = [_section(name, title, content) for name, title, content in sections]
    body = tag(
        "body",
        patterns(),
        header(data),
        links,
        tag("main", tiles_section(data), *drawn),
        tag(
            "footer",
            tag(
                "p",
                f"Made {figures.stamp(now)} UTC from {data.ledger}. This page holds ids and messages of your "
                "customers: keep it as you keep the ledger.",
            ),
        ),
    )
    return f"<!doctype html>\n{tag('html', _head(data), body, lang='en')}\n"


def _head(data: ReportData) -> Markup:
    title = f"{', '.join(data.inputs)}: bulk-update report"
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=POLICY),
        tag("meta", name="referrer", content="no-referrer"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Markup(STYLE)),
    )


def _section(name: str, title: str, content: Markup) -> Markup:
    return tag("section", tag("h2", title, id=f"{name}-title"), content, id=name, aria_labelledby=f"{name}-title")
