"""Which rules hold for a request. It counts, and it draws; it does nothing else. Pure."""

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from hashlib import blake2b

from bulk_update.sandbox.faults.rules import Act, Delay, Faults, Match


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as the rules see it. `organization`: None where the body does not tell."""

    path: str
    organization: str | None
    ids: Sequence[str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fault:
    """What befalls one request. `latency`: seconds before it is looked at. `chance`: for what else is drawn.

    `ids`: the pattern of the ids that an act is about. `salt`: what makes ids be chosen alike for ever.
    """

    names: tuple[str, ...]
    latency: float
    act: Act | None
    chance: random.Random
    ids: str | None = None
    salt: bytes = b""

    def refuses(self, id: str) -> bool:
        """Tell whether an id is among those that always fail."""
        if self.act is None or self.act.refuse is None or (self.ids and not fnmatchcase(id, self.ids)):
            return False
        return _share(self.salt + id.encode("utf-8", "surrogatepass")) < self.act.refuse


class Chooser:
    """Choose the faults of requests, one after another."""

    def __init__(self, faults: Faults) -> None:
        self.faults = faults
        self.hits: Counter[str] = Counter()
        self._matched = [0] * len(faults.rules)
        self._seen: Counter[bytes] = Counter()

    def choose(self, asked: Asked) -> Fault | None:
        """Return what befalls a request; None when nothing does."""
        if not self.faults.rules:
            return None
        digest = blake2b(asked.body, digest_size=8).digest()
        self._seen[digest] += 1
        times = self._seen[digest].to_bytes(4)
        names: list[str] = []
        latency, fault = 0.0, None
        for index, rule in enumerate(self.faults.rules):
            salt = b"%d/%d/" % (self.faults.seed, index)
            draw = salt + digest + times
            if (fault and not rule.act.is_only_latency) or not self._holds(index, rule.match, asked, draw):
                continue
            name = rule.name or f"rule {index + 1}"
            names.append(name)
            self.hits[name] += 1
            chance = random.Random(draw)
            latency += 0.0 if rule.act.latency is None else drawn(rule.act.latency, chance)
            if not rule.act.is_only_latency:
                fault = Fault((), 0.0, rule.act, chance, rule.match.id, salt)
        if not names:
            return None
        if fault is None:
            return Fault(tuple(names), latency, None, random.Random(digest))
        return Fault(tuple(names), latency, fault.act, fault.chance, fault.ids, fault.salt)

    def _holds(self, index: int, match: Match, asked: Asked, draw: bytes) -> bool:
        if not fnmatchcase(asked.path, f"*/{match.path}") or not _is_about(match, asked):
            return False
        self._matched[index] += 1
        nth = self._matched[index] - match.after
        if nth < 1 or (match.first is not None and nth > match.first) or (match.every and nth % match.every):
            return False
        return match.chance is None or _share(draw) < match.chance


def drawn(delay: Delay, chance: random.Random) -> float:
    """Draw seconds."""
    if isinstance(delay, int | float):
        return delay
    if delay.uniform is not None:
        seconds = chance.uniform(*delay.uniform)
    elif delay.normal is not None:
        seconds = chance.gauss(*delay.normal)
    elif delay.exponential is not None:
        seconds = chance.expovariate(1 / delay.exponential)
    else:
        median, sigma = delay.lognormal or (0.0, 0.0)
        seconds = median * chance.lognormvariate(0.0, sigma)
    return min(max(seconds, 0.0), delay.most)


def _is_about(match: Match, asked: Asked) -> bool:
    if match.organization is not None and not fnmatchcase(asked.organization or "", match.organization):
        return False
    pattern = match.id
    return pattern is None or any(fnmatchcase(id, pattern) for id in asked.ids)


def _share(text: bytes) -> float:
    return int.from_bytes(blake2b(text, digest_size=6).digest()) / 2**48
