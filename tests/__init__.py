"""The tests mirror the source: `tests/pure/test_wire.py` is about `bulk_update/pure/wire.py`."""
