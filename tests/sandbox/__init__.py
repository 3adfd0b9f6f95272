"""About `bulk_update/sandbox/`: each file of it has its own here; `test_official_page` is the golden one."""
