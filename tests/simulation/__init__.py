"""The real pipeline in a simulated world, driven by one seed; the invariants are checked after each run.

    scenario   what a seed stands for: an input, settings, runs, and what befalls each
    world      virtual time, chance, and the story of what happened
    process    what dies with a run, and the moments at which it can
    disk       the ledger's file: what is synced apart from what is not
    records    an input, and the edits between runs
    weather    what goes wrong on the way, how often and when
    api        the records and the answers; checks what arrives
    network    carries requests and answers, or loses them
    seams      the only file that knows how a run of `bulk_update` is made
    runs       one run from its beginning to its end, however it ends
    ledger     the ledger as a stranger reads it
    oracle     what must hold after each run and at the end, in four files: truth, order, books, settled

Nothing here waits, and chance comes from the seed alone: the same seed tells the same story, everywhere.
`python -m tests.simulation --seed 17 --trace` tells it.

What the world never does, because no client could bear it: it does not apply a request after whoever sent
it has given up on it (a later change of the same activity may have been applied by then), and a run begins
when the requests of the one before have arrived or are lost.
"""
