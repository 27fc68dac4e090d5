"""An account's mail read and written by JMAP, on a store in memory or in a file, without a server."""

import json
from collections.abc import Sequence
from typing import Any

from postroad.mailbox.quota import Quotas, QuotaSettings
from postroad.model import (
    Accepted as AcceptedChange,
)
from postroad.model import (
    Account,
    Alias,
    AliasAdded,
    Attempted,
    Delivered,
    Delivery,
    DeliveryState,
    Deposited,
    Group,
    Message,
    Reply,
    Result,
    Staged,
)
from postroad.network import SystemEntropy
from postroad.policy import Policy
from postroad.service.intake import Intake, IntakeSettings
from postroad.service.jmap import Desk, Jmap, JmapSettings
from postroad.service.jmap.counting import KnownCounts
from postroad.service.jmap.jmap import BLOB, CORE, MAIL, QUOTA, SUBMISSION, VACATION, Visitor
from postroad.service.jmap.noticing import Noticing
from postroad.service.postings import Postings
from postroad.service.recipients import Recipients
from postroad.storage.memory import MemoryStore
from tests.contracts.stores import ANN, INBOX, Store, commit, number, people
from tests.unit.service.fakes import FakeClock

ACCOUNT = Account(7, ANN, "hash", INBOX)


class ShortQueue:
    """Deposits what is for mailboxes here at once; what goes elsewhere waits for ever."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.messages: list[Message] = []
        self.holds = False  # then everything waits

    async def accept(
        self,
        message: Message,
        deliveries: Sequence[Delivery],
        staged: Staged,
        rulings: Any = (),
        first: Any = (),
    ) -> None:
        self.messages.append(message)
        local = [each for each in deliveries if each.mailbox is not None and not self.holds]
        changes: list[Any] = [AcceptedChange(message.accepted_at, message, tuple(deliveries))]
        ok = Delivered(Reply(250, "2.0.0", "Ok"))
        for each in local:
            assert each.mailbox is not None
            content = message.content
            changes.append(
                Deposited(1.0, message.id, each.ordinal, each.mailbox, content, b"", content.size)
            )
        if local:
            results = tuple(Result(each.ordinal, ok, DeliveryState.DELIVERED) for each in local)
            changes.append(Attempted(1.0, message.id, 1.0, results))
        await self._store.ledger.commit(Group(tuple(changes), (staged,)))


class MethodRefused(Exception):
    """A method was answered with an error; `told` is that."""

    def __init__(self, told: dict[str, Any]) -> None:
        super().__init__(str(told))
        self.told = told


class Reader:
    """Ann's mail client."""

    def __init__(
        self,
        store: Store,
        policy: Policy | None = None,
        quotas: QuotaSettings | None = None,
        **settings: Any,
    ) -> None:
        self.store = store
        self.clock = FakeClock()
        entropy: Any = SystemEntropy()
        self.queue = ShortQueue(store)
        queue: Any = self.queue
        self.recipients = Recipients(store.directory, hostname="mx.example.org")
        intake: Any = Intake(
            queue=queue,
            content=store.content,
            recipients=self.recipients,
            clock=self.clock,
            entropy=entropy,
            policy=policy or Policy(()),
            settings=IntakeSettings("mx.example.org"),
        )
        self.quotas = Quotas(
            owners=store.owners, mailboxes=store.mailboxes, clock=self.clock, settings=quotas
        )
        noticing = Noticing(
            ledger=store.ledger,
            mailboxes=store.mailboxes,
            emails=store.emails,
            content=store.content,
            clock=self.clock,
            entropy=entropy,
        )
        self.jmap = Jmap(
            Desk(
                ledger=store.ledger,
                mailboxes=store.mailboxes,
                emails=store.emails,
                content=store.content,
                queue=store.queue,
                owners=store.owners,
                clock=self.clock,
                entropy=entropy,
                recipients=self.recipients,
                postings=Postings(intake),
                settings=JmapSettings(hostname="mx.example.org", **settings),
                noticing=noticing,
                counts=KnownCounts(store.emails),
                quotas=self.quotas,
            )
        )
        self.account_id = self.jmap.session(ACCOUNT, "")["primaryAccounts"][MAIL]

    @classmethod
    async def open(
        cls, store: Store | None = None, policy: Policy | None = None, **settings: Any
    ) -> "Reader":
        """Return one whose account was never looked at; `other@` is an alias of Ann's."""
        store = store or MemoryStore()
        await people(store)
        await commit(store, AliasAdded(1.0, Alias(ANN.parse("other@example.org"), (ANN,))))
        return cls(store, policy, **settings)

    async def request(self, *calls: Any, **more: Any) -> dict[str, Any]:
        """Send calls (name, arguments, id) and return the whole answer."""
        data = {
            "using": [CORE, MAIL, SUBMISSION, VACATION, QUOTA, BLOB],
            "methodCalls": calls,
            **more,
        }
        answer = await self.jmap.handle(ACCOUNT, json.dumps(data).encode(), Visitor("192.0.2.1"))
        found: dict[str, Any] = json.loads(answer)
        return found

    async def calls(self, *calls: Any) -> list[Any]:
        """Send calls and return the responses; each gets the account's id."""
        full = [
            (name, {"accountId": self.account_id, **given}, call) for name, given, call in calls
        ]
        answer = await self.request(*full)
        responses: list[Any] = answer["methodResponses"]
        return responses

    async def call(self, method: str, **arguments: Any) -> dict[str, Any]:
        """Send one call and return the arguments of its response. Raises `MethodRefused`."""
        (name, told, _), *_ = await self.calls((method, arguments, "0"))
        if name == "error":
            raise MethodRefused(told)
        assert name == method
        found: dict[str, Any] = told
        return found

    async def arrive(self, data: bytes, mailbox: int = INBOX) -> None:
        """Have a message deposited."""
        from tests.contracts.stores import accept, attempted, deposited, result

        message = await accept(self.store, ANN, data=data)
        change = deposited(message, mailbox=mailbox)
        await commit(self.store, attempted(message, result()), change)

    async def boxes(self) -> dict[str, str]:
        """Return the ids of mailboxes by name."""
        found = await self.call("Mailbox/get")
        return {each["name"]: each["id"] for each in found["list"]}

    async def ids(self, **query: Any) -> list[str]:
        """Return the ids that a query finds."""
        found: list[str] = (await self.call("Email/query", **query))["ids"]
        return found

    async def file(self, box: str, *keywords: str, **properties: Any) -> str:
        """Make an email; return its id."""
        given = {
            "mailboxIds": {(await self.boxes())[box]: True},
            "keywords": dict.fromkeys(keywords, True),
            **properties,
        }
        told = await self.call("Email/set", create={"x": given})
        assert told["notCreated"] is None, told
        found: str = told["created"]["x"]["id"]
        return found


def letter(
    subject: str, *, body: str = "Hello\r\n", number_: int | None = None, more: str = ""
) -> bytes:
    """Return a letter with a Message-ID of its own."""
    own = number() if number_ is None else number_
    return (
        f"From: Bob <bob@far.example>\r\nTo: ann@example.org\r\nSubject: {subject}\r\n"
        f"Date: Wed, 25 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{own}@far.example>\r\n{more}\r\n{body}"
    ).encode()
