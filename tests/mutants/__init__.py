"""Bugs that are seeded one by one, to see that the tests catch each: a harness is worth what it catches.

    mutants    the bugs: which words of the source are exchanged for which, and who is to catch that
    planting   exchanges them while a module is imported; the files stay as they are
    __main__   `python -m tests.mutants`: plants each in a process of its own, and prints who caught it when

A bug whose words are no longer found in the source is told as an error: it is to be written anew.
"""
