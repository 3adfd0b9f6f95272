"""What a ledger tells, as text and as a page. Pure: appends in, words out; the command line reads and writes.

    appends ──> gather ──> ReportData ──┬─> text     for a terminal
                  │                     ├─> facts    for programs, as JSON
                  └── latency, series,  └─> page     for people: sections, chart, markup, style
                      organizations, doubts

`data` holds the nouns. What is gathered is bounded whatever the ledger's size: time falls into bins that
double their width, latencies into buckets of a log scale, organizations and requests into the top of a list.
"""
