"""Directory, mailboxes and locks."""

import pytest
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    Alias,
    AliasAdded,
    AliasRemoved,
    Attempted,
    DeliveryState,
    Deposited,
    Domain,
    DomainAdded,
    DomainRemoved,
    Expunged,
    Mailbox,
    MailboxAdded,
    Message,
    Moved,
    PasswordSet,
)
from postroad.ports import Conflict
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    INBOX,
    OK,
    SCRAM,
    Place,
    Store,
    accept,
    attempted,
    commit,
    deliveries_of,
    deposited,
    message_of,
    people,
    readable,
    result,
    stage,
)


async def test_directory(store: Store) -> None:
    first = Domain("example.org")
    second = Domain("a.example", Address.parse("All@a.example"), "")
    account = Account(7, ANN, "h", INBOX)
    other = Account(8, Address.parse('"x y"@a.example'), "h", 78, enabled=False, scram=SCRAM)
    alias = Alias(Address.parse("Sales@example.org"), (ANN, FAR))
    await commit(store, DomainAdded(1.0, first), DomainAdded(1.0, second))
    await commit(store, AccountAdded(1.0, account), AccountAdded(1.0, other))
    await commit(store, AliasAdded(1.0, alias))
    directory = store.directory
    assert await directory.domains() == [second, first]
    assert await directory.domain("a.example") == second
    assert await directory.domain("b.example") is None
    assert await directory.account(Address.parse("aNN@example.org")) == account
    assert await directory.account_by_id(8) == other
    assert await directory.account_by_id(9) is None
    assert await directory.account(alias.address) is None
    assert await directory.accounts() == [other, account]
    assert await directory.accounts("example.org") == [account]
    assert await directory.alias(Address.parse("SALES@example.org")) == alias
    assert await directory.alias(ANN) is None
    assert await directory.aliases() == [alias]
    assert await directory.aliases("a.example") == []
    replaced = Alias(Address.parse("sales@example.org"), (BOB,))
    await commit(store, AliasAdded(2.0, replaced), PasswordSet(2.0, 7, "new", SCRAM))
    assert await directory.aliases("example.org") == [replaced]
    assert await directory.account(ANN) == Account(7, ANN, "new", INBOX, scram=SCRAM)
    await commit(store, AliasRemoved(3.0, alias.address), AccountRemoved(3.0, 7))
    await commit(store, DomainRemoved(3.0, "example.org"))
    assert await directory.domains() == [second]
    assert await directory.account(ANN) is None


async def test_an_account_has_an_inbox(store: Store) -> None:
    await people(store)
    inbox = await store.mailboxes.mailbox(INBOX)
    assert inbox is not None
    assert inbox == Mailbox(INBOX, 7, "INBOX", inbox.uid_validity)
    assert 0 < inbox.uid_validity < 2**32
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert (listing.mailbox, list(listing.uids), list(listing.sizes)) == (inbox, [], [])
    assert await store.mailboxes.mailbox(1) is None
    assert await store.mailboxes.listing(1) is None
    assert await store.mailboxes.entries(1, [1]) == []


async def test_small_messages_of_a_range_at_hand(store: Store) -> None:
    await people(store)
    bodies = [b"", b"\x00\xff\r\n", b"x" * 500, b"y" * 60_000, b"last"]  # the long one is a file
    prefix = b"Return-Path: <>\r\n"
    for body in bodies:
        message = await accept(store, ANN, data=body)
        await commit(store, attempted(message, result()), deposited(message))
    mailboxes = store.mailboxes
    whole = [(uid, prefix, body, False) for uid, body in enumerate(bodies, 1)]
    found = list(await mailboxes.at_hand(INBOX, 1, 5, 100_000))
    assert [each for each in whole if each in found] == found, "in order, and nothing else"
    assert {each[0] for each in found} >= {1, 2, 3, 5}
    small = await mailboxes.at_hand(INBOX, 1, 4, 500 + len(prefix))
    assert small == whole[:3], "neither too large nor out of range"
    await commit(store, Expunged(200.0, INBOX, (2,)))
    assert await mailboxes.at_hand(INBOX, 2, 3, 1000) == [whole[2]]
    assert await mailboxes.at_hand(INBOX, 3, 2, 100_000) == []
    assert await mailboxes.at_hand(1, 1, 5, 100_000) == []


@pytest.mark.parametrize("plain", [False, True])
async def test_an_entry_remembers_whether_its_content_is_plain(store: Store, plain: bool) -> None:
    await people(store)
    later = await accept(store, ANN, data=b"body\r\n")
    later = replace(later, content=replace(later.content, plain=plain))
    await commit(store, attempted(later, result()), deposited(later))
    staged = await stage(store, b"body\r\n")
    fresh = message_of(replace(staged.ref, plain=plain), ANN)
    accepted = Accepted(fresh.accepted_at, fresh, deliveries_of(fresh))
    outcome = attempted(fresh, result())
    await commit(store, accepted, deposited(fresh), outcome, contents=(staged,))
    entries = await store.mailboxes.entries(INBOX, [1, 2])
    assert [entry.content for entry in entries] == [later.content, fresh.content]
    found = await store.mailboxes.at_hand(INBOX, 1, 2, 1000)
    assert [message[2:] for message in found] == [(b"body\r\n", plain)] * 2


async def test_deposit_list_fetch_expunge(store: Store) -> None:
    await people(store)
    messages = [await accept(store, ANN, data=b"x" * size) for size in (10, 5000, 30)]
    for message in messages:
        await commit(store, attempted(message, result()), deposited(message))
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    prefix = len(b"Return-Path: <>\r\n")
    assert list(listing.uids) == [1, 2, 3]
    assert list(listing.sizes) == [10 + prefix, 5000 + prefix, 30 + prefix]
    entries = await store.mailboxes.entries(INBOX, [3, 9, 1])
    assert [entry.uid for entry in entries] == [3, 1]
    assert [entry.content for entry in entries] == [messages[2].content, messages[0].content]
    assert entries[0].prefix == b"Return-Path: <>\r\n"
    assert entries[0].size == 30 + prefix
    assert await store.content.read(messages[1].content) == b"x" * 5000
    await commit(store, Expunged(200.0, INBOX, (1, 3, 3, 12)))
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == [2]
    message = await accept(store, ANN)
    await commit(store, attempted(message, result()), deposited(message))
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == [2, 4], "a uid is never given again"


async def test_several_entries_share_a_content(store: Store) -> None:
    await people(store)
    await commit(store, AccountAdded(1.0, Account(8, BOB, "h", 78)))
    message = await accept(store, ANN, BOB, FAR)
    await commit(
        store,
        attempted(message, result(0), result(1)),
        deposited(message, 0),
        deposited(message, 1, mailbox=78),
    )
    await commit(store, Expunged(200.0, INBOX, (1,)))
    await commit(store, attempted(message, result(2)))
    assert await readable(store, message)
    assert len(await store.mailboxes.entries(78, [1])) == 1


async def test_an_account_goes_with_its_mail(store: Store) -> None:
    await people(store)
    message = await accept(store, ANN)
    await commit(store, attempted(message, result()), deposited(message))
    await commit(store, AccountRemoved(200.0, 7))
    assert await store.mailboxes.listing(INBOX) is None
    assert await store.mailboxes.entries(INBOX, [1]) == []
    await commit(store, AccountAdded(300.0, Account(7, ANN, "h", INBOX)))
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == []


async def test_locks(store: Store) -> None:
    assert await store.locks.acquire(5)
    assert not await store.locks.acquire(5)
    assert await store.locks.acquire(6)
    store.locks.release(5)
    store.locks.release(5)
    assert await store.locks.acquire(5)


async def test_accepted_and_deposited_in_one_group(store: Store) -> None:
    """Local mail needs one commit: what it comes to is as if it had been two."""
    await people(store)
    staged = await stage(store, b"Subject: x\r\n\r\nHello\r\n")
    message = message_of(staged.ref, BOB, BOB)
    deliveries = deliveries_of(message)
    await commit(
        store,
        Accepted(message.accepted_at, message, deliveries),
        attempted(message, result(0), result(1, DeliveryState.DUE, due_at=500.0, delayed=True)),
        deposited(message),
        contents=[staged],
    )
    ended, waits = await store.queue.deliveries(message.id)
    assert (ended.state, ended.attempts, ended.last) == (DeliveryState.DELIVERED, 1, OK)
    assert (waits.state, waits.due_at, waits.delay_notified) == (DeliveryState.DUE, 500.0, True)
    assert await store.queue.next_due() == 500.0
    kinds = [type(event.change) for event in await store.journey.events(message.id)]
    assert kinds == [Accepted, Deposited, Attempted]
    assert await readable(store, message)
    await commit(store, attempted(message, result(1)))
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert len(listing.uids) == 1
    assert await readable(store, message)


async def test_accepted_and_bounced_in_one_group_leaves_no_content(place: Place) -> None:
    async with place.open() as store:
        staged = await stage(store, b"Subject: x\r\n\r\nHello\r\n")
        message = message_of(staged.ref, BOB)
        await commit(
            store,
            Accepted(message.accepted_at, message, deliveries_of(message)),
            attempted(message, result(0, DeliveryState.BOUNCED)),
            contents=[staged],
        )
        assert not place.durable or not await reopened(place, message)


async def reopened(place: Place, message: Message) -> bool:
    """Whether the content is there without the cache of the store that took it."""
    async with place.open() as store:
        return await readable(store, message)


async def test_a_group_that_cannot_deposit_accepts_nothing(store: Store) -> None:
    staged = await stage(store, b"Subject: x\r\n\r\nHello\r\n")
    message = message_of(staged.ref, BOB)
    accepted = Accepted(message.accepted_at, message, deliveries_of(message))
    with pytest.raises(Conflict):
        await commit(
            store, accepted, deposited(message), attempted(message, result(0)), contents=[staged]
        )
    assert await store.queue.message(message.id) is None
    await commit(store, accepted, contents=[staged])  # the long way is still open
    assert await readable(store, message)


async def test_a_mailbox_beside_the_inbox(store: Store) -> None:
    await people(store)
    account = await store.directory.account(ANN)
    assert account is not None
    junk = Mailbox(500, account.id, "Junk", 3)
    assert await store.mailboxes.named(account.id, "Junk") is None
    message = await accept(store, ANN)
    into_junk = Deposited(3.0, message.id, 0, 500, message.content, b"", message.content.size)
    await commit(store, MailboxAdded(3.0, junk), into_junk, attempted(message, result()))
    # Another attempt of the same process may propose it once more.
    await commit(store, MailboxAdded(4.0, junk))
    assert await store.mailboxes.named(account.id, "Junk") == junk
    assert await store.mailboxes.mailbox(500) == junk
    listing = await store.mailboxes.listing(500)
    assert listing is not None
    assert list(listing.uids) == [1]
    with pytest.raises(Conflict, match="has a mailbox Junk"):
        await commit(store, MailboxAdded(4.0, Mailbox(501, account.id, "Junk", 3)))
    with pytest.raises(Conflict):
        await commit(store, MailboxAdded(4.0, Mailbox(502, 999, "Junk", 3)))
    with pytest.raises(Conflict):
        await commit(store, MailboxAdded(4.0, Mailbox(500, account.id, "Other", 3)))
    await commit(store, AccountRemoved(5.0, account.id))
    assert await store.mailboxes.mailbox(500) is None


async def test_a_delivery_knows_its_folder(store: Store) -> None:
    await people(store)
    staged = await stage(store, b"x")
    message = message_of(staged.ref, ANN)
    deliveries = tuple(replace(each, folder="Junk") for each in deliveries_of(message))
    await commit(store, Accepted(1.0, message, deliveries), contents=[staged])
    assert [each.folder for each in await store.queue.deliveries(message.id)] == ["Junk"]


JUNK = Mailbox(500, 7, "Junk", 3)


def moved(*uids: int, mailbox: int = INBOX, into: int = JUNK.id, at: float = 300.0) -> Moved:
    names = ("INBOX", "Junk") if mailbox == INBOX else ("Junk", "INBOX")
    return Moved(at, mailbox, into, uids, "ann", *names)


async def three_messages(store: Store) -> list[Message]:
    await people(store)
    messages = []
    for text in (b"one", b"two", b"three"):
        message = await accept(store, ANN, data=text)
        await commit(store, attempted(message, result()), deposited(message))
        messages.append(message)
    await commit(store, MailboxAdded(200.0, JUNK))
    return messages


async def counters(store: Store, name: str) -> tuple[int, int, int]:
    """How many entries, the next uid, the highest modseq."""
    found = [each for each in await store.mailboxes.of_account(7) if each.mailbox.name == name]
    return found[0].entries, found[0].uid_next, found[0].modseq


async def test_moving_gives_new_uids_and_modseqs(store: Store) -> None:
    messages = await three_messages(store)
    before = await store.mailboxes.entries(INBOX, [1, 2, 3])
    assert await counters(store, "INBOX") == (3, 4, 3)
    await commit(store, moved(3, 9, 1))
    assert await counters(store, "INBOX") == (1, 4, 5)
    assert await counters(store, "Junk") == (2, 3, 2)
    assert await store.mailboxes.entries(INBOX, [1, 2, 3]) == [before[1]]
    there = await store.mailboxes.entries(JUNK.id, [1, 2])
    assert there == [replace(before[2], uid=1, modseq=1), replace(before[0], uid=2, modseq=2)]
    assert [entry.message for entry in there] == [messages[2].id, messages[0].id]
    assert await store.content.read(there[0].content) == b"three"
    await commit(store, moved(1, mailbox=JUNK.id, into=INBOX))
    assert await counters(store, "INBOX") == (2, 5, 6), "a uid is never given again"
    assert await counters(store, "Junk") == (1, 3, 3)
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == [2, 4]


async def test_moving_is_told_in_the_journey_of_each_message(store: Store) -> None:
    messages = await three_messages(store)
    await commit(store, moved(1, 3))
    events = [await store.journey.events(message.id) for message in messages]
    assert [each[-1].change for each in (events[0], events[2])] == [moved(1), moved(3)]
    assert not any(isinstance(event.change, Moved) for event in events[1])


async def test_what_cannot_be_moved(store: Store) -> None:
    await three_messages(store)
    await commit(store, AccountAdded(1.0, Account(8, BOB, "h", 78)))
    before = [await counters(store, name) for name in ("INBOX", "Junk")]
    with pytest.raises(Conflict, match="already"):
        await commit(store, moved(1, into=INBOX))
    with pytest.raises(Conflict, match="another account"):
        await commit(store, moved(1, into=78))
    for gone in (moved(1, into=9999), moved(1, mailbox=9999)):
        with pytest.raises(Conflict, match="gone"):
            await commit(store, gone)
    await commit(store, moved(7, 8, 9))
    assert [await counters(store, name) for name in ("INBOX", "Junk")] == before


async def test_what_was_moved_can_be_expunged_and_goes_with_the_account(store: Store) -> None:
    messages = await three_messages(store)
    await commit(store, moved(1, 2))
    await commit(store, Expunged(400.0, JUNK.id, (1,)))
    assert await counters(store, "Junk") == (1, 3, 3)
    assert await readable(store, messages[1])
    await commit(store, AccountRemoved(500.0, 7))
    assert await store.mailboxes.of_account(7) == []


async def test_moving_a_message_whose_journey_is_gone(store: Store) -> None:
    messages = await three_messages(store)
    await accept(store, FAR, at=9000.0)
    assert await store.prune(5000.0) == 3
    await commit(store, moved(1))
    assert await store.journey.events(messages[0].id) == []
    events = await store.journey.after(0)
    assert events[-1].change == moved(1)
