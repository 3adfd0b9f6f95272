"""The batches that may leave: organizations take turns, so that one with many holds up no other."""

from collections import OrderedDict, deque
from collections.abc import Collection

from bulk_update.model import Batch


class Ready:
    """Hand out batches, those of one organization in the order in which they were made.

    Nothing here takes longer where there are more batches.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Batch]] = OrderedDict()
        """By organization, the one whose turn is next first."""
        self._resting: dict[str, deque[Batch]] = {}
        self._count = 0

    def __len__(self) -> int:
        """Count the batches of organizations that do not rest."""
        return self._count

    def count(self, organization: str) -> int:
        """Count the batches of an organization, whether it rests or not."""
        return len(self._lines.get(organization, ())) + len(self._resting.get(organization, ()))

    def append(self, batch: Batch) -> None:
        """Let a batch wait for its organization's turn, behind the others of it."""
        line = self._lines.get(batch.organization)
        if line is None:
            self._lines[batch.organization] = deque((batch,))
        else:
            line.append(batch)
        self._count += 1

    def take(self, passing_over: Collection[str]) -> Batch | None:
        """Hand out the next batch, None where there is none; organizations that are passed over keep their turn."""
        for organization, line in self._lines.items():
            if organization not in passing_over:
                batch = line.popleft()
                if line:
                    self._lines.move_to_end(organization)
                else:
                    del self._lines[organization]
                self._count -= 1
                return batch
        return None

    def rest(self, organization: str) -> None:
        """Keep back the batches of an organization."""
        line = self._lines.pop(organization, None)
        if line is not None:
            self._resting[organization] = line
            self._count -= len(line)

    def resume(self, organization: str) -> None:
        """Let the batches of an organization that rested leave again, before others of it."""
        line = self._resting.pop(organization, None)
        if line is not None:
            self._count += len(line)
            line.extend(self._lines.get(organization, ()))
            self._lines[organization] = line
