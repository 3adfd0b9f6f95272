"""Inputs: files, pipes and standard input, plain or compressed, as blocks of bytes.

Blocks come from a chain of generators, each with one duty: what the system gives; what is in it, when it is
compressed; what is left of that without a byte order mark. A worker thread asks the last of them.
"""

from bulk_update.edge.source.descriptor import BLOCK
from bulk_update.edge.source.formats import detect_format
from bulk_update.edge.source.naming import STANDARD_INPUT, explain_empty
from bulk_update.edge.source.opening import Head, Source, check_inputs, open_source
from bulk_update.edge.source.text import HEAD, explain_nul
from bulk_update.pure.formats import Format, format_of

__all__ = [
    "BLOCK",
    "HEAD",
    "STANDARD_INPUT",
    "Format",
    "Head",
    "Source",
    "check_inputs",
    "detect_format",
    "explain_empty",
    "explain_nul",
    "format_of",
    "open_source",
]
