"""What the name of an input tells; which name tells which format is tested with the sources."""

import pytest

from bulk_update.pure.formats import are_tables, place_of


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("rows.parquet", "row 1,234"),
        ("rows.PQ", "row 1,234"),
        ("rows.csv", "line 1,234"),
        ("rows.ndjson.gz", "line 1,234"),
        ("", "line 1,234"),
        (".parquet", "line 1,234"),
    ],
)
def test_parquet_has_rows_and_all_else_has_lines(name: str, place: str) -> None:
    assert place_of(1_234, name) == place


@pytest.mark.parametrize(
    ("names", "expected"),
    [(["a.csv"], True), (["a.csv", "b.tsv.gz"], True), (["a.csv", "b.ndjson"], False), (["-"], False), ([], False)],
)
def test_inputs_are_tables_when_all_of_them_are(names: list[str], expected: bool) -> None:
    assert are_tables(names) is expected
