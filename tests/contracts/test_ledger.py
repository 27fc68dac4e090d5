"""Groups: all or nothing, each for itself, in the order of the calls."""

import asyncio

import pytest

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    AccountRemoved,
    Address,
    Alias,
    AliasAdded,
    AliasRemoved,
    AppPasswordAdded,
    AppPasswordRemoved,
    Change,
    ContentRef,
    DeliveryState,
    Domain,
    DomainAdded,
    DomainRemoved,
    Expunged,
    Group,
    PasswordSet,
)
from postroad.ports import Conflict
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    INBOX,
    Place,
    Store,
    accept,
    app_password,
    attempted,
    commit,
    deliveries_of,
    deposited,
    message_of,
    number,
    people,
    result,
    stage,
)


async def test_a_group_is_all_or_nothing(store: Store) -> None:
    await people(store)
    staged = await stage(store, b"x")
    message = message_of(staged.ref, ANN)
    before = await store.journey.after(0)
    with pytest.raises(Conflict, match=r"account remove Ann@example\.org"):
        await commit(
            store,
            DomainAdded(2.0, Domain("new.example")),
            Accepted(2.0, message, deliveries_of(message)),
            AccountAdded(2.0, Account(8, ANN, "h", 78)),
            contents=[staged],
        )
    assert await store.directory.domain("new.example") is None
    assert await store.queue.message(message.id) is None
    assert await store.queue.deliveries(message.id) == []
    assert await store.journey.after(0) == before
    # The content was not stored either: committing it again is no conflict.
    await commit(store, Accepted(2.0, message, deliveries_of(message)), contents=[staged])


async def test_messages_are_accepted_together_or_not_at_all(store: Store) -> None:
    staged = [
        await stage(store, b"x" * size) for size in (10, 5_000, 20)
    ]  # in a row, and in a file
    messages = [message_of(each.ref, FAR) for each in staged]
    changes = [Accepted(2.0, each, deliveries_of(each)) for each in messages]
    known = await accept(store, FAR)
    twice = Accepted(2.0, known, deliveries_of(known))
    with pytest.raises(Conflict):
        await commit(store, *changes, twice, contents=staged)
    for each in messages:
        assert await store.queue.message(each.id) is None
    await commit(store, *changes, contents=staged)
    for each, one in zip(messages, staged, strict=True):
        assert await store.queue.message(each.id) == each
        assert len(await store.content.read(each.content)) == one.ref.size
        assert (await store.journey.events(each.id))[0].at == 2.0


async def test_a_failing_group_fails_alone(store: Store) -> None:
    await people(store)
    staged = [await stage(store, b"%d" % index) for index in range(20)]
    messages = [message_of(part.ref, ANN, FAR) for part in staged]
    messages[7] = message_of(staged[7].ref, ANN, message=messages[3].id)
    groups = [
        Group((Accepted(2.0, message, deliveries_of(message)),), (part,))
        for message, part in zip(messages, staged, strict=True)
    ]
    groups[12] = Group((deposited(messages[12], mailbox=999),), (staged[12],))
    groups.insert(15, Group((AccountAdded(2.0, Account(9, ANN, "h", 99)),)))
    answers = await asyncio.gather(
        *(store.ledger.commit(group) for group in groups), return_exceptions=True
    )
    assert [index for index, answer in enumerate(answers) if answer is not None] == [7, 12, 15]
    assert all(isinstance(answers[index], Conflict) for index in (7, 12, 15))
    assert "999 is gone" in str(answers[12])
    for index, message in enumerate(messages):
        if index not in (7, 12):
            assert await store.queue.message(message.id) == message
            assert await store.content.read(message.content) == b"%d" % index


async def test_groups_are_applied_in_the_order_of_the_calls(store: Store) -> None:
    message = await accept(store, FAR)
    outcomes = [
        attempted(message, result(0, DeliveryState.DUE, due_at=200.0 + turn), at=120.0 + turn)
        for turn in range(10)
    ]
    await asyncio.gather(*(commit(store, outcome) for outcome in outcomes))
    (delivery,) = await store.queue.deliveries(message.id)
    assert (delivery.attempts, delivery.due_at) == (10, 209.0)
    events = await store.journey.events(message.id)
    assert [event.change for event in events][1:] == outcomes


async def test_order_holds_between_kinds_of_changes(store: Store) -> None:
    await people(store)
    other = Account(8, BOB, "h", 78)
    answers = await asyncio.gather(
        commit(store, AccountAdded(2.0, other)),
        commit(store, PasswordSet(2.0, 8, "new")),
        commit(store, AccountRemoved(2.0, 8)),
        commit(store, PasswordSet(2.0, 8, "newer")),
        commit(store, AccountAdded(3.0, other)),
        return_exceptions=True,
    )
    assert [isinstance(answer, Conflict) for answer in answers] == [False] * 3 + [True, False]
    assert await store.directory.account(BOB) == other


async def test_a_cancelled_caller_does_not_undo_or_disturb(store: Store) -> None:
    await people(store)
    first = asyncio.ensure_future(commit(store, DomainAdded(2.0, Domain("one.example"))))
    second = asyncio.ensure_future(commit(store, DomainAdded(2.0, Domain("two.example"))))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert await store.directory.domain("two.example") is not None


async def test_an_empty_group_is_nothing(store: Store) -> None:
    await store.ledger.commit(Group(()))
    assert await store.journey.after(0) == []


FOLDED = Address.parse("ANN@example.org")
CONFLICTS: dict[str, tuple[Change, str]] = {
    "domain there": (DomainAdded(2.0, Domain("example.org")), "local domain already"),
    "domain in use": (DomainRemoved(2.0, "example.org"), "1 accounts and 1 aliases"),
    "domain unknown": (DomainRemoved(2.0, "nowhere.example"), "no local domain"),
    "account there": (AccountAdded(2.0, Account(8, FOLDED, "h", 78)), "already an account"),
    "account is alias": (AccountAdded(2.0, Account(8, BOB, "h", 78)), "is an alias"),
    "account not local": (AccountAdded(2.0, Account(8, FAR, "h", 78)), "no local domain"),
    "account id taken": (
        AccountAdded(2.0, Account(7, Address.parse("c@example.org"), "h", 78)),
        "is taken",
    ),
    "inbox id taken": (
        AccountAdded(2.0, Account(8, Address.parse("c@example.org"), "h", INBOX)),
        "is taken",
    ),
    "account unknown": (AccountRemoved(2.0, 8), "no account"),
    "password of nobody": (PasswordSet(2.0, 8, "h"), "no account"),
    "app password of nobody": (AppPasswordAdded(2.0, app_password(2, 8, "desk")), "no account"),
    "app password there": (AppPasswordAdded(2.0, app_password(2, 7, "phone")), "'phone' already"),
    "app password's id": (AppPasswordAdded(2.0, app_password(1, 7, "desk")), "already"),
    "app password unknown": (AppPasswordRemoved(2.0, 7, "desk"), "no app password 'desk'"),
    "alias is account": (AliasAdded(2.0, Alias(FOLDED, (FAR,))), "is an account"),
    "alias not local": (AliasAdded(2.0, Alias(FAR, (BOB,))), "no local domain"),
    "alias unknown": (AliasRemoved(2.0, FAR), "no alias"),
    "mailbox gone": (Expunged(2.0, 999, (1,)), "999 is gone"),
}


@pytest.mark.parametrize("case", CONFLICTS)
async def test_what_contradicts_the_store_is_a_conflict(store: Store, case: str) -> None:
    await people(store)
    await commit(store, AliasAdded(1.0, Alias(BOB, (FAR,))))
    await commit(store, AppPasswordAdded(1.0, app_password(1, 7, "phone")))
    before = await store.journey.after(0)
    change, words = CONFLICTS[case]
    with pytest.raises(Conflict, match=words):
        await commit(store, change)
    assert await store.journey.after(0) == before


async def test_attempts_and_deposits_that_do_not_fit(store: Store) -> None:
    await people(store)
    message = await accept(store, ANN)
    with pytest.raises(Conflict, match="no delivery 5"):
        await commit(store, attempted(message, result(5)))
    with pytest.raises(Conflict, match="gone"):
        await commit(store, deposited(message_of(ContentRef(number(), 3), ANN)))
    with pytest.raises(Conflict, match="already stored"):
        await commit(store, Accepted(1.0, message, deliveries_of(message)))
    await commit(store, attempted(message, result()), deposited(message))
    with pytest.raises(Conflict, match="already ended"):
        await commit(store, attempted(message, result()), deposited(message))
    listing = await store.mailboxes.listing(INBOX)
    assert listing is not None
    assert list(listing.uids) == [1]


async def test_two_deposits_of_one_delivery_at_once_make_one_entry(store: Store) -> None:
    """Two processes may both hold a lease that ran out: only one of them deposits."""
    await people(store)
    message = await accept(store, ANN)
    group = (attempted(message, result()), deposited(message))
    answers = await asyncio.gather(
        commit(store, *group), commit(store, *group), return_exceptions=True
    )
    assert answers[0] is None
    assert isinstance(answers[1], Conflict)


async def test_everything_is_there_after_opening_again(place: Place) -> None:
    if not place.durable:
        pytest.skip("this store forgets with its process, by design")
    async with place.open() as store:
        await people(store)
        message = await accept(store, ANN, FAR)
        node, secret = store.node, store.secret
        assert len(secret) == 32
    async with place.open() as store:
        assert (store.node, store.secret) == (node, secret)
        assert await store.queue.message(message.id) == message
        assert await store.queue.deliveries(message.id) == list(deliveries_of(message))
        assert await store.content.read(message.content) == b"Subject: x\r\n\r\nHello\r\n"
        assert len(await store.journey.after(0)) == 3
