"""What the memory store remembers, and how one change alters it.

A group is applied to the state itself; `Undo` notes how to take each alteration back, so that a
group that fails half-way leaves nothing.
"""

from collections.abc import Callable, Hashable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import (
    Account,
    Address,
    Alias,
    ApiKey,
    AppPassword,
    Delivery,
    DeliveryState,
    Domain,
    DomainHistory,
    Grant,
    KeptAnswer,
    Login,
    Mailbox,
    Message,
    Passkey,
    Quota,
    SecondFactor,
    StsPolicy,
    Suppression,
    Template,
    TlsResult,
    Vacation,
    Webhook,
    WebhookPost,
    WebSession,
)
from postroad.ports import Entry, JourneyEvent
from postroad.storage.memory.email_state import EmailTables


class QueuedDelivery(Struct, frozen=True):
    """A delivery with what only the store knows: when to look at it, and who leased it."""

    delivery: Delivery
    wake_at: float | None
    node: str | None
    ended_at: float | None


class StoredMailbox(Struct, frozen=True):
    """A mailbox with its counters."""

    mailbox: Mailbox
    uid_next: int = 1
    modseq: int = 0


class State:
    """Everything, by key."""

    def __init__(self) -> None:
        self.messages: dict[int, Message] = {}
        self.deliveries: dict[tuple[int, int], QueuedDelivery] = {}
        self.contents: dict[int, bytes] = {}
        self.journey: dict[int, tuple[int | None, JourneyEvent]] = {}
        self.domains: dict[str, Domain] = {}
        self.accounts: dict[int, Account] = {}
        self.app_passwords: dict[tuple[int, str], AppPassword] = {}
        self.api_keys: dict[str, ApiKey] = {}
        self.sessions: dict[int, WebSession] = {}
        self.factors: dict[int, SecondFactor] = {}
        self.passkeys: dict[bytes, Passkey] = {}
        self.grants: dict[int, Grant] = {}
        self.quotas: dict[int, tuple[Quota, float]] = {}
        self.vacations: dict[int, Vacation] = {}
        self.vacation_answers: dict[tuple[int, str], float] = {}
        self.figures: dict[tuple[int, int, str, str], tuple[int, ...]] = {}
        self.figure_seconds: dict[tuple[int, int, int], int] = {}
        self.webhooks: dict[str, Webhook] = {}
        self.webhook_cursors: dict[int, int] = {}
        self.webhook_posts: dict[tuple[int, int, int], WebhookPost] = {}
        self.templates: dict[str, tuple[Template, ...]] = {}
        self.answers: dict[tuple[str, str], KeptAnswer] = {}
        self.logins: dict[int, Login] = {}
        self.standing: dict[str, DomainHistory] = {}
        self.suppressions: dict[tuple[str, str], Suppression] = {}
        self.aliases: dict[str, Alias] = {}
        self.mailboxes: dict[int, StoredMailbox] = {}
        self.entries: dict[int, dict[int, Entry]] = {}
        self.junk_totals: dict[int, tuple[int, int]] = {}
        self.junk_tokens: dict[tuple[int, str], tuple[int, int, float]] = {}
        self.junk_lessons: dict[tuple[int, bytes], tuple[bool, float]] = {}
        self.sts_policies: dict[str, StsPolicy] = {}
        self.tls_results: dict[tuple[str, str], dict[TlsResult, int]] = {}
        self.emails = EmailTables()
        self.spent: dict[tuple[int, str, str], int] = {}
        self.next_sequence = 1

    def account_of(self, address: Address) -> Account | None:
        """Return the account of that address."""
        folded = address.folded
        found = (a for a in self.accounts.values() if a.address.folded == folded)
        return next(found, None)

    def ordinals(self, message: int) -> list[QueuedDelivery]:
        """Return the deliveries of a message, by ordinal."""
        found = [item for key, item in self.deliveries.items() if key[0] == message]
        return sorted(found, key=lambda item: item.delivery.ordinal)

    def needed(self, content: int) -> bool:
        """Whether an entry or an unfinished delivery refers to the content."""
        for entries in self.entries.values():
            if any(entry.content.id == content for entry in entries.values()):
                return True
        return any(
            queued.ended_at is None and self.messages[message].content.id == content
            for (message, _), queued in self.deliveries.items()
        )


class Undo:
    """Alters dictionaries and remembers how to take that back."""

    def __init__(self) -> None:
        self._steps: list[Callable[[], None]] = []

    def put(self, where: dict[Any, Any], key: Hashable, value: Any) -> None:
        """Set ``where[key]``."""
        self._remember(where, key)
        where[key] = value

    def delete(self, where: dict[Any, Any], key: Hashable) -> None:
        """Remove ``where[key]``, if it is there."""
        if key in where:
            self._remember(where, key)
            del where[key]

    def roll_back(self) -> None:
        """Take everything back, the last first."""
        while self._steps:
            self._steps.pop()()

    def _remember(self, where: dict[Any, Any], key: Hashable) -> None:
        if key in where:
            old = where[key]
            self._steps.append(lambda: where.__setitem__(key, old))
        else:
            self._steps.append(lambda: where.pop(key, None))


def with_state(queued: QueuedDelivery, state: DeliveryState, **delivery: Any) -> QueuedDelivery:
    """Return the delivery in a new state that is not leased; nothing wakes it unless it is due."""
    new = replace(queued.delivery, state=state, **delivery)
    return QueuedDelivery(
        new, new.due_at if state is DeliveryState.DUE else None, None, queued.ended_at
    )
