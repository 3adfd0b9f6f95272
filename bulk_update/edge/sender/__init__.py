"""Bring batches to the API: attempts, waits and splits, until each row has its result.

sending   what is done: one batch is seen through, in parts where that has to be
parts     the nouns: a part of a batch, the request that carries it, the delivery of it all
minutes   what the ledger is told of it
resting   organizations that have to wait, and so leave the senders to the others
"""

from bulk_update.edge.sender.sending import Means, Persistence, Sender

__all__ = ["Means", "Persistence", "Sender"]
