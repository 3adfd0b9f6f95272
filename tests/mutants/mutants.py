"""The bugs, each with the words that it exchanges. The first nine are those that tools of this kind really had."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Edit:
    """In the source of `module` exchange `old`, which stands there once, for `new`."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A bug. `test`: the test that is to catch it; "": the simulator is."""

    name: str
    edits: Sequence[Edit]
    test: str = ""


_SENDER: Final = "bulk_update.edge.sender.sending"
_RECOURSE: Final = "bulk_update.edge.sender.recourse"
_MINUTES: Final = "bulk_update.edge.sender.minutes"
_LEDGER: Final = "bulk_update.edge.ledger"
_COMMIT: Final = "bulk_update.edge.group_commit"
_SEALS: Final = "bulk_update.pure.seals"
_WIRE: Final = "bulk_update.pure.wire"
_RETRYING: Final = "bulk_update.pure.retrying"

MUTANTS: Final = (
    Mutant(
        "success recorded before the answer",
        [
            Edit(
                _SENDER,
                "                await self._minutes.announce(exchange)\n",
                "                await self._minutes.announce(exchange)\n"
                "                await means.recorder.record(means.results.updated(exchange.batch.organization, exchange.batch.changes))\n",
            )
        ],
    ),
    Mutant(
        "a missing id taken for success",
        [Edit(_WIRE, "            unanswered.append(change)\n", "            updated.append(change)\n")],
    ),
    Mutant(
        "a timeout taken for failure",
        [
            Edit(
                _RETRYING,
                "Trouble.TIMEOUT: Policy(Step.RETRY, may_be_applied=True",
                "Trouble.TIMEOUT: Policy(Step.SPLIT, may_be_applied=False",
            )
        ],
    ),
    Mutant(
        "no record before sending",
        [Edit(_SENDER, "                await self._minutes.announce(exchange)\n", "                pass\n")],
    ),
    Mutant(
        "no checksum",
        [
            Edit(
                _SEALS,
                "hashlib.blake2b(self.chain.encode() + append, digest_size=12)",
                'hashlib.blake2b(b"", digest_size=12)',
            )
        ],
        test="tests/pure/test_ledger_lines.py",
    ),
    Mutant(
        "no checksum, in a power cut",
        [
            Edit(
                _SEALS,
                "hashlib.blake2b(self.chain.encode() + append, digest_size=12)",
                'hashlib.blake2b(b"", digest_size=12)',
            )
        ],
    ),
    Mutant(
        "a checksum that is not chained",
        [
            Edit(
                _SEALS,
                "hashlib.blake2b(self.chain.encode() + append, digest_size=12)",
                "hashlib.blake2b(append, digest_size=12)",
            )
        ],
        test="tests/pure/test_ledger_lines.py",
    ),
    Mutant(
        "user-space buffering of the ledger",
        [
            Edit(
                _COMMIT,
                "                    await self._store.append(append + seal.encode())\n",
                "                    self._late = getattr(self, '_late', b'') + append + seal.encode()\n"
                "                    if len(self._late) > 4096 or self._closed:\n"
                "                        await self._store.append(self._late)\n"
                "                        self._late = b''\n",
            )
        ],
    ),
    Mutant(
        "retries around the limiter",
        [
            Edit(
                _SENDER,
                "                await means.pace.turn()\n",
                "                await (means.pace.turn() if not exchange.attempts else asyncio.sleep(0))\n",
            ),
            Edit(
                _SENDER,
                "            exchange.left = await pace.leave(organization)\n",
                "            exchange.left = asyncio.get_running_loop().time() if exchange.attempts"
                " else await pace.leave(organization)\n",
            ),
        ],
    ),
    Mutant(
        "order not held across retries",
        [
            Edit(
                "bulk_update.pure.group",
                "            self.under_way.update(ids[:begin])\n        else:\n            self.under_way = set(ids[:begin])\n",
                "            self.under_way.update(ids[:begin])\n        else:\n            self.under_way = set()\n",
            )
        ],
    ),
    Mutant(
        "rows taken whose ids were not looked at",
        [
            Edit(
                "bulk_update.pure.group",
                "rows, begin, last = self.waiting, 0, len(ids)\n",
                "rows, begin, last = self.waiting, 0, len(self.waiting)\n",
            )
        ],
    ),
    Mutant(
        "a backlog that is forgotten",
        [
            Edit(
                "bulk_update.pure.batching",
                "                self._seal(self._groups[batch.organization], early=self._closed or self._is_crammed())\n",
                "                pass\n",
            )
        ],
        test="tests/pure/test_batching.py",
    ),
    Mutant(
        "rows overtake those of their organization that are on disk",
        [
            Edit(
                "bulk_update.pure.batching",
                "            if group.overflowed:\n                group.append_recent(change)\n",
                "            if False:\n                group.append_recent(change)\n",
            )
        ],
    ),
    Mutant(
        "an organization whose rows are on disk taken for a new one",
        [Edit("bulk_update.pure.stowage", "            group.take_over(place)\n", "            pass\n")],
    ),
    Mutant(
        "an answer to another request accepted",
        [
            Edit(
                _WIRE,
                "    if len(verdicts) > len(changes) or not verdicts.keys() <=",
                "    if False and not verdicts.keys() <=",
            )
        ],
    ),
    Mutant(
        "verdicts paired by position",
        [
            Edit(
                _WIRE,
                "    for change in changes:\n        verdict = verdicts.get(change.id)\n",
                "    for change, verdict in zip(changes, [*verdicts.values(), *[None] * len(changes)]):\n",
            )
        ],
    ),
    Mutant(
        "a verdict that is true in some way taken for success",
        [
            Edit(
                _WIRE,
                "class _Verdict(msgspec.Struct, gc=False):\n    success: bool\n",
                "class _Verdict(msgspec.Struct):\n    success: object\n",
            ),
        ],
        test="tests/pure/test_wire.py",
    ),
    Mutant(
        "an id that is named twice in an answer believed",
        [
            Edit(
                _WIRE,
                """body.count(b'"success"') == len(result.data) + 1 and """,
                "result.status or ",
            )
        ],
    ),
    Mutant(
        "resuming by line number",
        [
            Edit(
                "bulk_update.pure.intake",
                '_known_by: Final = attrgetter("organization", "id", "check")\n',
                '_known_by: Final = attrgetter("line")\n',
            ),
            Edit(
                "bulk_update.pure.ledger_state",
                "        keys = row_keys(zip(map(_organization, lines), map(_id, lines), checks, strict=False))\n",
                "        keys = row_keys([line.line for line in lines])\n",
            ),
        ],
    ),
    Mutant(
        "a torn tail glued to the next line",
        [Edit("bulk_update.jobs", "    file.cut(tail, kept)\n", "    kept.name.encode()\n")],
    ),
    Mutant(
        "zeros that a power cut left taken for damage",
        [Edit(_SEALS, "        if _ZERO in tail:\n", "        if not tail:\n")],
    ),
    Mutant(
        "damage at the end taken for a torn tail",
        [
            Edit(
                _SEALS,
                "        if damage is not None:\n            raise damage\n        return tail\n",
                "        return tail\n",
            )
        ],
        test="tests/test_resuming.py",
    ),
    Mutant(
        "an exit code of this run alone",
        [
            Edit(
                "bulk_update.pipeline",
                "    return 1 if is_amiss else 0\n",
                "    return 1 if is_amiss and summary.run_seconds > 1 else 0\n",
            )
        ],
    ),
    Mutant(
        "told before it is on disk",
        [Edit(_COMMIT, "        await ticket.done.wait()\n", "        await anyio.lowlevel.checkpoint()\n")],
    ),
    Mutant(
        "a full disk swallowed",
        [
            Edit(
                _COMMIT,
                "                    await self._store.append(append + seal.encode())\n",
                "                    with contextlib.suppress(OSError):\n"
                "                        await self._store.append(append + seal.encode())\n",
            )
        ],
    ),
    Mutant(
        "what a dead process wrote is not synced",
        [Edit("bulk_update.jobs", "    file.sync()\n", "    pass\n")],
        test="tests/simulation/test_succession.py",
    ),
    Mutant(
        "refused credentials taken for the rows' fault",
        [
            Edit(
                _RETRYING,
                "Trouble.CREDENTIALS: Policy(Step.STOP,",
                "Trouble.CREDENTIALS: Policy(Step.SPLIT,",
            )
        ],
    ),
    Mutant(
        "push-back taken for the rows' fault",
        [Edit(_RETRYING, "Trouble.THROTTLED: Policy(Step.RETRY,", "Trouble.THROTTLED: Policy(Step.SPLIT,")],
    ),
    Mutant(
        "a refusal of the request taken for one of each row",
        [Edit(_SENDER, "case Step.SPLIT if len(part.batch.changes) > 1 and", "case Step.SPLIT if False and")],
    ),
    Mutant(
        "an outage counted against the rows",
        [Edit(_RECOURSE, "policy.counts and health.successes > exchange.successes", "1")],
    ),
    Mutant(
        "a clean refusal after an attempt without an answer",
        [
            Edit(
                _MINUTES,
                "        if is_doubtful or change.doubt or (self.doubtful and _key(change) in self.doubtful):\n",
                "        if False:\n",
            )
        ],
    ),
    Mutant(
        "an older change sent again over a newer one",
        [
            Edit(
                "bulk_update.pure.retry_plan",
                "                row.overwritten |= fields\n",
                "                pass\n",
            )
        ],
    ),
    Mutant(
        "a later change superseded by one that was inserted before it",
        [
            Edit(
                "bulk_update.pure.retry_plan",
                "if row.passed != self._stretch and",
                "if",
            )
        ],
        test="tests/simulation/test_succession.py::test_a_retry_supersedes_no_row_by_one_that_stands_before_it",
    ),
    Mutant(
        "an inserted change left over a later one",
        [
            Edit(
                "bulk_update.pure.intake",
                " and latest > run:\n",
                " and False:\n",
            )
        ],
    ),
    Mutant(
        "equal rows sent once",
        [
            Edit(
                "bulk_update.pure.settled",
                "            bucket[place : place + _WIDTH] = bucket[-_WIDTH:]\n            del bucket[-_WIDTH:]\n"
                "            self._size -= 1\n        return marks\n",
                "        return marks\n",
            )
        ],
    ),
    Mutant(
        "a signal that drops what is in flight",
        [
            Edit(
                _SENDER,
                "                    outcome = await means.transport.post(partial(encode_request, exchange.batch), leave)\n",
                "                    with means.stop.interrupts():\n"
                "                        outcome = await means.transport.post(partial(encode_request, exchange.batch), leave)\n",
            )
        ],
    ),
    Mutant(
        "the rate forgotten between runs",
        [
            Edit(
                "bulk_update.pipeline",
                "        self._pace.remember(self._stage.state.ages(self._stage.clock.seconds()))\n",
                "",
            )
        ],
        test="tests/simulation/test_succession.py",
    ),
    Mutant(
        "a ledger taken away unnoticed",
        [
            Edit(
                _LEDGER,
                "        return os.path.samestat(there, os.fstat(self._descriptor))\n",
                "        return there is not None\n",
            )
        ],
        test="tests/edge/test_rescue.py",
    ),
    Mutant(
        "every HTTP status counted as an answer",
        [
            Edit(
                "bulk_update.pure.ledger_state",
                "        self.requests += is_answered(line)\n",
                "        self.requests += line.http is not None\n",
            )
        ],
    ),
    Mutant(
        "a ping whose failure shows its URL",
        [Edit("bulk_update.edge.ping", "{reason or type(error).__name__}", "{error}")],
        test="tests/edge/test_ping.py",
    ),
    Mutant(
        "an apostrophe that stays in a cell",
        [
            Edit(
                "bulk_update.pure.csv.escapes",
                "            cell = row[column.position].removeprefix(_APOSTROPHE)\n",
                "            cell = row[column.position]\n",
            )
        ],
        test="tests/pure/test_sheet.py",
    ),
    Mutant(
        "a failed row given back as less than it was",
        [
            Edit(
                "bulk_update.pure.csv.sheet",
                "if _says(self._layout, cells, members) else None",
                "",
            )
        ],
        test="tests/pure/test_sheet.py",
    ),
    Mutant(
        "the secret of a signed URL shown",
        [
            Edit(
                "bulk_update.pure.names",
                '    place = re.split(r"[?#]", rest, maxsplit=1)[0]\n',
                "    place = rest\n",
            )
        ],
        test="tests/edge/test_remote.py",
    ),
    Mutant(
        "a secret cut before it is struck out",
        [Edit(_WIRE, "answer.redact(text[:_READ])", "answer.redact(text[:most])")],
        test="tests/pure/test_wire_secrets.py",
    ),
    Mutant(
        "an escaped secret not struck out",
        [
            Edit(
                "bulk_update.pure.redaction",
                "if secret.beginning in text or _HINTS.search(text):",
                "if secret.beginning in text:",
            )
        ],
        test="tests/pure/test_redaction.py",
    ),
    Mutant(
        "a secret that was replaced not struck out",
        [
            Edit(
                "bulk_update.edge.transport",
                "self._redact.add(credentials.api_key, credentials.auth_token)",
                "self._redact = Redaction(credentials.api_key, credentials.auth_token)",
            )
        ],
        test="tests/edge/test_transport.py",
    ),
)
