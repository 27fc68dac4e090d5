"""`ports.Ledger`: groups become rows at once, and wait for the writer."""

from collections.abc import Callable, Sequence
from functools import partial

from postroad.model import AccountRemoved, Expunged, Group, JunkLearned, Moved
from postroad.storage.sql.batches import Batches
from postroad.storage.sql.rows import Rows, plan

LONG_EXPUNGE_UIDS = 1000


class SqlLedger:
    """Applies groups through the one writer. See `ports.Ledger`.

    A caller that is cancelled while it waits does not undo its group. `let_go` is told of contents that
    were staged in files, once their commit is over.
    """

    def __init__(self, writer: Batches, let_go: Callable[[Sequence[int]], None]) -> None:
        self._writer = writer
        self._let_go = let_go

    async def commit(self, group: Group) -> None:
        """Apply the group atomically; on stable storage when this returns. Raises `StorageError`."""
        item = self._writer.new_item()
        planned = plan(group)
        if isinstance(planned, Rows):
            item.rows = planned
        else:
            item.steps = planned
            item.long = item.alone = any(map(_is_long, group.changes))
        for staged in group.contents:
            if staged.data is not None:
                item.octets += staged.ref.size
            else:
                item.future.add_done_callback(partial(self._over, staged.ref.id))
        self._writer.put(item)
        await item.future

    def _over(self, content: int, future: object) -> None:
        self._let_go((content,))


def _is_long(change: object) -> bool:
    """Whether applying it would keep the event loop from its work for too long."""
    return isinstance(change, AccountRemoved | JunkLearned) or (
        isinstance(change, Expunged | Moved) and len(change.uids) > LONG_EXPUNGE_UIDS
    )
