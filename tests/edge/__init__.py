"""About `bulk_update/edge/`: each file of it has its own here."""
