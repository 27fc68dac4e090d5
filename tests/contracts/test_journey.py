"""The journey: order, search, retention, and the state rebuilt from it."""

import asyncio
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    Address,
    Alias,
    AliasAdded,
    AppPasswordAdded,
    AppPasswordRemoved,
    Change,
    DeliveryState,
    Dropped,
    Expunged,
    Group,
    Held,
    Mailbox,
    MailboxAdded,
    Message,
    Moved,
    PasswordSet,
    Retried,
    Suppressed,
    Suppression,
    SuppressionReason,
    Unsuppressed,
)
from postroad.ports import QueueFilter
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    INBOX,
    SCRAM,
    Place,
    Store,
    accept,
    app_password,
    attempted,
    commit,
    deliveries_of,
    deposited,
    message_of,
    people,
    result,
    stage,
)


async def test_events_are_in_the_order_of_the_commits(store: Store) -> None:
    await people(store)
    message = await accept(store, ANN, FAR)
    other = await accept(store, FAR)
    changes: list[Change] = [
        Held(120.0, "ann", ((message.id, 0),)),
        Retried(121.0, "ann", ((message.id, 0),)),
        deposited(message),
        attempted(message, result(0), at=122.0),
        Dropped(123.0, "ann", ((message.id, 1),)),
    ]
    await commit(store, changes[0], changes[1])
    await commit(store, changes[3], changes[2], changes[4])
    events = await store.journey.events(message.id)
    assert isinstance(events[0].change, Accepted)
    assert events[0].change.message == message
    assert [event.change for event in events[1:]] == changes
    assert [event.at for event in events] == [100.0, 120.0, 121.0, 111.0, 122.0, 123.0]
    everything = await store.journey.after(0)
    sequences = [event.sequence for event in everything]
    assert sequences == sorted(set(sequences))
    assert len(everything) == 2 + 2 + 5
    assert await store.journey.after(sequences[3], limit=2) == everything[4:6]
    assert await store.journey.after(sequences[-1]) == []
    assert await store.journey.events(other.id) == [everything[3]]
    assert await store.journey.events(1) == []


async def test_what_is_accepted_and_delivered_at_once_is_told_whole(store: Store) -> None:
    await people(store)
    staged = await stage(store, b"x")
    message = message_of(staged.ref, ANN)
    accepted = Accepted(100.0, message, deliveries_of(message))
    made = (accepted, deposited(message), attempted(message, result()))
    await commit(store, *made, contents=[staged])
    events = await store.journey.events(message.id)
    assert [each.change for each in events] == list(made)


async def test_what_an_operator_does_to_many_is_told_to_each(store: Store) -> None:
    one, two = await accept(store, FAR, ANN), await accept(store, FAR)
    await commit(store, Held(120.0, "ann", ((one.id, 0), (two.id, 0), (one.id, 1))))
    (_, first), (_, second) = [await store.journey.events(message.id) for message in (one, two)]
    assert first.change == Held(120.0, "ann", ((one.id, 0), (one.id, 1)))
    assert second.change == Held(120.0, "ann", ((two.id, 0),))


async def test_find(store: Store) -> None:
    one = await accept(store, FAR, at=100.0, message_id="<a@b>")
    two = await accept(store, ANN, BOB, sender=FAR, at=200.0, message_id="<c@d>")
    staged = await stage(store, b"x")
    three = message_of(staged.ref, FAR, sender=None, at=300.0)
    (delivery,) = deliveries_of(three)
    aliased = replace(delivery, original=Address.parse("Alias@example.org"))
    await commit(store, Accepted(300.0, three, (aliased,)), contents=[staged])

    async def found(**options: Any) -> list[Message]:
        return await store.journey.find(**options)

    assert await found() == [three, two, one]
    assert await found(limit=2) == [three, two]
    assert await found(since=200.0) == [three, two]
    assert await found(message_id="<a@b>") == [one]
    assert await found(message_id="c@d") == [two]
    assert await found(message_id="") == []
    assert await found(address="zoe@FAR.example") == [three, two, one]
    assert await found(address="zoe@far.example", since=150.0, limit=1) == [three]
    assert await found(address="ann@example.org") == [two, one]
    assert await found(address="alias@example.org") == [three]
    assert await found(address="nobody@far.example") == []
    assert await found(address="no address at all") == []
    assert await found(address="ann@example.org", message_id="<a@b>") == [one]
    assert await found(address="bob@example.org", message_id="<a@b>") == []
    await commit(store, attempted(one, result()))
    assert await found(message_id="<a@b>") == [one], "also when it is done"


async def test_retention(store: Store) -> None:
    await people(store)
    old = [await accept(store, FAR, at=10.0, message_id=f"<{turn}@x>") for turn in range(450)]
    for message in old:
        await commit(store, attempted(message, result(), at=20.0))
    waiting = await accept(store, FAR, at=10.0)
    slow = await accept(store, FAR, at=10.0)
    kept = await accept(store, ANN, at=10.0)
    await commit(store, attempted(kept, result(), at=20.0), deposited(kept))
    await commit(store, attempted(slow, result(), at=80.0))
    assert await store.prune(50.0) == 451
    assert await store.queue.message(old[0].id) is None
    assert await store.queue.deliveries(old[0].id) == []
    assert await store.journey.events(old[0].id) == []
    assert await store.journey.find(message_id="<3@x>") == []
    assert [m.id for m in await store.journey.find()] == [slow.id, waiting.id]
    assert await store.content.read(kept.content) == b"Subject: x\r\n\r\nHello\r\n"
    assert await store.directory.account(ANN) is not None
    last = (await store.journey.after(0))[-1].sequence
    assert await store.prune(5000.0) in (0, 1)
    await accept(store, FAR)
    assert (await store.journey.after(0))[-1].sequence > last, "a sequence is never given again"
    await commit(store, Expunged(90.0, INBOX, (1,)))


async def picture(store: Store) -> list[Any]:
    """The state of queue, directory and mailboxes, without contents and leases."""
    items = await store.queue.find(QueueFilter(states=tuple(DeliveryState), limit=10_000))
    seen: list[Any] = [(item.message, _without_lease(item.delivery)) for item in items]
    seen += await store.directory.domains()
    seen += await store.directory.aliases()
    seen += await store.suppressions.page()
    for account in await store.directory.accounts():
        listing = await store.mailboxes.listing(account.inbox)
        assert listing is not None
        seen += await store.directory.app_passwords(account.id)
        seen += await store.mailboxes.of_account(account.id)
        seen += [account, listing.mailbox, list(listing.uids), list(listing.sizes)]
        seen += await store.mailboxes.entries(account.inbox, listing.uids)
    return seen


def _without_lease(delivery: Any) -> Any:
    leased = delivery.state is DeliveryState.LEASED
    return replace(delivery, state=DeliveryState.DUE) if leased else delivery


async def replay(source: Store, target: Store) -> None:
    """Commit every event of a journey to another store. Contents are stood in for."""
    for event in await source.journey.after(0, 100_000):
        change = event.change
        contents = []
        if isinstance(change, Accepted):
            ref = change.message.content
            contents.append(await stage(target, b"?" * ref.size, content_id=ref.id))
        await target.ledger.commit(Group((change,), tuple(contents)))


async def test_the_state_can_be_rebuilt_from_the_journey(place: Place, tmp_path: Path) -> None:
    async with place.open() as store, type(place)(tmp_path / "again").open() as again:
        await people(store)
        await commit(
            store,
            AccountAdded(2.0, Account(8, BOB, "h", 78)),
            AliasAdded(2.0, Alias(Address.parse("All@example.org"), (ANN, FAR))),
            PasswordSet(3.0, 8, "new", SCRAM),
            Suppressed(3.0, (Suppression(FAR, "news", SuppressionReason.MANUAL, "", 3.0),), "op"),
            Suppressed(3.0, (Suppression(ANN, "news", SuppressionReason.MANUAL, "", 3.0),), "op"),
            Unsuppressed(4.0, (ANN,), "news", "op"),
            AppPasswordAdded(3.0, app_password(1, 8, "phone")),
            AppPasswordAdded(3.0, app_password(2, 8, "desk")),
            AppPasswordRemoved(4.0, 8, "desk"),
        )
        messages = [await accept(store, ANN, FAR, data=b"x" * turn) for turn in range(12)]
        await asyncio.gather(
            *(
                commit(store, attempted(message, result(0)), deposited(message))
                for message in messages[:6]
            )
        )
        await store.queue.lease(now=500.0, until=600.0, node="n", limit=5)
        await commit(store, attempted(messages[0], result(1, DeliveryState.DUE, due_at=900.0)))
        await commit(store, attempted(messages[1], result(1, DeliveryState.BOUNCED)))
        await commit(store, Held(130.0, "ann", tuple((m.id, 1) for m in messages[:4])))
        await commit(store, Retried(131.0, "ann", ((messages[2].id, 1),)))
        await commit(store, Dropped(132.0, "ann", ((messages[3].id, 1), (messages[7].id, 0))))
        await commit(store, Expunged(140.0, INBOX, (2, 3)))
        await commit(store, MailboxAdded(141.0, Mailbox(90, 7, "Junk", 5)))
        await commit(store, Moved(142.0, INBOX, 90, (4, 1), "ann", "INBOX", "Junk"))
        await commit(store, Moved(143.0, 90, INBOX, (2,), "ann", "Junk", "INBOX"))
        await replay(store, again)
        assert await picture(again) == await picture(store)
        assert [e.change for e in await again.journey.after(0)] == [
            e.change for e in await store.journey.after(0)
        ]
