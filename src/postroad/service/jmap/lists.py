"""Long lists that clients read piece by piece, kept as long as the account's state is the same."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable

Found = list[tuple[int, int]]

KEEP_LISTS = 16


class KnownLists:
    """Remembers the lists that were asked for last."""

    def __init__(self) -> None:
        self._known: OrderedDict[Hashable, Found] = OrderedDict()

    async def of(self, key: Hashable, find: Callable[[], Awaitable[Found]]) -> Found:
        """Return the list of that key, which tells of account, state and query; found if need be."""
        known = self._known.get(key)
        if known is not None:
            self._known.move_to_end(key)
            return known
        found = await find()
        self._known[key] = found
        if len(self._known) > KEEP_LISTS:
            self._known.popitem(last=False)
        return found
