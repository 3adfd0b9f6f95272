"""Faults by rule: `rules` says what a rule is, `choosing` which hold for a request, `acts` what they do to it.

The same seed and the same requests give the same faults, in whatever order the requests of a run come in:
chance is drawn from the seed, the rule, the request's own bytes and how often these have come before. Only
`every`, `first` and `after` count requests in the order of their arrival.
"""
