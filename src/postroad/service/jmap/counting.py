"""How much is in mailboxes, counted once for each state of an account."""

from collections import OrderedDict
from collections.abc import Mapping

from postroad.ports import Counts, EmailStore

KEEP_ACCOUNTS = 1_000


class KnownCounts:
    """Remembers the counts of accounts that were asked for last."""

    def __init__(self, emails: EmailStore) -> None:
        self._emails = emails
        self._known: OrderedDict[int, tuple[int, Mapping[int, Counts]]] = OrderedDict()

    async def of(self, account: int, state: int) -> Mapping[int, Counts]:
        """Return what is in each mailbox that is not empty, as of a state or later."""
        known = self._known.get(account)
        if known is not None and known[0] == state:
            self._known.move_to_end(account)
            return known[1]
        counts = await self._emails.counts(account)
        self._known[account] = (state, counts)
        if len(self._known) > KEEP_ACCOUNTS:
            self._known.popitem(last=False)
        return counts
