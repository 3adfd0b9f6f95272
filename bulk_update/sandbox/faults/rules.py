"""What a fault rule is, as values read from JSON: when it holds, and what it does. Pure.

    {"seed": 7, "rules": [
      {"name": "busy", "match": {"organization": "acme*", "chance": 0.1}, "act": {"status": 503}},
      {"match": {"every": 5}, "act": {"drop": "after", "latency": {"uniform": [0.1, 0.5]}}}
    ]}

Rules are asked in their order; docs/sandbox.md has a table of all that they can say.
"""

from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

from bulk_update.errors import SettingsError
from bulk_update.sandbox.answers import HTTP

Share = Annotated[float, Meta(ge=0, le=1)]
Seconds = Annotated[float, Meta(ge=0, le=3600)]
Count = Annotated[int, Meta(ge=0)]
Nth = Annotated[int, Meta(ge=1)]


class Draw(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Seconds drawn from one distribution, never below 0 nor above `most`.

    `uniform`: from and to. `normal`: mean and deviation. `exponential`: mean. `lognormal`: median and sigma.
    """

    uniform: tuple[Seconds, Seconds] | None = None
    normal: tuple[Seconds, Seconds] | None = None
    exponential: Annotated[float, Meta(gt=0)] | None = None
    lognormal: tuple[Annotated[float, Meta(gt=0)], Share] | None = None
    most: Seconds = 60.0

    def __post_init__(self) -> None:
        """Refuse a draw of no distribution, or of several."""
        chosen = (self.uniform, self.normal, self.exponential, self.lognormal)
        if sum(choice is not None for choice in chosen) != 1:
            raise ValueError("expected one of uniform, normal, exponential, lognormal")


Delay = Seconds | Draw


class Match(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Which requests a rule holds for: all that is given must be true.

    `path`: the end of the path, such as update; it, `organization` and `id` may have `*` and `?`. `id`: of any
    activity of the request.
    Of the requests that match so far: leave out the first `after`; of the rest take the `first` so many, or
    `every` n-th. `chance`: from 0 to 1.
    """

    path: str = "update"
    organization: str | None = None
    id: str | None = None
    after: Count = 0
    first: Count | None = None
    every: Nth | None = None
    chance: Share | None = None


class Act(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, rename="camel"):
    """What a rule does. Latencies of several rules add up; of all else the first rule that holds decides."""

    latency: Delay | None = None
    """Seconds before the request is looked at."""
    late: Delay | None = None
    """Seconds after the change and before its answer."""
    status: Annotated[int, Meta(ge=100, le=599)] | None = None
    """Answer with this HTTP status in place of the change."""
    error: str | None = None
    """A google.rpc status, for the answer's `error.status`; alone it gives the HTTP status as well."""
    message: str = "A fault of the sandbox."
    body: str | None = None
    """The answer's body in place of an error's JSON."""
    content_type: str = "application/json; charset=utf-8"
    applied: bool = False
    """With `status`: the change is made all the same."""
    retry_after: Count | None = None
    """Seconds, in the header Retry-After."""
    retry_after_date: Count | None = None
    """The same as a date so many seconds ahead."""
    drop: Literal["before", "after"] | None = None
    """Close the connection without an answer, before the change or after it."""
    cut: Share | None = None
    """Send this part of the answer, then close."""
    garble: bool = False
    """Make the answer's body unreadable."""
    refuse: Share | None = None
    """Fail this share of the ids, always the same ones; with `match.id`, of the ids that match."""
    details: bool = False
    """Answer failed ids as HTTP 500 with the verdicts in `error.details`."""
    missing: Share | None = None
    """Leave this share of the verdicts out of the answer."""
    strangers: Count | None = None
    """Answer for so many other ids as well; with `missing` 1, in place of those asked for."""

    def __post_init__(self) -> None:
        """Refuse an act that does nothing, and a status that is none."""
        if self.error is not None and self.error not in HTTP:
            raise ValueError(f"error: expected one of {', '.join(HTTP)}")
        if self.retry_after is not None and self.retry_after_date is not None:
            raise ValueError("retryAfter and retryAfterDate exclude each other")
        if not (self.latency or self.late or self.details or self.garble or self.is_canned or self.changes_answer):
            raise ValueError("expected something to do")

    @property
    def is_canned(self) -> bool:
        """Whether the answer is given by the rule."""
        return self.status is not None or self.error is not None

    @property
    def changes_answer(self) -> bool:
        """Whether the answer of the change is altered, or lost."""
        return any(value is not None for value in (self.drop, self.cut, self.refuse, self.missing, self.strangers))

    @property
    def is_only_latency(self) -> bool:
        """Whether nothing but time is lost."""
        return not (self.is_canned or self.changes_answer or self.garble or self.details or self.late)


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """A fault: when, and what."""

    act: Act
    match: Match = msgspec.field(default_factory=Match)
    name: str = ""


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The rules in force, and the seed that their chances are drawn from."""

    rules: tuple[Rule, ...] = ()
    seed: int = 0
    name: str = ""


NO_FAULTS: Final = Faults()
_decoder = msgspec.json.Decoder(Faults)
_list_decoder = msgspec.json.Decoder(tuple[Rule, ...])


def parse_faults(text: bytes) -> Faults:
    """Read rules from JSON: an object with `rules`, or a list of rules; raise SettingsError."""
    try:
        if text.lstrip().startswith(b"["):
            return Faults(_list_decoder.decode(text))
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError) as error:
        raise SettingsError(f"found no fault rules: {error}") from None


def read_rules_file(path: Path) -> Faults:
    """Read rules from a file; raise SettingsError."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise SettingsError(f"cannot read the fault rules {path}: {error.strerror}") from None
    try:
        return parse_faults(text)
    except SettingsError as error:
        raise SettingsError(f"{path}: {error}") from None
