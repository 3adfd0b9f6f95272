import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulk_update.pure.names import file_name, is_url, nearest, public_name, readable
from bulk_update.pure.shape import KEYS

OPTIONS = ["--batch-size", "--batch-bytes", "--rate", "--organization-rate"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [
        ("organisationId", "organizationId"),
        ("organization_id", "organizationId"),
        ("ORGANIZATIONID", "organizationId"),
        ("organization-id", "organizationId"),
        ("ID", "id"),
        ("_id_", "id"),
        ("_i_d_", "id"),
        ("change", "changes"),
        ("chagnes", "changes"),
        ("entitydata", "entityData"),
        ("entity_target_data", "entityTargetData"),
        ("displayMessage", "displayMessageTemplate"),
        ("display_message_template_data", "displayMessageTemplateData"),
        ("actionicon", "actionIcon"),
        ("icon", None),
        ("timestamp", None),
        ("featureType", None),
        ("immutable", None),
        ("metadata", "entityData"),
        ("x", None),
        ("", None),
        ("é😀", None),
    ],
)
def test_a_misspelled_field_is_recognized_and_another_word_is_not(word: str, meant: str | None) -> None:
    assert nearest(word, KEYS) == meant


@given(st.sampled_from(KEYS), st.integers(0, 30), st.sampled_from(["", "_", "-", "x"]))
def test_one_slip_is_recognized(name: str, place: int, slip: str) -> None:
    place %= len(name)
    if name != "id":
        assert nearest(name[:place] + slip + name[place + (slip == "") :], KEYS) == name


def test_the_nearest_of_several_is_told() -> None:
    assert nearest("--batchsize", OPTIONS) == "--batch-size"
    assert nearest("--organisation-rate", OPTIONS) == "--organization-rate"


def test_nothing_is_near_where_nothing_is_known() -> None:
    assert nearest("id", []) is None


def test_a_giant_word_takes_little_memory() -> None:
    word = "entityData" * 100_000
    tracemalloc.start()
    assert nearest(word, KEYS) is None
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 5 * len(word)


@given(st.text(max_size=60))
def test_any_word_is_near_a_known_name_or_none(word: str) -> None:
    assert nearest(word, KEYS) in {*KEYS, None}


@pytest.mark.parametrize(
    ("name", "text"), [("in.ndjson", "in.ndjson"), ("é😀", "é😀"), ("a\udcffb", "a\\udcffb"), ("\ud800", "\\ud800")]
)
def test_a_file_name_is_always_text(name: str, text: str) -> None:
    assert readable(name) == text
    readable(name).encode()


@pytest.mark.parametrize(
    ("name", "public", "last"),
    [
        ("https://user:pass@host:8443/a/b.csv?sig=1#x", "https://host:8443/a/b.csv", "b.csv"),
        ("HTTPS://host/b.csv#x?y", "https://host/b.csv", "b.csv"),
        ("s3://bucket/folder/b.csv.gz", "s3://bucket/folder/b.csv.gz", "b.csv.gz"),
        ("https://host?sig=1", "https://host", "host"),
        ("https://host/export/?sig=1", "https://host/export/", "export"),
        ("https://u@v:p@host/a@b", "https://host/a@b", "a@b"),
        ("folder/b?c#d.csv", "folder/b?c#d.csv", "b?c#d.csv"),
        ("C:/x.csv", "C:/x.csv", "x.csv"),
        ("-", "-", "-"),
    ],
)
def test_a_url_is_named_without_what_may_be_a_secret(name: str, public: str, last: str) -> None:
    assert public_name(name) == public
    assert file_name(name) == last
    assert is_url(name) == ("://" in name)
