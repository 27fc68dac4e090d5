"""What methods work with: the ports, the settings, and the request that they are part of."""

from typing import Protocol

from msgspec import Struct, field

from postroad.mailbox.quota import Quotas
from postroad.model import Account, Address, Change, Group
from postroad.ports import (
    Clock,
    ContentStore,
    EmailStore,
    Entropy,
    Entry,
    Ledger,
    MailboxStore,
    OwnerStore,
    QueueStore,
)
from postroad.service.jmap.counting import KnownCounts
from postroad.service.jmap.ids import Kind, read, show
from postroad.service.jmap.lists import KnownLists
from postroad.service.jmap.noticing import Noticing
from postroad.service.postings import Postings
from postroad.service.recipients import Recipients
from postroad.wire.jmap import Arguments, Limits, MethodError


class Lessons(Protocol):
    """What is learned from mail that its owner moves."""

    async def of_move(
        self, account: int, entries: list[Entry], from_name: str, into_name: str
    ) -> list[Change]:
        """Return what to commit together with the move. Raises `StorageError`."""
        ...


class JmapSettings(Struct, frozen=True):
    """`limits` of requests; `max_message_octets` is how long a message may be that is made or sent here,
    `max_recipients` to how many it may go, `hold_max_seconds` how long it may wait before that; what was
    uploaded is kept for `keep_upload_seconds`, and of what was sent, the `keep_submissions` newest are
    remembered. A first look at a large mailbox lets a request wait for `notice_seconds`.
    """

    hostname: str = "localhost"
    limits: Limits = Limits()
    max_message_octets: int = 50_000_000
    max_recipients: int = 1_000
    hold_max_seconds: int = 31 * 86_400
    max_mailboxes: int = 1_000
    keep_upload_seconds: float = 86_400.0
    keep_submissions: int = 1_000
    notice_seconds: float = 10.0


class Desk(Struct):
    """The ports and what is kept between requests."""

    ledger: Ledger
    mailboxes: MailboxStore
    emails: EmailStore
    content: ContentStore
    queue: QueueStore
    owners: OwnerStore
    clock: Clock
    entropy: Entropy
    recipients: Recipients
    postings: Postings
    settings: JmapSettings
    noticing: Noticing
    counts: KnownCounts
    lessons: Lessons | None = None
    quotas: Quotas | None = None
    lists: KnownLists = field(default_factory=KnownLists)

    async def commit(self, *changes: Change) -> None:
        """Commit what needs no content. Raises `StorageError`."""
        if changes:
            await self.ledger.commit(Group(changes))


class Context(Struct):
    """One request of an account. `created` tells what creation ids stand for by now; `client` is the IP
    address that the request came from, `tls` how that was secured.
    """

    desk: Desk
    account: Account
    created: dict[str, str]
    client: str = ""
    tls: str | None = None

    @property
    def number(self) -> int:
        """The account's id in the store."""
        return self.account.id

    @property
    def account_id(self) -> str:
        """The account's id as clients know it."""
        return show(Kind.ACCOUNT, self.account.id)

    @property
    def address(self) -> Address:
        """The account's address."""
        return self.account.address

    def own_account(self, arguments: Arguments, name: str = "accountId") -> None:
        """Take the argument that says which account. Raises `MethodError`."""
        given = arguments.take(name)
        if not isinstance(given, str):
            raise MethodError("invalidArguments", f"{name} has to be an id")
        if given != self.account_id:
            kind = "accountNotFound" if name == "accountId" else "fromAccountNotFound"
            raise MethodError(kind, "there is no such account for this login")

    def meant(self, text: object) -> object:
        """Return what an id stands for that may be a creation id (``#name``)."""
        if isinstance(text, str) and text.startswith("#"):
            return self.created.get(text[1:], text)
        return text

    def read(self, kind: Kind, text: object) -> int | None:
        """Return the number of an id, or of what was created by that name."""
        return read(kind, self.meant(text))

    async def state(self) -> int:
        """Return the state of the account's mail, in which all is noticed. Raises `MethodError`."""
        await self.desk.noticing.catch_up(self.number)
        return (await self.desk.emails.state(self.number)).state
