"""The storage ports on a `State`. Nothing here waits, so the order of calls is the order of events."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence

import msgspec
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Account,
    Address,
    Alias,
    AppPassword,
    Attempted,
    ContentRef,
    Delivery,
    DeliveryState,
    Domain,
    Dropped,
    Group,
    Held,
    LeasedDelivery,
    Login,
    LoginResult,
    Mailbox,
    Message,
    PutOff,
    Retried,
    Staged,
    StsPolicy,
    TlsResult,
    format_id,
    heir_of,
)
from postroad.ports import (
    AtHand,
    Entry,
    JourneyEvent,
    Lease,
    Listing,
    MailboxStatus,
    QueueFilter,
    QueueItem,
    StorageError,
)
from postroad.storage.memory.apply import Application
from postroad.storage.memory.state import QueuedDelivery, State
from postroad.storage.search import bracketed, fold

_OF_DELIVERIES = (Accepted, Attempted, Held, Retried, Dropped, PutOff)

BeforeCommit = Callable[[Group], None]


class MemoryLedger:
    """See `ports.Ledger`."""

    def __init__(self, state: State, staged: dict[int, bytes], before: BeforeCommit | None) -> None:
        self._state = state
        self._staged = staged
        self.before_commit = before

    async def commit(self, group: Group) -> None:
        """Apply the group, or raise and leave everything as it was."""
        if self.before_commit is not None:
            self.before_commit(group)
        application = Application(self._state)
        try:
            application.apply(group, self._staged)
        except BaseException:
            application.undo.roll_back()
            raise


class MemoryQueue:
    """See `ports.QueueStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def lease(
        self,
        *,
        now: float,
        until: float,
        node: str,
        limit: int,
        exclude: Collection[str] = (),
    ) -> list[LeasedDelivery]:
        """Lease up to `limit` deliveries that are due, the longest due first."""
        due = [(wake_at, key) for wake_at, key, queued in self._waiting(exclude) if wake_at <= now]
        grouped: dict[tuple[int, str, str], list[Delivery]] = {}
        for _, key in sorted(due)[: max(limit, 0)]:
            before = self._state.deliveries[key].node or ""
            delivery = replace(self._state.deliveries[key].delivery, state=DeliveryState.LEASED)
            heir = heir_of(before, node)
            self._state.deliveries[key] = QueuedDelivery(delivery, until, heir, None)
            grouped.setdefault((key[0], delivery.destination, before), []).append(delivery)
        return [
            LeasedDelivery(self._state.messages[message], tuple(deliveries), before)
            for (message, _, before), deliveries in grouped.items()
        ]

    async def leased_by(self, nodes: Collection[str]) -> list[tuple[str, LeasedDelivery]]:
        """Return all that is leased under these names, each with its name."""
        grouped: dict[tuple[str, int, str], list[Delivery]] = {}
        for key, queued in sorted(self._state.deliveries.items(), key=lambda item: item[0]):
            delivery, node = queued.delivery, queued.node
            if delivery.state is DeliveryState.LEASED and node is not None and node in nodes:
                grouped.setdefault((node, key[0], delivery.destination), []).append(delivery)
        return [
            (node, LeasedDelivery(self._state.messages[message], tuple(deliveries)))
            for (node, message, _), deliveries in grouped.items()
        ]

    async def nodes(self) -> list[str]:
        """Return the names under which deliveries are leased."""
        return sorted({each.node for each in self._state.deliveries.values() if each.node})

    async def next_due(self, exclude: Collection[str] = ()) -> float | None:
        """Return when the next delivery is due (or its lease runs out), None where none waits."""
        return min((wake_at for wake_at, _, _ in self._waiting(exclude)), default=None)

    async def message(self, message: int) -> Message | None:
        """Return an accepted message."""
        return self._state.messages.get(message)

    async def deliveries(self, message: int) -> list[Delivery]:
        """Return all deliveries of a message, by ordinal."""
        return [queued.delivery for queued in self._state.ordinals(message)]

    async def several(self, messages: Sequence[int]) -> list[tuple[Message, list[Delivery]]]:
        """Return messages with all their deliveries, in the order asked for."""
        known = self._state.messages
        return [(known[each], await self.deliveries(each)) for each in messages if each in known]

    async def leases(self, message: int) -> list[Lease]:
        """Return who has deliveries of a message in hand, by ordinal."""
        return [
            Lease(queued.delivery.ordinal, queued.node or "", queued.wake_at or 0.0)
            for queued in self._state.ordinals(message)
            if queued.delivery.state is DeliveryState.LEASED
        ]

    async def find(self, query: QueueFilter) -> list[QueueItem]:
        """Return deliveries that fit, oldest message first."""
        return self._fitting(query)[: query.limit]

    async def count(self, query: QueueFilter) -> int:
        """Return how many deliveries fit."""
        return len(self._fitting(query))

    def _fitting(self, query: QueueFilter) -> list[QueueItem]:
        items = []
        for (number, ordinal), queued in sorted(
            self._state.deliveries.items(), key=lambda item: item[0]
        ):
            message, delivery = self._state.messages[number], queued.delivery
            if (
                delivery.state in query.states
                and (number, ordinal) > query.after
                and query.destination in (None, delivery.destination)
                and query.message in (None, number)
                and _fits(query.sender, message.envelope.sender)
                and _fits(query.recipient, delivery.recipient)
            ):
                items.append(QueueItem(message, delivery))
        return items

    async def counts(self) -> dict[DeliveryState, int]:
        """Return how many deliveries are due, leased and held."""
        counts = {DeliveryState.DUE: 0, DeliveryState.LEASED: 0, DeliveryState.HELD: 0}
        for queued in self._state.deliveries.values():
            if queued.ended_at is None:
                counts[queued.delivery.state] += 1
        return counts

    async def steered(self, after: int | None) -> tuple[int, list[Held | Retried | Dropped]]:
        """Return what operators did after that place in the journey, and the next place."""
        end = max(self._state.journey, default=0)
        if after is None:
            return end, []
        changes = [
            event.change
            for sequence, (_, event) in self._state.journey.items()
            if sequence > after and isinstance(event.change, Held | Retried | Dropped)
        ]
        return end, changes

    def _waiting(
        self, exclude: Collection[str]
    ) -> Iterable[tuple[float, tuple[int, int], QueuedDelivery]]:
        for key, queued in self._state.deliveries.items():
            if queued.wake_at is not None and queued.delivery.destination not in exclude:
                yield queued.wake_at, key, queued


class MemoryDirectory:
    """See `ports.Directory`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def domain(self, name: str) -> Domain | None:
        """Return the local domain of that name."""
        return self._state.domains.get(name)

    async def account(self, address: Address) -> Account | None:
        """Return the account of exactly that address."""
        return self._state.account_of(address)

    async def account_by_id(self, account: int) -> Account | None:
        """Return the account of that id."""
        return self._state.accounts.get(account)

    async def app_passwords(self, account: int) -> list[AppPassword]:
        """Return the app passwords of an account, by name."""
        found = (a for a in self._state.app_passwords.values() if a.account == account)
        return sorted(found, key=lambda app_password: app_password.name)

    async def alias(self, address: Address) -> Alias | None:
        """Return the alias of exactly that address."""
        return self._state.aliases.get(address.folded)

    async def domains(self) -> list[Domain]:
        """Return all, by name."""
        return sorted(self._state.domains.values(), key=lambda domain: domain.name)

    async def accounts(self, domain: str | None = None) -> list[Account]:
        """Return all, or those of a domain, by address."""
        found = (a for a in self._state.accounts.values() if domain in (None, a.address.domain))
        return sorted(found, key=lambda account: account.address.folded)

    async def aliases(self, domain: str | None = None) -> list[Alias]:
        """Return all, or those of a domain, by address."""
        found = (a for a in self._state.aliases.values() if domain in (None, a.address.domain))
        return sorted(found, key=lambda alias: alias.address.folded)


class MemoryLogins:
    """See `ports.LoginStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def newest(
        self,
        username: str | None = None,
        *,
        failed: bool = False,
        since: float | None = None,
        limit: int = 50,
    ) -> list[Login]:
        """Return the newest logins."""
        found = [
            login
            for _, login in sorted(self._state.logins.items(), reverse=True)
            if username in (None, login.username)
            and not (failed and login.result is LoginResult.OK)
            and (since is None or login.last_at >= since)
        ]
        return found[:limit]


class MemoryMailboxes:
    """See `ports.MailboxStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def mailbox(self, mailbox: int) -> Mailbox | None:
        """Return the mailbox of that id, None where there is none (any more)."""
        stored = self._state.mailboxes.get(mailbox)
        return None if stored is None else stored.mailbox

    async def named(self, account: int, name: str) -> Mailbox | None:
        """Return an account's mailbox of that name, None where there is none."""
        for stored in self._state.mailboxes.values():
            if (stored.mailbox.account, stored.mailbox.name) == (account, name):
                return stored.mailbox
        return None

    async def of_account(self, account: int) -> list[MailboxStatus]:
        """Return an account's mailboxes in the order of their names."""
        found = []
        for number, stored in self._state.mailboxes.items():
            if stored.mailbox.account == account:
                sizes = [entry.size for entry in self._state.entries[number].values()]
                status = MailboxStatus(
                    stored.mailbox, len(sizes), sum(sizes), stored.uid_next, stored.modseq
                )
                found.append(status)
        return sorted(found, key=lambda status: status.mailbox.name)

    async def listing(self, mailbox: int) -> Listing | None:
        """Return uids and sizes of all entries, None where there is no such mailbox."""
        stored = self._state.mailboxes.get(mailbox)
        if stored is None:
            return None
        entries = sorted(self._state.entries[mailbox].values(), key=lambda entry: entry.uid)
        return Listing(stored.mailbox, [e.uid for e in entries], [e.size for e in entries])

    async def entries(self, mailbox: int, uids: Sequence[int]) -> list[Entry]:
        """Return these entries in the order asked; those that are gone are left out."""
        entries = self._state.entries.get(mailbox, {})
        return [entries[uid] for uid in uids if uid in entries]

    async def at_hand(self, mailbox: int, first: int, last: int, max_octets: int) -> list[AtHand]:
        """Return small entries of a range of uids with their bytes; here all are at hand."""
        contents = self._state.contents
        entries = self._state.entries.get(mailbox, {})
        return [
            (uid, entry.prefix, contents[entry.content.id], entry.content.plain)
            for uid, entry in sorted(entries.items())
            if first <= uid <= last and entry.size <= max_octets
        ]


class MemoryLocks:
    """See `ports.MailboxLocks`; of this process alone."""

    def __init__(self) -> None:
        self._held: set[int] = set()

    async def acquire(self, mailbox: int) -> bool:
        """Take the lock; False where another session has it."""
        if mailbox in self._held:
            return False
        self._held.add(mailbox)
        return True

    def release(self, mailbox: int) -> None:
        """Give it back."""
        self._held.discard(mailbox)


class MemoryJourney:
    """See `ports.JourneyStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def events(self, message: int) -> list[JourneyEvent]:
        """Return all events of a message, in the order they were committed."""
        return [event for about, event in self._state.journey.values() if about == message]

    async def find(
        self,
        *,
        message_id: str | None = None,
        address: str | None = None,
        since: float | None = None,
        limit: int = 20,
    ) -> list[Message]:
        """Return messages by Message-ID header, by sender or recipient, or both; newest first."""
        found = [
            message
            for message in sorted(self._state.messages.values(), key=lambda m: m.id, reverse=True)
            if (since is None or message.accepted_at >= since)
            and (message_id is None or message.message_id == bracketed(message_id))
            and (address is None or self._concerns(message, fold(address)))
        ]
        return found[:limit]

    async def after(self, sequence: int, limit: int = 1000) -> list[JourneyEvent]:
        """Return events of all messages committed after `sequence`."""
        events = [event for _, event in self._state.journey.values() if event.sequence > sequence]
        return events[:limit]

    async def pages(self, until: float) -> AsyncIterator[list[JourneyEvent]]:
        """Yield what happened to deliveries up to `until`."""
        events = [event for _, event in self._state.journey.values() if event.at <= until]
        yield [event for event in events if isinstance(event.change, _OF_DELIVERIES)]

    def _concerns(self, message: Message, folded: str) -> bool:
        sender = message.envelope.sender
        return (sender is not None and sender.folded == folded) or any(
            folded in (queued.delivery.recipient.folded, queued.delivery.original.folded)
            for queued in self._state.ordinals(message.id)
        )


class MemorySecurity:
    """See `ports.SecurityStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def sts_policy(self, domain: str) -> StsPolicy | None:
        """Return the policy kept for a domain."""
        return self._state.sts_policies.get(domain)

    async def tls_days(self, before: str, limit: int = 100) -> list[tuple[str, str]]:
        """Return (day, domain) of which there are results."""
        return sorted(key for key in self._state.tls_results if key[0] < before)[:limit]

    async def tls_results(self, day: str, domain: str) -> list[tuple[TlsResult, int]]:
        """Return the results of a domain's day."""
        found = self._state.tls_results.get((day, domain), {})
        return sorted(found.items(), key=lambda item: msgspec.json.encode(item[0]))


class MemoryContents:
    """See `ports.ContentStore`. What is larger than `inline_max_octets` counts as a file: it is
    here from `finish` on, and not in the group.
    """

    def __init__(self, state: State, staged: dict[int, bytes], inline_max_octets: int) -> None:
        self._state = state
        self._staged = staged
        self._inline_max_octets = inline_max_octets

    def stage(self, content_id: int) -> "MemoryContentWriter":
        """Begin a new content."""
        return MemoryContentWriter(content_id, self._staged, self._inline_max_octets)

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        """Return the octets from `offset`, at most `limit`; ``b""`` past the end."""
        data = self._state.contents.get(ref.id)
        if data is None:
            raise StorageError(
                f"Content {format_id(ref.id)} is gone: its deliveries ended and no mailbox has it."
            )
        return data[offset : None if limit is None else offset + limit]


class MemoryContentWriter:
    """See `ports.ContentWriter`."""

    def __init__(self, content_id: int, staged: dict[int, bytes], inline_max_octets: int) -> None:
        self._id = content_id
        self._staged = staged
        self._inline_max_octets = inline_max_octets
        self._data = bytearray()
        self._finished = False

    @property
    def size(self) -> int:
        """Octets written so far."""
        return len(self._data)

    def write(self, chunk: bytes) -> None:
        """Add bytes."""
        self._check()
        self._data += chunk

    async def finish(self, above: bytes = b"") -> Staged:
        """Return what `Ledger.commit` needs."""
        self._check()
        self._finished = True
        data = above + self._data
        ref = ContentRef(self._id, len(data))
        if len(data) <= self._inline_max_octets:
            return Staged(ref, data)
        self._staged[self._id] = data
        return Staged(ref, None)

    def discard(self) -> None:
        """Forget it all."""
        self._finished = True
        self._data.clear()
        self._staged.pop(self._id, None)

    def _check(self) -> None:
        if self._finished:
            raise StorageError(f"Content {format_id(self._id)} is finished or discarded already.")


def _fits(wanted: str | None, address: Address | None) -> bool:
    if wanted is None:
        return True
    folded = "" if address is None else address.folded
    return folded.endswith(wanted.lower()) if wanted.startswith("@") else folded == fold(wanted)
