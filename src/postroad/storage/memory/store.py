"""The memory store: all storage ports on one state."""

from postroad.storage.duties import AllOurs
from postroad.storage.memory.api_keys import MemoryApiKeys
from postroad.storage.memory.emails import MemoryEmails
from postroad.storage.memory.figures import MemoryFigures
from postroad.storage.memory.junk import MemoryJunk
from postroad.storage.memory.labels import MemoryLabels
from postroad.storage.memory.owners import MemoryOwners
from postroad.storage.memory.ports import (
    BeforeCommit,
    MemoryContents,
    MemoryDirectory,
    MemoryJourney,
    MemoryLedger,
    MemoryLocks,
    MemoryLogins,
    MemoryMailboxes,
    MemoryQueue,
    MemorySecurity,
)
from postroad.storage.memory.sessions import MemorySessions
from postroad.storage.memory.sources import MemorySources
from postroad.storage.memory.standing import MemoryStanding
from postroad.storage.memory.state import State
from postroad.storage.memory.suppression import MemorySuppressions
from postroad.storage.memory.templates import MemoryTemplates
from postroad.storage.memory.webhooks import MemoryWebhooks


class MemoryStore:
    """The same attributes as `SqliteStore`. `before_commit` may refuse a group by raising."""

    def __init__(
        self,
        *,
        inline_max_octets: int = 256 * 1024,
        before_commit: BeforeCommit | None = None,
        node: str = "memory",
    ) -> None:
        self.state = State()
        staged: dict[int, bytes] = {}
        self.node = node
        self.ledger = MemoryLedger(self.state, staged, before_commit)
        self.queue = MemoryQueue(self.state)
        self.directory = MemoryDirectory(self.state)
        self.mailboxes = MemoryMailboxes(self.state)
        self.emails = MemoryEmails(self.state)
        self.locks = MemoryLocks()
        self.duties = AllOurs()
        self.secret = b"memory"
        self.logins = MemoryLogins(self.state)
        self.standing = MemoryStanding(self.state)
        self.sources = MemorySources(self.state)
        self.figures = MemoryFigures(self.state)
        self.junk = MemoryJunk(self.state)
        self.api_keys = MemoryApiKeys(self.state)
        self.sessions = MemorySessions(self.state)
        self.owners = MemoryOwners(self.state)
        self.templates = MemoryTemplates(self.state)
        self.webhooks = MemoryWebhooks(self.state)
        self.labels = MemoryLabels(self.state)
        self.suppressions = MemorySuppressions(self.state)
        self.journey = MemoryJourney(self.state)
        self.security = MemorySecurity(self.state)
        self.content = MemoryContents(self.state, staged, inline_max_octets)

    async def prune(self, before: float) -> int:
        """Remove messages accepted and ended before `before`, with their journeys."""
        state = self.state
        newest = next((about for about, _ in reversed(state.journey.values())), None)
        pruned = [
            number
            for number, message in state.messages.items()
            if number != newest
            and message.accepted_at < before
            and all(
                queued.ended_at is not None and queued.ended_at < before
                for queued in state.ordinals(number)
            )
        ]
        gone = set(pruned)
        for number in pruned:
            del state.messages[number]
        for key in [key for key in state.deliveries if key[0] in gone]:
            del state.deliveries[key]
        for sequence in [s for s, (about, _) in state.journey.items() if about in gone]:
            del state.journey[sequence]
        return len(pruned)

    async def close(self) -> None:
        """Nothing has to be closed."""
