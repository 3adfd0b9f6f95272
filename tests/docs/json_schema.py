"""A validator for as much of JSON Schema (2020-12) as the ledger's schema uses."""

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

_TYPES: Final[dict[str, tuple[type, ...]]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_NOTES: Final = {"$schema", "$id", "$defs", "title", "description"}


class Schema:
    """Validate values against a schema, of which any keyword that is not known here raises KeyError.

    `strict`: refuse keys of objects that the schema does not name, unless it says `additionalProperties`.
    """

    def __init__(self, document: Mapping[str, Any], *, strict: bool = True) -> None:
        self._document = document
        self._strict = strict
        self._checks: dict[str, Callable[[Any, Mapping[str, Any]], Iterator[str]]] = {
            "$ref": self._ref,
            "type": self._type,
            "const": self._const,
            "enum": self._enum,
            "pattern": self._pattern,
            "minimum": self._range,
            "maximum": self._range,
            "items": self._items,
            "properties": self._properties,
            "additionalProperties": self._nothing,
            "required": self._required,
            "not": self._not,
            "allOf": self._all_of,
            "oneOf": self._one_of,
            "if": self._if,
            "then": self._nothing,
            "else": self._nothing,
        }

    def errors(self, value: object, schema: Mapping[str, Any] | None = None) -> Iterator[str]:
        """Yield what is wrong with a value."""
        schema = self._document if schema is None else schema
        for keyword in schema.keys() - _NOTES:
            yield from self._checks[keyword](value, schema)

    def _ref(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        yield from self.errors(value, self._document["$defs"][schema["$ref"].removeprefix("#/$defs/")])

    def _type(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        names = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        types = tuple(kind for name in names for kind in _TYPES[name])
        if not isinstance(value, types) or (isinstance(value, bool) and bool not in types):
            yield f"found {value!r}, expected {schema['type']}"

    def _const(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        if value != schema["const"] or type(value) is not type(schema["const"]):
            yield f"found {value!r}, expected {schema['const']!r}"

    def _enum(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        if value not in schema["enum"]:
            yield f"found {value!r}, expected one of {schema['enum']}"

    def _pattern(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        if isinstance(value, str) and not re.search(schema["pattern"], value):
            yield f"found {value!r}, expected {schema['pattern']}"

    def _range(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
            yield f"found {value}, which is out of range"

    def _items(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        for item in value if isinstance(value, list) else ():
            yield from self.errors(item, schema["items"])

    def _properties(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        is_closed = self._strict and "type" in schema and not schema.get("additionalProperties")
        for name, found in value.items() if isinstance(value, dict) else ():
            if name in schema["properties"]:
                yield from (f"{name}: {error}" for error in self.errors(found, schema["properties"][name]))
            elif is_closed:
                yield f"found the unknown key {name!r}"

    def _required(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        if isinstance(value, dict):
            yield from (f"{name} is missing" for name in schema["required"] if name not in value)

    def _not(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        if not any(self.errors(value, schema["not"])):
            yield f"found what is not to be: {schema['not']}"

    def _all_of(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        for each in schema["allOf"]:
            yield from self.errors(value, each)

    def _one_of(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        found = [list(self.errors(value, each)) for each in schema["oneOf"]]
        fitting = sum(not errors for errors in found)
        if fitting != 1:
            yield f"fits {fitting} of {len(found)}: {min(found, key=len)}"

    def _if(self, value: object, schema: Mapping[str, Any]) -> Iterator[str]:
        branch = "else" if any(self.errors(value, schema["if"])) else "then"
        yield from self.errors(value, schema.get(branch, {}))

    def _nothing(self, _value: object, _schema: Mapping[str, Any]) -> Iterator[str]:
        """Check nothing: another keyword looks at this one."""
        yield from ()
