"""The real process, real sockets, a real ledger, and a sudden end at every point that matters."""
