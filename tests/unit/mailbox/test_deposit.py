import asyncio

import pytest
from msgspec.structs import replace

from postroad.mailbox.deposit import BATCH, REMEMBER_SECONDS, LocalDeliverer
from postroad.model import (
    JUNK,
    Address,
    ContentRef,
    Delivered,
    Delivery,
    Deposited,
    Envelope,
    LeasedDelivery,
    Mailbox,
    Message,
    Origin,
    PermanentFailure,
    RouteKind,
    ServerKind,
    TemporaryFailure,
)
from postroad.network import SystemEntropy
from postroad.ports import Attempt, Deliverer, RouteFailed
from tests.unit.mailbox.fakes import FakeMailboxes
from tests.unit.service.fakes import FakeClock, FakeDirectory

ANN = Address.parse("ann@example.test")
BOB = Address.parse("bob@example.test")
SENDER = Address.parse("sender@source.test")


class World:
    def __init__(self) -> None:
        self.directory = FakeDirectory()
        self.clock = FakeClock()
        self.store = FakeMailboxes()
        self.store.known.clear()
        self.deliverer = LocalDeliverer(
            mailboxes=self.store,
            directory=self.directory,
            clock=self.clock,
            entropy=SystemEntropy(),
        )

    def add(self, address: str, *, enabled: bool = True) -> int:
        inbox = self.directory.add_account(address, enabled=enabled)
        account = len(self.directory.known_accounts)
        self.store.known[inbox] = Mailbox(inbox, account, "INBOX", 777)
        return inbox

    def attempt(self, *jobs: LeasedDelivery) -> list[Attempt]:
        async def main() -> list[Attempt]:
            session = await self.deliverer.connect(await self.deliverer.route("local"))
            assert session.usable
            assert session.batch == BATCH
            attempts = await session.attempt(jobs)
            await session.close()
            return attempts

        return asyncio.run(main())


def job(number: int, *mailboxes: int | None, sender: Address | None = SENDER) -> LeasedDelivery:
    message = Message(
        id=number,
        envelope=Envelope(sender),
        content=ContentRef(number, 4096),
        origin=Origin(ServerKind.MX),
        accepted_at=1.0,
    )
    deliveries = tuple(
        Delivery(number, ordinal, (ANN, BOB)[ordinal % 2], ANN, "local", mailbox)
        for ordinal, mailbox in enumerate(mailboxes)
    )
    return LeasedDelivery(message, deliveries)


def test_it_is_a_deliverer() -> None:
    deliverer: Deliverer = World().deliverer
    route = asyncio.run(deliverer.route("local"))
    assert (route.kind, route.key, route.domain) == (RouteKind.LOCAL, "local", "local")
    with pytest.raises(RouteFailed):
        asyncio.run(deliverer.route("example.org"))


def test_each_delivery_is_an_entry_with_its_own_prefix() -> None:
    world = World()
    ann, bob = world.add("ann@example.test"), world.add("bob@example.test")
    (attempt,) = world.attempt(job(7, ann, bob))
    assert [ordinal for ordinal, _ in attempt.outcomes] == [0, 1]
    for _, outcome in attempt.outcomes:
        assert isinstance(outcome, Delivered)
        assert (outcome.reply.code, outcome.reply.enhanced) == (250, "2.0.0")
        assert "delivered to mailbox" in outcome.reply.text
    prefix = b"Return-Path: <sender@source.test>\r\nDelivered-To: %b@example.test\r\n"
    first, second = attempt.changes
    assert isinstance(first, Deposited)
    assert isinstance(second, Deposited)
    assert first == Deposited(
        1000.0, 7, 0, ann, ContentRef(7, 4096), prefix % b"ann", len(prefix % b"ann") + 4096
    )
    assert (second.mailbox, second.prefix) == (bob, prefix % b"bob")
    assert second.size == len(second.prefix) + second.content.size
    assert attempt.taken is not None
    assert attempt.taken.kind is RouteKind.LOCAL


def test_the_null_sender_has_an_empty_return_path() -> None:
    world = World()
    (attempt,) = world.attempt(job(7, world.add("ann@example.test"), sender=None))
    (change,) = attempt.changes
    assert isinstance(change, Deposited)
    assert change.prefix.startswith(b"Return-Path: <>\r\n")


def test_missing_and_disabled_mailboxes_fail_for_good_and_alone() -> None:
    world = World()
    ann = world.add("ann@example.test")
    disabled = world.add("bob@example.test", enabled=False)
    orphan = 555
    world.store.known[orphan] = Mailbox(orphan, 999, "INBOX", 1)
    (attempt,) = world.attempt(job(7, None, 12345, disabled, orphan, ann))
    codes = [(type(o), o.reply.enhanced) for _, o in attempt.outcomes]
    assert codes == [
        (PermanentFailure, "5.1.1"),
        (PermanentFailure, "5.1.1"),
        (PermanentFailure, "5.2.1"),
        (PermanentFailure, "5.1.1"),
        (Delivered, "2.0.0"),
    ]
    (change,) = attempt.changes
    assert isinstance(change, Deposited)
    assert (change.ordinal, change.mailbox) == (4, ann)


def test_a_store_that_cannot_say_defers() -> None:
    world = World()
    ann = world.add("ann@example.test")
    world.store.broken.add("mailbox")
    (attempt,) = world.attempt(job(7, ann))
    ((_, outcome),) = attempt.outcomes
    assert isinstance(outcome, TemporaryFailure)
    assert outcome.reply.enhanced == "4.3.0"
    assert attempt.changes == ()


def test_a_mailbox_is_looked_at_once_in_a_while() -> None:
    world = World()
    ann = world.add("ann@example.test")
    world.attempt(job(1, ann))
    world.store.known.clear()
    ((_, outcome),) = world.attempt(job(2, ann))[0].outcomes
    assert isinstance(outcome, Delivered)  # the commit will notice, and the next attempt look again
    world.clock.at += REMEMBER_SECONDS
    ((_, outcome),) = world.attempt(job(2, ann))[0].outcomes
    assert isinstance(outcome, PermanentFailure)


def test_an_attempt_for_each_job_in_order() -> None:
    world = World()
    ann = world.add("ann@example.test")
    attempts = world.attempt(*(job(number, ann) for number in range(1, 101)))
    assert [
        change.message for a in attempts for change in a.changes if isinstance(change, Deposited)
    ] == list(range(1, 101))


def into_junk(leased: LeasedDelivery) -> LeasedDelivery:
    return replace(
        leased, deliveries=tuple(replace(each, folder=JUNK) for each in leased.deliveries)
    )


def test_junk_is_made_with_the_first_message_that_goes_there() -> None:
    world = World()
    ann, bob = world.add("ann@example.test"), world.add("bob@example.test")
    (first, second) = world.attempt(into_junk(job(7, ann, bob)), into_junk(job(8, ann)))
    made = [each.mailbox for each in first.made]
    assert [(each.account, each.name) for each in made] == [(1, JUNK), (2, JUNK)]
    # Nothing is committed yet, so the second attempt proposes the same mailbox again.
    assert [each.mailbox for each in second.made] == made[:1]
    where = [each.mailbox for each in first.changes if isinstance(each, Deposited)]
    assert where == [each.id for each in made]
    for each in made:
        world.store.known[each.id] = each
    (third,) = world.attempt(into_junk(job(9, ann)))
    assert third.made == ()
    assert [each.mailbox for each in third.changes if isinstance(each, Deposited)] == where[:1]


def test_junk_that_cannot_be_asked_for_defers() -> None:
    world = World()
    ann = world.add("ann@example.test")
    world.attempt(job(7, ann))  # the look at the INBOX is remembered now
    world.store.broken.add("mailbox")
    (attempt,) = world.attempt(into_junk(job(8, ann)))
    ((_, outcome),) = attempt.outcomes
    assert isinstance(outcome, TemporaryFailure)
