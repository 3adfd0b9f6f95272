import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from bulk_update.errors import InputError
from bulk_update.sandbox.records import Query, Record
from bulk_update.sandbox.store import Store

SEED = b'{"organizationId":"o","id":"a","displayMessageTemplate":"x"}\n'


def put(store: Store, id: str, timestamp: int = 0, **keys: Any) -> None:
    record = Record("o", id, json.dumps({"id": id}).encode(), timestamp=timestamp)
    store.put([replace(record, **keys)])


def ids(records: list[bytes]) -> list[str]:
    return [json.loads(record)["id"] for record in records]


def test_a_seed_file_is_read(store: Store, tmp_path: Path) -> None:
    seed = tmp_path / "seed.ndjson"
    seed.write_bytes(b"\xef\xbb\xbf" + SEED + b"\r\n \n" + SEED.replace(b'"a"', b'"b"').strip())
    assert store.seed_file(seed) == 2
    assert store.count() == 2
    assert json.loads(store.record("o", "b") or b"")["displayMessageTemplate"] == "x"
    assert store.record("o", "c") is None
    assert store.record("p", "a") is None


def test_only_a_newline_ends_a_line_of_a_seed(store: Store, tmp_path: Path) -> None:
    seed = tmp_path / "seed.ndjson"
    seed.write_text('{"organizationId":"o","id":"a\u2028\x85"}\n')
    assert store.seed_file(seed) == 1
    assert store.record("o", "a\u2028\x85")


@pytest.mark.parametrize("bad", [b"{}\n", b"not json\n", b'{"organizationId":"o","id":1}\n', b"[1]\n"])
def test_a_bad_line_is_named_and_nothing_of_the_file_stays(store: Store, tmp_path: Path, bad: bytes) -> None:
    seed = tmp_path / "seed.ndjson"
    seed.write_bytes(SEED + b"\n" + bad)
    with pytest.raises(InputError, match=r"seed\.ndjson, line 3: no record of a seed: "):
        store.seed_file(seed)
    assert store.count() == 0
    store.ensure("o", ["a"])
    assert store.count() == 1


def test_a_bad_line_far_down_undoes_what_was_put_before(store: Store, tmp_path: Path) -> None:
    seed = tmp_path / "seed.ndjson"
    lines = [f'{{"organizationId":"o","id":"{number}"}}\n' for number in range(10_001)]
    seed.write_text("".join(lines) + "{}\n")
    with pytest.raises(InputError, match="line 10002"):
        store.seed_file(seed)
    assert store.count() == 0


def test_a_seed_that_cannot_be_read_is_an_input_error(store: Store, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        store.seed_file(tmp_path / "missing")


def test_the_later_of_two_lines_of_one_id_counts(store: Store, tmp_path: Path) -> None:
    seed = tmp_path / "seed.ndjson"
    seed.write_bytes(SEED + SEED.replace(b'"x"', b'"y"'))
    assert store.seed_file(seed) == 2
    assert store.count() == 1
    assert json.loads(store.record("o", "a") or b"")["displayMessageTemplate"] == "y"


def test_ensure_leaves_what_exists_alone(store: Store, tmp_path: Path) -> None:
    seed = tmp_path / "seed.ndjson"
    seed.write_bytes(SEED)
    store.seed_file(seed)
    before = store.record("o", "a")
    store.ensure("o", iter(["a", "b", "b"]))
    store.ensure("p", ["a"])
    assert store.count() == 3
    assert store.record("o", "a") == before


def test_an_update_reaches_its_own_record_alone(store: Store) -> None:
    store.ensure("o", ["a", "b"])
    store.ensure("p", ["a"])
    assert store.update("o", [("a", b'{"id":"a","actionIcon":"i"}'), ("c", b'{"id":"c"}')]) == {"a"}
    assert b'"actionIcon":"i"' in (store.record("o", "a") or b"")
    assert store.history("o", "b") == store.history("p", "a") == store.history("o", "c") == []


def test_history_is_what_came_in_order(store: Store) -> None:
    store.ensure("o", ["a"])
    first, second, third = b'{"id":"a","actionIcon":"1" }', b'{"id":"a","entityData":1.0}', b'{"id":"a"}'
    store.update("o", [("a", first), ("a", second)])
    assert store.history("o", "a") == [first, second]  # the index on history exists from here on
    store.update("o", [("a", third)])
    assert store.history("o", "a") == [first, second, third]


@pytest.mark.parametrize("count", [499, 500, 501, 1_700])
def test_an_update_may_be_of_any_size(store: Store, count: int) -> None:
    names = [f"id-{number}" for number in range(count)]
    store.ensure("o", names)
    absent = f"id-{count}"
    found = store.update("o", [(id, b'{"actionIcon":"i"}') for id in [*names, absent]])
    assert found == set(names)
    assert all(len(store.history("o", id)) == 1 for id in names)


def test_an_immutable_record_refuses_updates_and_deletion(store: Store) -> None:
    store.put([Record("o", "fixed", b'{"id":"fixed","metadata":{}}', immutable=True)])
    store.ensure("o", ["free"])
    assert store.update("o", [("fixed", b'{"actionIcon":"i"}'), ("free", b'{"id":"free"}')]) == {"free"}
    assert store.record("o", "fixed") == b'{"id":"fixed","metadata":{}}'
    assert store.immutable("o", ["fixed", "free", "absent"]) == {"fixed"}
    assert store.delete(Query("o", ids=("fixed", "free"))) == {"fixed": False, "free": True}
    assert store.count() == 1


def test_a_record_that_is_put_again_starts_anew(store: Store) -> None:
    put(store, "a")
    store.update("o", [("a", b'{"actionIcon":"i"}')])
    put(store, "a")
    assert store.history("o", "a") == []
    assert b"actionIcon" not in (store.record("o", "a") or b"")


def test_a_record_made_after_a_deletion_has_no_history(store: Store) -> None:
    store.ensure("o", ["a", "b"])
    store.update("o", [("b", b'{"actionIcon":"i"}')])
    assert store.delete(Query("o", ids=("b", "b", "c"))) == {"b": True, "c": False}
    store.ensure("o", ["c"])
    assert store.history("o", "c") == []


def test_delete_by_document_and_target_takes_what_has_both(store: Store) -> None:
    put(store, "a", document="d", target="t")
    put(store, "b", document="d", target="u")
    put(store, "c", document="e", target="t")
    assert store.delete(Query("o", document="d", target="t")) == {"a": True}
    assert store.delete(Query("o", document="d")) == {"b": True}
    assert store.delete(Query("o", document="d")) == {}
    assert store.count() == 1


def test_pages_follow_one_another_without_gap_or_overlap(store: Store) -> None:
    for number in range(7):
        put(store, f"id-{number}", timestamp=number // 3)
    for descending in (True, False):
        seen: list[str] = []
        query = Query("o", descending=descending)
        after: tuple[int, str] | None = None
        while True:
            records, after = store.page(Query("o", descending=descending, after=after) if after else query, 2)
            seen += ids(records)
            if after is None:
                break
        expected = [f"id-{number}" for number in range(7)]
        assert seen == (expected[::-1] if descending else expected)


def test_a_full_last_page_promises_no_other(store: Store) -> None:
    store.ensure("o", ["a", "b"])
    records, after = store.page(Query("o"), 2)
    assert (len(records), after) == (2, None)
    assert store.page(Query("elsewhere"), 2) == ([], None)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (Query("o"), ["d", "c", "b", "a"]),
        (Query("o", ids=("a", "c", "x")), ["c", "a"]),
        (Query("o", document="d1"), ["b", "a"]),
        (Query("o", target="t2"), ["c"]),
        (Query("o", features=("comment", "crdt")), ["c", "a"]),
        (Query("o", actions=("act2",)), ["b"]),
        (Query("o", user="u2"), ["c", "b"]),
        (Query("o", document="d1", user="u2"), ["b"]),
        (Query("o", ids=("a",), user="u2"), []),
        (Query("p"), []),
    ],
)
def test_a_page_holds_what_the_query_means(store: Store, query: Query, found: list[str]) -> None:
    put(store, "a", 1, document="d1", target="t1", feature="comment", action="act1", user="u1")
    put(store, "b", 2, document="d1", target="t1", feature="custom", action="act2", user="u2")
    put(store, "c", 3, document="d2", target="t2", feature="crdt", action="act3", user="u2")
    put(store, "d", 4)
    assert ids(store.page(query, 10)[0]) == found


@pytest.mark.parametrize("id", ["\x00", "a\x00b", "é", "😀", "'; DROP TABLE record; --", "1e3", "%", " a "])
def test_any_text_is_an_id(store: Store, id: str) -> None:
    store.ensure(id, [id])
    assert store.update(id, [(id, b'{"actionIcon":"i"}')]) == {id}
    assert json.loads(store.record(id, id) or b"")["id"] == id
    assert len(store.page(Query(id, ids=(id,)), 5)[0]) == 1
    assert store.delete(Query(id, ids=(id,))) == {id: True}


def test_a_file_keeps_its_records(tmp_path: Path) -> None:
    path = tmp_path / "records.sqlite"
    with Store(path) as store:
        store.ensure("o", ["a"])
        store.update("o", [("a", b'{"actionIcon":"i"}')])
    with Store(path) as store:
        assert store.history("o", "a") == [b'{"actionIcon":"i"}']


def test_a_file_that_is_none_of_ours_is_an_input_error(tmp_path: Path) -> None:
    path = tmp_path / "text"
    path.write_text("This is no database, and long enough for SQLite to look at its header." * 20)
    with pytest.raises(InputError, match="cannot use the sandbox's store"):
        Store(path)
    with pytest.raises(InputError, match="cannot open the sandbox's store"):
        Store(tmp_path / "missing" / "records.sqlite")
