"""What the contract suite needs: stores that can be opened again, and messages to put in them."""

import itertools
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Protocol

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    Address,
    AppPassword,
    Attempted,
    Change,
    ContentRef,
    Delivered,
    Delivery,
    DeliveryState,
    Deposited,
    Domain,
    DomainAdded,
    Envelope,
    Group,
    Message,
    Origin,
    Outcome,
    Recipient,
    Reply,
    Result,
    Scope,
    ScramKeys,
    ServerKind,
    Staged,
    TemporaryFailure,
)
from postroad.ports import (
    ApiKeyStore,
    ContentStore,
    Directory,
    Duties,
    EmailStore,
    FigureStore,
    JourneyStore,
    JunkStore,
    LabelStore,
    Ledger,
    LoginStore,
    MailboxLocks,
    MailboxStore,
    OwnerStore,
    QueueStore,
    SecurityStore,
    SessionStore,
    SourceStore,
    StandingStore,
    StorageError,
    SuppressionStore,
    TemplateStore,
    WebhookStore,
)
from postroad.storage.memory import MemoryStore
from postroad.storage.postgres import PostgresStore
from postroad.storage.sqlite.store import SqliteStore
from tests.postgres import a_database

INLINE_MAX = 1000
SCRAM = ScramKeys(b"salt\x00", 4096, b"\xff" * 32, b"\x01" * 32)


class Store(Protocol):
    """What every store offers."""

    node: str
    secret: bytes

    @property
    def ledger(self) -> Ledger: ...
    @property
    def queue(self) -> QueueStore: ...
    @property
    def directory(self) -> Directory: ...
    @property
    def mailboxes(self) -> MailboxStore: ...
    @property
    def duties(self) -> Duties: ...
    @property
    def locks(self) -> MailboxLocks: ...
    @property
    def journey(self) -> JourneyStore: ...
    @property
    def security(self) -> SecurityStore: ...
    @property
    def sources(self) -> SourceStore: ...
    @property
    def figures(self) -> FigureStore: ...
    @property
    def standing(self) -> StandingStore: ...
    @property
    def api_keys(self) -> ApiKeyStore: ...
    @property
    def sessions(self) -> SessionStore: ...
    @property
    def owners(self) -> OwnerStore: ...
    @property
    def webhooks(self) -> WebhookStore: ...
    @property
    def templates(self) -> TemplateStore: ...
    @property
    def labels(self) -> LabelStore: ...
    @property
    def suppressions(self) -> SuppressionStore: ...
    @property
    def junk(self) -> JunkStore: ...
    @property
    def emails(self) -> EmailStore: ...
    @property
    def logins(self) -> LoginStore: ...
    @property
    def content(self) -> ContentStore: ...
    async def prune(self, before: float) -> int: ...
    async def close(self) -> None: ...


class Place:
    """Where a store lives. `durable` tells whether opening it again finds what was there."""

    durable = True

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Store]:
        store: Store = await self._open()
        try:
            yield store
        finally:
            await store.close()

    async def _open(self) -> Store:
        return await SqliteStore.open(self.path, inline_max_octets=INLINE_MAX)


class UncachedPlace(Place):
    """SQLite without the content cache, so that every read comes from the disk."""

    async def _open(self) -> Store:
        return await SqliteStore.open(self.path, inline_max_octets=INLINE_MAX, cache_max_octets=0)


class MemoryPlace(Place):
    durable = False

    async def _open(self) -> Store:
        return MemoryStore(inline_max_octets=INLINE_MAX)


class PostgresPlace(Place):
    """A schema of its own in the database of the cluster that the tests run."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.url = a_database()

    async def _open(self) -> Store:
        return await PostgresStore.open(self.url, self.path, inline_max_octets=INLINE_MAX)


PLACES: dict[str, Callable[[Path], Place]] = {
    "sqlite": Place,
    "sqlite-uncached": UncachedPlace,
    "memory": MemoryPlace,
    "postgres": PostgresPlace,
}


_numbers = itertools.count(1000)

ANN = Address.parse("Ann@example.org")
BOB = Address.parse("bob@example.org")
FAR = Address.parse("Zoe@far.example")
INBOX = 77
OK = Reply(250, "2.0.0", "Ok")
LATER = Reply(451, "4.3.0", "Later")


def number() -> int:
    """Return an id that no other test uses."""
    return next(_numbers)


async def stage(store: Store, data: bytes, *, content_id: int | None = None) -> Staged:
    writer = store.content.stage(number() if content_id is None else content_id)
    for start in range(0, len(data), 300):
        writer.write(data[start : start + 300])
    assert writer.size == len(data)
    return await writer.finish()


def message_of(
    content: ContentRef,
    *recipients: Address,
    message: int | None = None,
    sender: Address | None = ANN,
    at: float = 100.0,
    message_id: str = "",
) -> Message:
    return Message(
        number() if message is None else message,
        Envelope(sender, tuple(map(Recipient, recipients))),
        content,
        Origin(ServerKind.SUBMISSION, "192.0.2.1"),
        at,
        message_id,
    )


def deliveries_of(
    message: Message, *, due_at: float = 100.0, **fields: Any
) -> tuple[Delivery, ...]:
    """One delivery per recipient: to INBOX for those in example.org, else to the domain."""
    found = []
    for ordinal, recipient in enumerate(message.envelope.recipients):
        address = recipient.address
        local = address.domain == "example.org"
        found.append(
            Delivery(
                message.id,
                ordinal,
                address,
                address,
                "local" if local else address.domain,
                INBOX if local else None,
                due_at=due_at,
                **fields,
            )
        )
    return tuple(found)


async def accept(
    store: Store,
    *recipients: Address,
    data: bytes = b"Subject: x\r\n\r\nHello\r\n",
    due_at: float = 100.0,
    **fields: Any,
) -> Message:
    """Accept a message for these recipients; return it."""
    staged = await stage(store, data, content_id=fields.get("message"))
    message = message_of(staged.ref, *recipients, **fields)
    change = Accepted(message.accepted_at, message, deliveries_of(message, due_at=due_at))
    await store.ledger.commit(Group((change,), (staged,)))
    return message


async def people(store: Store) -> None:
    """Add the domain example.org and Ann, whose inbox is INBOX."""
    await commit(
        store,
        DomainAdded(1.0, Domain("example.org")),
        AccountAdded(1.0, Account(7, ANN, "$argon2id$1", INBOX)),
    )


def app_password(number: int, account: int, name: str) -> AppPassword:
    return AppPassword(number, account, name, (Scope.SMTP, Scope.POP3), b"\xfe" * 32, SCRAM, 5.0)


async def commit(store: Store, *changes: Change, contents: Sequence[Staged] = ()) -> None:
    await store.ledger.commit(Group(changes, tuple(contents)))


def attempted(
    message: Message,
    *results: Result,
    at: float = 110.0,
) -> Attempted:
    return Attempted(at, message.id, at - 1, results)


def result(
    ordinal: int = 0,
    state: DeliveryState = DeliveryState.DELIVERED,
    *,
    due_at: float = 0.0,
    outcome: Outcome | None = None,
    delayed: bool = False,
) -> Result:
    if outcome is None:
        outcome = Delivered(OK) if state is DeliveryState.DELIVERED else TemporaryFailure(LATER)
    return Result(ordinal, outcome, state, due_at, delayed)


def deposited(message: Message, ordinal: int = 0, *, mailbox: int = INBOX) -> Deposited:
    prefix = b"Return-Path: <>\r\n"
    size = len(prefix) + message.content.size
    return Deposited(111.0, message.id, ordinal, mailbox, message.content, prefix, size)


async def readable(store: Store, message: Message) -> bool:
    """Whether the message's content is still there."""
    try:
        return len(await store.content.read(message.content)) == message.content.size
    except StorageError:
        return False
