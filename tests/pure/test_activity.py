import json
import tracemalloc
import zlib
from json.decoder import scanstring  # type: ignore[attr-defined]
from typing import NamedTuple

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from bulk_update.model import Batch, Change, Invalid
from bulk_update.pure.activity import ActivityReader
from bulk_update.pure.refusals import invalid_record
from bulk_update.pure.shape import FIELDS, KEYS, MAX_NESTING, MAX_RAW
from bulk_update.pure.wire import encode_request

# ------------------------------------------------------------------------- a slow reader, to compare with


class Sent(NamedTuple):
    organization: str
    id: str
    activity: str


class Refused(NamedTuple):
    code: str


def read_slowly(record: str, organization: str | None, max_body: int = 1_000_000) -> Sent | Refused:
    """Read a record with nothing but the standard library, the plain way."""
    if deepest(record) > MAX_NESTING:
        return Refused("too_deep")
    try:
        document = json.loads(record, parse_constant=refuse_constant, parse_int=str)
        json.dumps(document, ensure_ascii=False).encode()  # half of a surrogate pair has no UTF-8
    except ValueError:
        return Refused("not_json")
    if not isinstance(document, dict):
        return Refused("not_an_object")
    pairs = members(record)
    names = [key for key, _ in pairs if not key.startswith("_")]
    if len(names) > len(set(names)):
        return Refused("repeated_key")
    raw = {key: text for key, text in pairs if not key.startswith("_")}
    if organization is not None:
        raw.setdefault("organizationId", json.dumps(organization))
        document.setdefault("organizationId", organization)
    if code := what_is_wrong(raw, document):
        return Refused(code)
    activity = '{"id":' + in_json(document["id"])
    activity += "".join(f',"{field}":{raw[field]}' for field in FIELDS if field in raw) + "}"
    body = '{"data":{"organizationId":' + in_json(document["organizationId"]) + ',"activities":[' + activity + "]}}"
    if len(body.encode()) > max_body:
        return Refused("too_large")
    return Sent(document["organizationId"], document["id"], activity)


def what_is_wrong(raw: dict[str, str], document: dict[str, object]) -> str | None:
    if "activityId" in raw:
        return "activity_id_shape"
    if not raw.keys() <= set(KEYS):
        return "unknown_field"
    for key in ("organizationId", "id"):
        if key not in raw:
            return "missing_field"
        if not raw[key].startswith('"') or not document[key]:
            return "wrong_type"
    if not raw.keys() & set(FIELDS):
        return "nothing_to_change"
    for key in ("displayMessageTemplate", "actionIcon"):
        if key in raw and not raw[key].startswith('"'):
            return "wrong_type"
    changes = document.get("changes", {})
    sides = list(changes.values()) if isinstance(changes, dict) else [None]
    if not all(isinstance(side, dict) and side.keys() & {"from", "to"} for side in sides):
        return "wrong_type"
    return None if isinstance(document.get("displayMessageTemplateData", {}), dict) else "wrong_type"


def members(record: str) -> list[tuple[str, str]]:
    """List the members of an object: each key, and the text of its value as it stands in the record."""
    found = []
    decoder = json.JSONDecoder(parse_int=str)
    at = record.index("{") + 1
    while record[at:].strip(" \t\r\n") != "}":
        at = record.index('"', at) + 1
        key, at = scanstring(record, at)
        begin = record.index(":", at) + 1
        begin += len(record[begin:]) - len(record[begin:].lstrip(" \t\r\n"))
        _, at = decoder.raw_decode(record, begin)
        found.append((key, record[begin:at]))
    return found


def deepest(record: str) -> int:
    """Count the levels of nesting, brackets in strings left out."""
    depth = most = at = 0
    while at < len(record):
        if record[at] == '"':
            try:
                _, at = scanstring(record, at + 1)
            except ValueError:
                return most
            continue
        depth += (record[at] in "[{") - (record[at] in "]}")
        most = max(most, depth)
        at += 1
    return most


def in_json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\x7f")


def refuse_constant(name: str) -> None:
    raise ValueError(name)


# ------------------------------------------------------------------------------- records, spelled at random

SPACES = st.sampled_from(["", "", "", "", " ", "  ", "\t", "\r", " \t "])
ESCAPES = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
TEXTS = st.text(
    st.sampled_from('aAé_/"\\\b\f\n\r\t\0\x1f\x7f\u0085\u2028\uffff😀[]{},:') | st.characters(codec="utf-8"),
    max_size=6,
)
NUMBERS = st.sampled_from(
    ["0", "-0", "1.0", "123456789012345678901234567890", "1e400", "1E-7", "-0.10", "9007199254740993", "2.50e+1"]
)
ODD_VALUES = st.sampled_from(["null", "true", "[]", "{}", '""', "1", "[[[ ]]]", '{"from": 1}', '{"a": {"to": 2}}'])
NOT_JSON = st.sampled_from(["NaN", "01", "1.", ".5", "+1", "-", "tru", "[1,]", '{"a":1,}', '"\\q"', "'a'", ""])


@st.composite
def spelled(draw: st.DrawFn, text: str) -> str:
    """Write a string in JSON, each character in any of the ways that JSON allows."""
    return '"' + "".join(draw(spelled_character(character)) for character in text) + '"'


def spelled_character(character: str) -> st.SearchStrategy[str]:
    units = character.encode("utf-16-be")
    hexes = ["".join(f"\\u{units[at]:02{x}}{units[at + 1]:02{x}}" for at in range(0, len(units), 2)) for x in "xX"]
    plain = ESCAPES.get(character, character if character >= " " else hexes[0])
    also = ["\\/"] if character == "/" else []
    return st.sampled_from([plain, plain, plain, *also, *hexes])


STRINGS = TEXTS.flatmap(spelled)


@st.composite
def arrays(draw: st.DrawFn, values: st.SearchStrategy[str]) -> str:
    inside = [draw(SPACES) + value + draw(SPACES) for value in draw(st.lists(values, max_size=3))]
    return "[" + (",".join(inside) or draw(SPACES)) + "]"


@st.composite
def objects(draw: st.DrawFn, keys: st.SearchStrategy[str], values: st.SearchStrategy[str]) -> str:
    inside = [
        draw(SPACES) + draw(spelled(key)) + draw(SPACES) + ":" + draw(SPACES) + draw(values) + draw(SPACES)
        for key in draw(st.lists(keys, max_size=4, unique=True))
    ]
    return "{" + (",".join(inside) or draw(SPACES)) + "}"


VALUES = st.recursive(NUMBERS | STRINGS | ODD_VALUES, lambda inner: arrays(inner) | objects(TEXTS, inner), max_leaves=6)
FROM_TO = st.builds('{{"from":{},"to" : {}}}'.format, VALUES, VALUES) | st.builds('{{"to":{}}}'.format, VALUES)
FITTING = {
    "organizationId": TEXTS.filter(bool).flatmap(spelled),
    "id": TEXTS.filter(bool).flatmap(spelled),
    "changes": objects(TEXTS, FROM_TO),
    "entityData": VALUES,
    "entityTargetData": VALUES,
    "displayMessageTemplate": STRINGS,
    "displayMessageTemplateData": objects(TEXTS, VALUES),
    "actionIcon": STRINGS,
}
OTHER_KEYS = ["_note", "_", "activityId", "activity", "changed", "ID", "", "entity_data", "id "]


@st.composite
def some_members(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Draw members that make a change, as text."""
    keys = ["organizationId", "id", *draw(st.lists(st.sampled_from(FIELDS), min_size=1, unique=True))]
    return [(key, draw(FITTING[key])) for key in draw(st.permutations(keys))]


@st.composite
def any_members(draw: st.DrawFn) -> list[tuple[str, str]]:
    """Draw members that make a change or, mostly, nearly one."""
    found = draw(some_members())
    for _ in range(draw(st.sampled_from([1, 2]))):
        at = draw(st.integers(0, len(found)))
        match draw(st.sampled_from(["other", "repeated", "note", "odd", "missing", "broken"])):
            case "other":
                found.insert(at, (draw(st.sampled_from(OTHER_KEYS)), draw(VALUES)))
            case "repeated":
                found.insert(at, (draw(st.sampled_from(KEYS)), draw(VALUES)))
            case "note":
                found.insert(at, ("_note", draw(VALUES)))
            case "odd" if at < len(found):
                found[at] = (found[at][0], draw(ODD_VALUES))
            case "missing" if at < len(found):
                del found[at]
            case "broken" if at < len(found):
                found[at] = (found[at][0], draw(NOT_JSON))
    return found


@st.composite
def written(draw: st.DrawFn, chosen: st.SearchStrategy[list[tuple[str, str]]]) -> str:
    """Write members as a record, with white space and escaped names as chance has it."""
    keys_escaped = draw(st.booleans())
    inside = []
    for key, value in draw(chosen):
        name = draw(spelled(key)) if keys_escaped else json.dumps(key)
        inside.append(draw(SPACES) + name + draw(SPACES) + ":" + draw(SPACES) + value + draw(SPACES))
    return draw(SPACES) + "{" + ",".join(inside) + "}" + draw(SPACES)


CHANGES = written(some_members())
RECORDS = written(any_members())


def read(record: str | bytes, organization: str | None = None, max_body: int = 1_000_000) -> Change | Invalid:
    data = record.encode() if isinstance(record, str) else record
    return ActivityReader(organization, max_body).read(data, 7, 3)


def accepted(record: str | bytes, organization: str | None = None) -> Change:
    outcome = read(record, organization)
    assert isinstance(outcome, Change), outcome
    return outcome


def refused(record: str | bytes, organization: str | None = None, max_body: int = 1_000_000) -> Invalid:
    outcome = read(record, organization, max_body)
    assert isinstance(outcome, Invalid), outcome
    return outcome


def entity(value: str) -> str:
    """Write the record of a change that sets `entityData` to a value."""
    return '{"organizationId":"org-1","id":"a-1","entityData":' + value + "}"


# ------------------------------------------------------------------------------------- what is read is sent


@settings(max_examples=400)
@given(RECORDS, st.none() | st.just("org-default"))
@example('{"organizationId":"o","id":"","id":"\\b","entityData":1}', None)
@example('{"organizationId":"o","id":"a","entityData":1,"entityData":2}', None)
@example('{"organizationId" : "o", "id": "a", "entityData": 1, "\\u0069d": "b"}', None)
def test_reads_as_a_slow_reader_made_of_the_standard_library_does(record: str, organization: str | None) -> None:
    outcome = read(record, organization)
    expected = read_slowly(record, organization)
    if isinstance(outcome, Change):
        activity = json.loads(outcome.activity, parse_int=str, parse_float=str)
        assert Sent(outcome.organization, outcome.id, outcome.activity.decode()) == expected
        assert list(activity) == ["id", *(field for field in FIELDS if field in activity)]
    else:
        assert Refused(outcome.code) == expected


@pytest.mark.parametrize(
    "value",
    [
        "123456789012345678901234567890",
        "-123456789012345678901234567890",
        "9007199254740993",
        "18446744073709551616",
        "1.0",
        "1.10",
        "-0",
        "-0.0",
        "1e400",
        "1E+05",
        "0.1000000000000000055511151231257827",
        '"\\u0041\\/\\n\\ud83d\\ude00"',
        '"é\u2028\u0085😀\x7f"',
        '{ "b" : [ 1 ,2,\t3 ] , "a" : {   } }',
        '{"same":1,"same":2}',
        "null",
        "false",
        '""',
        "[" * 400 + "]" * 400,
    ],
)
@pytest.mark.parametrize(
    ("before", "after", "kept"),
    [
        ('"entityData":', "", '"entityData":'),
        ('"changes" : { "k":{ "from" :', " }}", '"changes":{ "k":{ "from" :'),
        ('"entityTargetData"\t: ', " ", '"entityTargetData":'),
    ],
)
def test_a_value_goes_out_as_it_stood(value: str, before: str, after: str, kept: str) -> None:
    change = accepted('{"organizationId":"org-1","id":"a-1",' + before + value + after + "}")
    assert change.activity.decode() == '{"id":"a-1",' + kept + value + after.rstrip(" ") + "}"


def test_the_fields_stand_in_one_order_whatever_that_of_the_record() -> None:
    values = {
        "actionIcon": '"i"',
        "displayMessageTemplateData": "{}",
        "id": '"a-1"',
        "displayMessageTemplate": '"t"',
        "organizationId": '"org-1"',
        "entityTargetData": "[]",
        "entityData": "0",
        "changes": "{}",
    }
    change = accepted("{" + ",".join(f'"{key}":{value}' for key, value in values.items()) + "}")
    assert change.activity == (
        b'{"id":"a-1","changes":{},"entityData":0,"entityTargetData":[],"displayMessageTemplate":"t",'
        b'"displayMessageTemplateData":{},"actionIcon":"i"}'
    )


@pytest.mark.parametrize(("field", "bit"), [(field, 1 << number) for number, field in enumerate(FIELDS)])
def test_the_mask_tells_which_fields_are_set(field: str, bit: int) -> None:
    value = '"text"' if field in ("displayMessageTemplate", "actionIcon") else "{}"
    assert accepted(f'{{"organizationId":"o","id":"a","{field}":{value}}}').fields == bit
    if bit > 1:
        assert accepted(f'{{"organizationId":"o","changes":{{}},"id":"a","{field}":{value}}}').fields == bit + 1


def test_a_change_tells_where_it_stood_and_what_it_is() -> None:
    change = accepted(entity("1"))
    assert change == Change("org-1", "a-1", 7, 3, zlib.crc32(change.activity), 2, b'{"id":"a-1","entityData":1}')


def test_the_organization_is_the_readers_where_the_record_names_none() -> None:
    assert accepted('{"id":"a","entityData":1}', "org-default").organization == "org-default"
    assert accepted('{"id":"a","organizationId":"own","entityData":1}', "org-default").organization == "own"


@pytest.mark.parametrize("value", ["null", '""', "5"])
def test_an_organization_that_makes_no_sense_is_not_replaced(value: str) -> None:
    record = f'{{"organizationId":{value},"id":"a","entityData":1}}'
    assert refused(record, "org-default").code == "wrong_type"


def test_notes_are_left_out_wherever_they_stand() -> None:
    plain = accepted(entity('{"_kept":1}'))
    noted = '{"_a":[1],"organizationId":"org-1","_":null,"id":"a-1","_error":{"_b":2},"entityData":{"_kept":1},"_z":0}'
    assert accepted(noted) == plain
    assert accepted(noted.replace('"_', '"\\u005f')).activity == plain.activity.replace(b"_", b"\\u005f")


# --------------------------------------------------------------------------------------------- the checksum


@given(some_members(), st.data())
def test_the_checksum_is_the_same_however_the_members_are_laid_out(
    chosen: list[tuple[str, str]], data: st.DataObject
) -> None:
    compact = accepted("{" + ",".join(f'"{key}":{value}' for key, value in chosen) + "}")
    loose = accepted(data.draw(written(st.permutations(chosen).map(list))))
    assert (loose.check, loose.activity, loose.fields) == (compact.check, compact.activity, compact.fields)


@pytest.mark.parametrize("size", [200, 2_000, 20_000])
def test_an_activity_takes_no_more_memory_than_its_bytes(size: int) -> None:
    """Rows wait by the thousand: what an encoder has set aside and not used would wait with them."""
    record = entity(json.dumps("x" * size)).encode()
    reader = ActivityReader()
    reader.read(record, 1)
    tracemalloc.start()
    try:
        waiting = [reader.read(record, line) for line in range(100)]
        taken = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert taken < 100 * (len(record) + 350)
    assert len(waiting) == 100


@pytest.mark.parametrize("spelling", ['"a-1"', '"\\u0061-1"', '"a\\u002d1"'])
def test_an_id_is_the_same_however_it_is_spelled(spelling: str) -> None:
    change = accepted(f'{{"organizationId":"org-1","id":{spelling},"entityData":1}}')
    assert change.check == accepted(entity("1")).check


@pytest.mark.parametrize("value", ["2", "1.0", "[2]", '"1"', "[1 ]"])
def test_the_checksum_tells_other_content_apart(value: str) -> None:
    assert accepted(entity(value)).check not in {accepted(entity("1")).check, accepted(entity("[1]")).check}


# --------------------------------------------------------------------------------------------- repeated keys

SHORTEST = {"organizationId": '""', "id": '""', "displayMessageTemplate": '""', "actionIcon": '""', "changes": "{}"}
LAYOUTS = {
    "compact": ("", ","),
    "json.dumps": (" ", ", "),
    "wide": ("   ", " ,\t"),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("escaped", [True, False])
@pytest.mark.parametrize("repeated", KEYS)
def test_a_repeated_key_is_refused_in_every_layout(repeated: str, layout: str, *, first: bool, escaped: bool) -> None:
    after_colon, comma = LAYOUTS[layout]
    name = f"\\u{ord(repeated[0]):04x}{repeated[1:]}" if escaped else repeated
    chosen = {"organizationId": '"o"', "id": '"a"', "entityData": "1"}
    shortest = SHORTEST.get(repeated, "{}")
    chosen.setdefault(repeated, shortest)
    inside = [f'"{key}":{after_colon}{value}' for key, value in chosen.items()]
    inside.insert(0 if first else len(inside), f'"{name}":{after_colon}{shortest}')
    invalid = refused("{" + comma.join(inside) + "}")
    assert invalid.code == "repeated_key"
    assert invalid.message == f'"{repeated}": found twice in one record, expected once'


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_note_may_stand_twice(layout: str) -> None:
    after_colon, comma = LAYOUTS[layout]
    plain = ['"organizationId":"o"', '"id":"a"', '"actionIcon":"x"']
    notes = [f'"_note":{after_colon}{value}' for value in (1, '"two"')]
    assert accepted("{" + comma.join([notes[0], *plain, notes[1]]) + "}") == accepted("{" + comma.join(plain) + "}")


@given(some_members(), st.data())
def test_a_repeated_key_is_refused_in_random_layouts(chosen: list[tuple[str, str]], data: st.DataObject) -> None:
    key = data.draw(st.sampled_from([key for key, _ in chosen]))
    value = data.draw(st.just(SHORTEST.get(key, "1")) | FITTING[key])
    chosen.insert(data.draw(st.integers(0, len(chosen))), (key, value))
    record = data.draw(written(st.just(chosen)))
    assert refused(record).code in {"repeated_key", "wrong_type"}
    assert read_slowly(record, None) == Refused("repeated_key")


@pytest.mark.parametrize("character", [chr(code) for code in range(0x100)] + ["\u2028", "\uffff", "😀"])
def test_no_id_or_organization_hides_a_repeated_key(character: str) -> None:
    """The shortest spelling in the record is never shorter than the one that is sent."""
    written_shortest = json.dumps(character * 9, ensure_ascii=False)
    for record in (
        f'{{"id":"","organizationId":"o","id":{written_shortest},"entityData":1}}',
        f'{{"id":"","organizationId":{written_shortest},"id":"a","entityData":1}}',
        f'{{"organizationId":"","id":{written_shortest},"organizationId":"o","entityData":1}}',
    ):
        assert refused(record).code == "repeated_key"


@pytest.mark.parametrize("repeated", ['"id":""', '"entityData":0', '"actionIcon":"\\""', '"\\u0069d":"\\""'])
@pytest.mark.parametrize("quotes", range(8))
@pytest.mark.parametrize("spelling", ["\\u0022", '\\"', "\\\\u0022"])
def test_no_quote_in_a_name_hides_a_repeated_key(repeated: str, quotes: int, spelling: str) -> None:
    """However many quotes a name holds, and however they are written."""
    name = f'"x{spelling * quotes}"'
    for members in (
        f'"organizationId":"o","id":{name},"entityData":1,"actionIcon":"i"',
        f'"id":"a","organizationId":{name},"entityData":1,"actionIcon":"i"',
    ):
        assert refused("{" + repeated + "," + members + "}").code == "repeated_key"
        assert accepted("{" + members + "}").id


def test_keys_of_objects_inside_may_repeat() -> None:
    record = entity('{"id":1,"id":2,"entityData":3,"entityData":4}')
    assert b'{"id":1,"id":2,"entityData":3,"entityData":4}' in accepted(record).activity


# ---------------------------------------------------------------------------------------------------- depth


def nested(levels: int, brackets: str = "[]", space: str = "") -> str:
    """Write a value of so many levels."""
    if brackets == "[]":
        return ("[" + space) * levels + (space + "]") * levels
    return ('{"a":' + space) * levels + "0" + (space + "}") * levels


def deep_records(levels: int) -> list[str]:
    """Write records of so many levels, the record's own one included."""
    inside = nested(levels - 1)
    return [
        entity(inside),
        entity(nested(levels - 1, "{}")),
        entity(nested(levels - 1, space=" ")),
        entity("0," + '"_note":' + inside),
        '{"_note":' + inside + ',"id":"a","organizationId":"o","entityData":0}',
        '{ "changes" : {"a":{"to":' + nested(levels - 3) + '}}, "organizationId":"o","id":"a"}',
        '{"displayMessageTemplateData":{"a":' + nested(levels - 2) + '},"id":"a","organizationId":"o"}',
        '{"id":"a","entityTargetData":["' + "]" * 600 + '\\"",' + nested(levels - 2) + '],"organizationId":"o"}',
    ]


@pytest.mark.parametrize("record", deep_records(MAX_NESTING))
def test_a_record_may_have_500_levels(record: str) -> None:
    assert accepted(record, "o").id


@pytest.mark.parametrize("record", deep_records(MAX_NESTING + 1))
def test_a_record_of_501_levels_is_refused(record: str) -> None:
    invalid = refused(record)
    assert invalid.code == "too_deep"
    assert invalid.message == "found 501 levels of nesting, expected at most 500"


def test_brackets_in_strings_are_no_levels() -> None:
    text = '"' + "[{" * 2000 + '\\""'
    assert text.encode() in accepted(entity(text)).activity
    assert accepted(entity("[" + ",".join(["[]"] * 2000) + "]")).id == "a-1"
    assert accepted(entity("[" + nested(498) + ",[]" * 2000 + "]")).id == "a-1"
    assert refused(entity("[" + nested(499) + ",[]" * 2000 + "]")).code == "too_deep"


@pytest.mark.parametrize("levels", [1_500, 100_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_endless_nesting_raises_nothing(levels: int, brackets: str) -> None:
    deep = nested(levels, brackets)
    for record in (entity(deep), deep, entity(deep)[:levels], deep[:levels], entity(deep[:-1])):
        assert isinstance(read(record), Invalid)


def test_a_long_string_beside_many_brackets_takes_little_memory() -> None:
    import tracemalloc

    record = entity('["' + "x" * 1_000_000 + '"' + ",[]" * 600 + "]").encode()
    tracemalloc.start()
    outcome = ActivityReader(max_body=10_000_000).read(record, 1)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert isinstance(outcome, Change)
    assert peak < 12 * len(record)


# ----------------------------------------------------------------------------------------------------- size


@given(TEXTS.filter(bool), TEXTS.filter(bool), st.text("[]{}x", max_size=2000).map(json.dumps))
@example("\x01", "a", "1")
@example("\x00\x1f", "\x00", "1")
@example("a", "a", "1")
def test_a_record_fits_to_the_byte_or_is_too_large(organization: str, identifier: str, value: str) -> None:
    record = json.dumps({"organizationId": organization, "id": identifier}, separators=(",", ":"))
    record = record[:-1] + f',"entityData":{value}}}'
    change = accepted(record)
    body = len(encode_request(Batch(organization, [change])))
    assert read(record, max_body=body) == change
    invalid = refused(record, max_body=body - 1)
    assert invalid.code == "too_large"
    assert invalid.message == (
        f"the request with this row alone would be {body:,} bytes; expected at most {body - 1:,} (--batch-bytes)"
    )
    assert (invalid.organization, invalid.id) == (organization, identifier)


def test_notes_and_white_space_do_not_count_for_the_size() -> None:
    body = len(encode_request(Batch("org-1", [accepted(entity("1"))])))
    spread = entity("1" + " " * 5000 + ',"_note":"' + "x" * 5000 + '"')
    assert isinstance(read(spread, max_body=body), Change)
    assert refused(spread, max_body=body - 1).code == "too_large"


# -------------------------------------------------------------------------------------------------- messages

FROM_AND_TO = 'expected an object with "from" and "to"'
OBJECT_OF_CHANGES = 'expected an object of field names to {"from": ..., "to": ...}'


@pytest.mark.parametrize(
    ("record", "code", "message"),
    [
        ('{"id":"a","entityData":1}', "missing_field",
         "organizationId: found nothing, expected a non-empty string (or give --organization-id)"),
        ('{"organizationId":"o","entityData":1}', "missing_field",
         "id: found nothing, expected a non-empty string"),
        ('{"organizationId":"","id":"a","entityData":1}', "wrong_type",
         "organizationId: found an empty string, expected a non-empty string"),
        ('{"organizationId":null,"id":"a","entityData":1}', "wrong_type",
         "organizationId: found null, expected a non-empty string"),
        ('{"organizationId":"o","id":"","entityData":1}', "wrong_type",
         "id: found an empty string, expected a non-empty string"),
        ('{"organizationId":"o","id":17,"entityData":1}', "wrong_type",
         "id: found the number 17, expected a non-empty string"),
        ('{"organizationId":"o","id":-1.5e3,"entityData":1}', "wrong_type",
         "id: found the number -1.5e3, expected a non-empty string"),
        ('{"organizationId":"o","id":true,"entityData":1}', "wrong_type",
         "id: found true, expected a non-empty string"),
        ('{"organizationId":["o"],"id":"a","entityData":1}', "wrong_type",
         'organizationId: found an array ["o"], expected a non-empty string'),
        ('{"organizationId":"o","id":"a"}', "nothing_to_change",
         "found no field to change, expected one of changes, entityData, entityTargetData, "
         "displayMessageTemplate, displayMessageTemplateData, actionIcon"),
        ('{"organizationId":"o","id":"a","changes":null}', "wrong_type",
         f"changes: found null, {OBJECT_OF_CHANGES}"),
        ('{"organizationId":"o","id":"a","changes":[]}', "wrong_type",
         f"changes: found an array [], {OBJECT_OF_CHANGES}"),
        ('{"organizationId":"o","id":"a","changes":{"status":"done"}}', "wrong_type",
         f'changes.status: found the string "done", {FROM_AND_TO}'),
        ('{"organizationId":"o","id":"a","changes":{"ok":{"to":1},"status":{"old":1}}}', "wrong_type",
         f'changes.status: found an object {{"old":1}}, {FROM_AND_TO}'),
        ('{"organizationId":"o","id":"a","displayMessageTemplate":5}', "wrong_type",
         "displayMessageTemplate: found the number 5, expected a string"),
        ('{"organizationId":"o","id":"a","displayMessageTemplateData":"x"}', "wrong_type",
         'displayMessageTemplateData: found the string "x", expected an object'),
        ('{"organizationId":"o","id":"a","actionIcon":null}', "wrong_type",
         "actionIcon: found null, expected a string"),
        ('{"organizationId":"o","id":"a","entity_data":1}', "unknown_field",
         '"entity_data": found an unknown field; did you mean "entityData"?'),
        ('{"organizationId":"o","ID":"a","entityData":1}', "unknown_field",
         '"ID": found an unknown field; did you mean "id"?'),
        ('{"organisationId":"o","id":"a","entityData":1}', "unknown_field",
         '"organisationId": found an unknown field; did you mean "organizationId"?'),
        ('{"organizationId":"o","id":"a","timestamp":1}', "unknown_field",
         '"timestamp": found an unknown field; known are organizationId, id, changes, entityData, '
         "entityTargetData, displayMessageTemplate, displayMessageTemplateData, actionIcon"),
        ('{"organizationId":"o","activityId":"a","activity":{"entityData":1}}', "activity_id_shape",
         'found "activityId", expected the id and the fields side by side: '
         '{"organizationId": "...", "id": "...", "displayMessageTemplate": "..."}'),
        ("[1]", "not_an_object", "found an array [1], expected a JSON object"),
        ('"text"', "not_an_object", 'found the string "text", expected a JSON object'),
        (" null", "not_an_object", "found null, expected a JSON object"),
        ("17", "not_an_object", "found the number 17, expected a JSON object"),
        ('{"id":1,,}', "not_json",
         'found ",}" at column 9 (object keys must be strings), expected one JSON object on the line'),
        ('{"é":1} {', "not_json",
         'found "{" at column 9 (trailing characters), expected one JSON object on the line'),
        (entity('"\\ud800"'), "not_json",
         "found half of a surrogate pair (such as \\ud800 alone), expected whole characters"),
        (entity('"\\ude00\\ud83d"'), "not_json",
         "found half of a surrogate pair (such as \\ud800 alone), expected whole characters"),
    ],
)  # fmt: skip
def test_a_message_names_the_field_and_what_was_found_and_expected(record: str, code: str, message: str) -> None:
    invalid = refused(record)
    assert (invalid.code, invalid.message) == (code, message)


@pytest.mark.parametrize("record", ["", "{", '{"organizationId":"o","id":"a","entityData":', '{"id":"a'])
def test_a_record_that_was_cut_is_not_json(record: str) -> None:
    invalid = refused(record)
    assert invalid.code == "not_json"
    assert "expected one" in invalid.message


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("control", ["\x00", "\x01", "\x08", "\t", "\x1f"])
def test_a_bare_control_character_is_not_json(key: str, control: str) -> None:
    chosen = {"organizationId": '"o"', "id": '"a"', "changes": "{}"} | {key: f'"x{control}"'}
    if key == "changes":
        chosen[key] = f'{{"k":{{"to":"{control}"}}}}'
    invalid = refused("{" + ",".join(f'"{name}":{value}' for name, value in chosen.items()) + "}")
    assert (invalid.code, "invalid character" in invalid.message) == ("not_json", True)


@pytest.mark.parametrize(
    "value", ["NaN", "Infinity", "-Infinity", "01", "-", "1.", ".5", "1e", "+1", "tru", "[1,]", '{"a":1,}', '"\\q"']
)
def test_json_that_the_api_would_refuse_is_refused_here(value: str) -> None:
    assert refused(entity(value)).code == "not_json"
    assert refused(entity("[" + value + "]")).code == "not_json"


def test_a_byte_order_mark_inside_the_input_is_named() -> None:
    invalid = refused("\ufeff" + entity("1"))
    assert invalid.code == "not_json"
    assert "surrogate" not in invalid.message


def test_utf_16_is_not_taken_for_half_of_a_surrogate_pair() -> None:
    invalid = refused(entity("1").encode("utf-16-le"))
    assert invalid.code == "not_json"
    assert "surrogate" not in invalid.message


@pytest.mark.parametrize("key", ["x", "entity_data", "ID", "", "changes ", "organization", "activity"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_unknown_field_is_never_dropped_in_silence(key: str, layout: str) -> None:
    after_colon, comma = LAYOUTS[layout]
    known = {"organizationId": '"o"', "id": '"a"', "entityData": "1"}
    inside = [f'"{name}":{after_colon}{value}' for name, value in (known | {key: "1"}).items()]
    assert refused("{" + comma.join(inside) + "}").code == "unknown_field"
    assert refused("{" + comma.join(reversed(inside)) + "}").code == "unknown_field"


def test_a_long_value_is_cut_in_the_message() -> None:
    invalid = refused(f'{{"organizationId":"o","id":{"9" * 5000},"entityData":1,"{"k" * 200}":1}}')
    assert len(invalid.message) < 300
    invalid = refused(f'{{"organizationId":"o","id":{"9" * 5000},"entityData":1}}')
    assert len(invalid.message) < 120


# ------------------------------------------------------------------------------ what is kept of an invalid row


def test_an_invalid_record_is_kept_as_it_stood_with_its_names() -> None:
    record = ' {"id":"a-1", "organizationId":"org-1","_note":1,"entity":1}'
    invalid = refused(record)
    assert invalid == Invalid(
        7, 3, zlib.crc32(record.encode()), "org-1", "a-1", "unknown_field", invalid.message, record.encode()
    )


@pytest.mark.parametrize(
    ("record", "names"),
    [
        ('{"id":5,"organizationId":"org-1"}', ("org-1", None)),
        ('{"id":"","organizationId":{}}', (None, None)),
        ('{"id":"a","entityData":1}', (None, "a")),
        ('{"id":"a"', (None, None)),
        ("[]", (None, None)),
    ],
)
def test_the_names_are_given_where_they_can_be_read(record: str, names: tuple[str | None, str | None]) -> None:
    invalid = refused(record)
    assert (invalid.organization, invalid.id) == names


@pytest.mark.parametrize(
    "record",
    [
        entity('1,"_note":"' + "é" * 40_000 + '","id":"b"'),
        '{"id":"a","_note":"' + "x" * 70_000 + '","organizationId":"o"}',
        '{"id":"a","_note":"' + "x" * 70_000 + '","organizationId":"' + "o" * 1_000_000 + '","entityData":1}',
        "x" * 70_000,
    ],
)
def test_an_invalid_record_is_cut_and_its_checksum_is_of_all_of_it(record: str) -> None:
    invalid = refused(record)
    assert invalid.raw == record.encode()[:MAX_RAW]
    assert invalid.check == zlib.crc32(record.encode())


def test_what_another_reader_found_wrong_is_kept_alike() -> None:
    record = b"\xff" * 70_000
    assert invalid_record(record, 1, 2, "not_utf8", "found ...") == Invalid(
        1, 2, zlib.crc32(record), None, None, "not_utf8", "found ...", record[:MAX_RAW]
    )


# ----------------------------------------------------------------------------------------------- hostile input


@given(RECORDS, st.lists(st.tuples(st.integers(0, 400), st.text('{}[]":,\\u0e1-. n\0é', max_size=3)), max_size=3))
def test_damaged_records_raise_nothing_and_what_is_sent_is_json(record: str, damages: list[tuple[int, str]]) -> None:
    for at, text in damages:
        record = record[: at % (len(record) + 1)] + text + record[(at + 1) % (len(record) + 1) :]
    assume("\n" not in record)
    outcome = read(record)
    if isinstance(outcome, Change):
        body = json.loads(encode_request(Batch(outcome.organization, [outcome])))
        assert body["data"]["activities"][0]["id"] == outcome.id


def test_a_reader_forgets_organizations_that_are_many() -> None:
    import tracemalloc

    reader = ActivityReader()
    template = entity("1").encode()
    tracemalloc.start()
    for number in range(150_000):
        reader.read(template.replace(b"org-1", b"org-%d" % number), number)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 8_000_000


def test_rows_of_one_organization_share_its_name() -> None:
    reader = ActivityReader()
    first, second = (reader.read(entity(value).encode(), 1) for value in "12")
    assert first.organization is second.organization


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_json_has_not_are_named(number: str) -> None:
    record = '{"organizationId":"o","id":"a","entityData":' + number + "}"
    outcome = ActivityReader().read(record.encode(), 1)
    assert isinstance(outcome, Invalid)
    name = number.lstrip("-")
    column = 45 + len(number) - len(name)
    assert outcome.message == f"found {name} at column {column}, which JSON has not; expected a number, or null"
