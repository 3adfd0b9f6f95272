"""The batches that may leave: organizations take turns, so that one with many holds up no other."""

from collections import OrderedDict, deque
from collections.abc import Collection, Sequence

from bulk_update.model import Batch


class Ready:
    """Hand out batches, those of one organization in the order in which they were made.

    Nothing here takes longer where there are more batches.
    """

    def __init__(self) -> None:
        self._lines: OrderedDict[str, deque[Batch]] = OrderedDict()
        """By organization, the one whose turn is next first."""
        self._count = 0

    def __len__(self) -> int:
        """Count the batches."""
        return self._count

    def count(self, organization: str) -> int:
        """Count the batches of an organization."""
        return len(self._lines.get(organization, ()))

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

    def withdraw(self, organization: str) -> Sequence[Batch]:
        """Give back the batches of an organization, in their order: they may not leave now."""
        line = self._lines.pop(organization, ())
        self._count -= len(line)
        return line
