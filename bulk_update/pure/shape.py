"""The shape of a record: its fields, which are those of the official page, and its bounds."""

from typing import Final

FIELDS: Final = (
    "changes",
    "entityData",
    "entityTargetData",
    "displayMessageTemplate",
    "displayMessageTemplateData",
    "actionIcon",
)
"""What an update can set; the bits of `Change.fields` are in this order."""

KEYS: Final = ("organizationId", "id", *FIELDS)

MAX_NESTING: Final = 500
"""Levels of objects and arrays in one record, at most."""

MAX_RAW: Final = 65_536
"""Bytes of an invalid record that are kept (DESIGN section 2.3)."""

ENVELOPE: Final = len(b'{"data":{"organizationId":,"activities":[]}}')
"""Bytes of a request body around the organization and the activities."""
