"""The page in the browser: one file, put together of its parts; it loads nothing from elsewhere."""

from functools import cache
from importlib.resources import files


@cache
def page() -> bytes:
    """Return the page, its style and script in it."""
    parts = files(__name__)
    text = parts.joinpath("page.html").read_text("utf-8")
    for mark, name in (("/* STYLE */", "page.css"), ("/* SCRIPT */", "page.js")):
        text = text.replace(mark, parts.joinpath(name).read_text("utf-8"))
    return text.encode()
