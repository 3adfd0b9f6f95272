"""About `bulk_update/pure/`: each file of it has its own here."""
