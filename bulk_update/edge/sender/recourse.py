"""What follows an attempt: another one, parts of the batch, or the end of it; whose fault it was, and who rests."""

import asyncio
import sys
from typing import Final

from bulk_update.edge.sender.parts import Delivery, Exchange, Part, halves
from bulk_update.edge.sender.resting import Resting
from bulk_update.model import Batch
from bulk_update.ports import Supply, Witness
from bulk_update.pure.retrying import POLICIES, Health, Step, Trouble
from bulk_update.pure.wire import Judgement, encode_request

_PATIENCE_WITH_HALVES: Final = 2
"""Attempts of a part of a batch that has used up its own."""

_PLACES: Final = 1 << 16

_SHOWN: Final = 200
"""Characters of a message that are repeated to a person."""


_WHOLE: Final = frozenset({Trouble.REFUSED, Trouble.NO_SUCH_PLACE})
"""Refusals of whole requests for what some of their rows may be."""


class Recourse:
    """Decide what follows the attempts of all batches. `resting`: told which organizations are in trouble."""

    def __init__(self, health: Health, resting: Resting, supply: Supply, witness: Witness) -> None:
        self._health = health
        self._resting = resting
        self._supply = supply
        self._witness = witness
        self._sick: set[str] = set()
        self._nowhere: set[str] = set()
        """Organizations that the API seems not to know."""
        self._answered = bytearray(_PLACES)
        """Which organizations were answered, at the places of their names' hashes: some were not that seem so."""
        self._most_bytes = sys.maxsize

    def next_step(self, exchange: Exchange, judgement: Judgement, patience: int) -> Step | None:
        """Decide what follows an attempt; None when it was answered."""
        trouble = judgement.trouble
        if trouble is None:
            self._answered[hash(exchange.batch.organization) % _PLACES] = True
            self._nowhere.discard(exchange.batch.organization)
            self._succeeded(exchange)
            return None
        policy = POLICIES[trouble]
        exchange.doubtful |= policy.may_be_applied
        step = policy.at_first if policy.at_first is not None and not self._health.successes else policy.step
        if step is not Step.RETRY:
            if step is not Step.STOP:
                self._succeeded(exchange)
            return step
        self._failed(exchange, trouble, judgement)
        return Step.RETRY if exchange.counted < patience else Step.SPLIT

    def is_hopeless(self, judgement: Judgement, part: Part, delivery: Delivery) -> bool:
        """Tell whether splitting would find no culprit: the server fails for this organization as a whole."""
        if judgement.trouble is Trouble.NO_SUCH_PLACE:
            return part.batch.organization in self._nowhere
        if judgement.trouble is None or POLICIES[judgement.trouble].step is not Step.RETRY:
            return False
        delivery.fruitless += 1
        if delivery.is_hopeless():
            self._sick.add(part.batch.organization)
        return part.batch.organization in self._sick

    def refused(self, judgement: Judgement, part: Part, delivery: Delivery) -> None:
        """Note that the rows of a part are refused for good."""
        if judgement.trouble not in _WHOLE:
            return
        delivery.refused(part)
        organization = part.batch.organization
        is_known = self._answered[hash(organization) % _PLACES]
        delivery.not_found = delivery.not_found + 1 if judgement.trouble is Trouble.NO_SUCH_PLACE else 0
        if delivery.finds_nothing() and not is_known:
            self._nowhere.add(organization)
        delivery.is_nowhere = organization in self._nowhere

    def may_be_told_apart(self, exchange: Exchange, judgement: Judgement, part: Part, delivery: Delivery) -> bool:
        """Tell whether something else of the batch should be tried, when nothing succeeds any more.

        It may be an outage, or rows at fault with nothing else to send: only another part can tell.
        """
        if judgement.trouble is None or not POLICIES[judgement.trouble].counts:
            return False
        is_tried = exchange.failures >= part.patience or (exchange.is_probe and self._health.is_outage)
        return is_tried and (len(part.batch.changes) > 1 or delivery.others > 0)

    def set_aside(self, part: Part, exchange: Exchange, delivery: Delivery) -> list[Part]:
        """Let the other parts of the batch go first; what succeeds by then counts against this one."""
        delivery.sets_aside = True
        changes, organization = part.batch.changes, part.batch.organization
        middle = len(changes) // 2
        left = max(part.patience - exchange.failures, _PATIENCE_WITH_HALVES)
        patience, successes = min(part.patience, left), self._health.successes
        return [
            Part(Batch(organization, rows), patience, exchange.doubtful, part.asked, successes)
            for rows in (changes[:middle], changes[middle:])
            if rows
        ]

    def split(self, part: Part, exchange: Exchange, judgement: Judgement, delivery: Delivery) -> list[Part]:
        """Halve a part to find the rows at fault, or because it is too large for the server."""
        trouble, patience, successes = judgement.trouble, part.patience, None
        if trouble is Trouble.TOO_LARGE:
            self._most_bytes = min(self._most_bytes, len(encode_request(part.batch)) // 2)
            self._supply.lower_body(self._most_bytes)
        if trouble is not None and POLICIES[trouble].step is Step.RETRY:
            patience, successes = min(patience, _PATIENCE_WITH_HALVES), self._health.successes
        tried = Part(part.batch, patience, exchange.doubtful, part.asked, successes)
        return delivery.refused(tried) if trouble in _WHOLE else halves(tried)

    def is_too_large(self, part: Part) -> bool:
        """Tell whether it should be cut before it leaves: it was ready before a smaller one was too large."""
        is_bounded = self._most_bytes < sys.maxsize
        return is_bounded and len(part.batch.changes) > 1 and len(encode_request(part.batch)) > self._most_bytes

    def _succeeded(self, exchange: Exchange) -> None:
        organization = exchange.batch.organization
        self._sick.discard(organization)
        self._resting.clear(organization)
        if self._health.is_outage:
            self._witness.outage_changed(None)
        self._health.succeeded(organization)

    def _failed(self, exchange: Exchange, trouble: Trouble, judgement: Judgement) -> None:
        """Count a failure against the batch, if the API has answered others since it first failed."""
        policy, health, organization = POLICIES[trouble], self._health, exchange.batch.organization
        self._resting.suspect(organization)
        exchange.failures += 1
        if exchange.successes is None:
            is_alone = health.failing_since is None  # what came before was answered
            exchange.successes, exchange.pending = health.successes, int(policy.counts and is_alone)
        elif policy.counts and health.successes > exchange.successes:
            exchange.counted, exchange.pending = exchange.counted + exchange.pending + 1, 0
        was_outage = health.is_outage
        now, why = asyncio.get_running_loop().time(), _why(judgement)
        health.failed(now, why, organization=organization, is_throttled=policy.pushback)
        if health.is_outage and not was_outage:
            self._witness.outage_changed(health.failing_since, health.why)


def _why(judgement: Judgement) -> str:
    """Say in short what went wrong with an attempt."""
    http = f"HTTP {judgement.http}, " if judgement.http is not None else ""
    return f"{http}{judgement.code}: {judgement.message[:_SHOWN]}"
