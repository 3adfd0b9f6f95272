"""Whatever is not markup is text, and can be nothing else."""

from html import unescape

from hypothesis import given
from hypothesis import strategies as st

from bulk_update.report.markup import LONGEST, Column, Markup, join, table, tag
from tests.report.hostile import WORDS
from tests.report.pages import Page


def test_elements_nest_and_attributes_are_spelled() -> None:
    made = tag("p", "a < b", tag("br"), tag("rect", x=1.5, aria_hidden="true"), class_="k", id=None, hidden=True)
    assert made == '<p class="k" hidden>a &lt; b<br><rect x="1.5" aria-hidden="true"/></p>'


@given(st.text() | st.sampled_from(WORDS), st.text() | st.sampled_from(WORDS))
def test_text_stays_text_in_content_and_attribute(content: str, attribute: str) -> None:
    made = tag("p", content, title=attribute)
    page = Page(made)
    assert page.elements == [("p", {"title": page.elements[0][1]["title"]})]
    assert page.text.isprintable()
    assert len(page.text) <= LONGEST
    if content.isprintable() and len(content) <= LONGEST:
        assert page.text == content
        assert unescape(made[made.index(">") + 1 : -4]) == content


def test_a_table_names_its_rows_and_columns() -> None:
    page = Page(table("Things", [Column("name"), Column("rows", "figure")], [["a", "0"], ["<b>", tag("i", "1")]]))
    assert page.count("th") == 4
    assert [attributes.get("scope") for _, attributes in page.of("th")] == ["col", "col", "row", "row"]
    assert page.count("caption") == 1
    assert "figure zero" in [attributes.get("class") for _, attributes in page.of("td")]
    assert page.count("b") == 0


def test_cards_keep_their_roles_and_labels() -> None:
    page = Page(table("Things", [Column("name"), Column("rows")], [["a", "1"]], is_cards=True))
    roles = [attributes.get("role") for _, attributes in page.elements if "role" in attributes]
    wanted = [
        "region",
        "table",
        "rowgroup",
        "row",
        "columnheader",
        "columnheader",
        "rowgroup",
        "row",
        "rowheader",
        "cell",
    ]
    assert roles == wanted
    assert page.of("td")[0][1]["data-label"] == "rows"


def test_join_puts_markup_side_by_side() -> None:
    assert join([Markup("<b>"), tag("i", "&")]) == "<b><i>&amp;</i>"
