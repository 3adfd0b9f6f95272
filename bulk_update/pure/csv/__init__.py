"""CSV: `reader` cuts blocks into records, `header` and `columns` read the header, `rows` and `layout` the rest."""
