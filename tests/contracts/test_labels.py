"""What came by the HTTP API: marks, finding by them, answers that are kept."""

import pytest
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Address,
    AnswerKept,
    ContentRef,
    DeliveryState,
    Dropped,
    Group,
    Held,
    KeptAnswer,
    Label,
    Retried,
    Staged,
    metadata_mark,
    subject_marks,
    tag_mark,
)
from postroad.ports import KeyTaken, MessageQuery
from tests.contracts.stores import ANN, BOB, FAR, Store, commit, deliveries_of, message_of, stage


async def take(
    store: Store,
    number: int,
    *to: Address,
    label: Label | None = None,
    sender: Address = ANN,
) -> None:
    ref = ContentRef(number + 100, 3)
    message = message_of(ref, *to, message=number, at=50.0, sender=sender)
    message = replace(message, label=label)
    change = Accepted(50.0, message, deliveries_of(message, due_at=60.0))
    await store.ledger.commit(Group((change,), (Staged(ref, b"abc"),)))


async def found(store: Store, limit: int = 100, **query: object) -> list[int]:
    return list(await store.labels.find(MessageQuery(**query), limit))  # type: ignore[arg-type]


ORDER = Label(7, "Your  Order, shipped!", ("order", "shop"), (("customer", "17"),))


async def test_messages_are_found_by_what_was_told_of_them(store: Store) -> None:
    await take(store, 1, FAR, label=ORDER)
    await take(store, 2, BOB, label=Label(7, "Order", ("order",), (("customer", "18"),)))
    await take(store, 3, FAR)
    await take(store, 4, FAR, label=Label(7))
    assert await found(store) == [4, 3, 2, 1]
    assert await found(store, limit=2) == [4, 3]
    assert await found(store, last=3) == [3, 2, 1]
    assert await found(store, first=2, last=3) == [3, 2]
    assert await found(store, marks=(tag_mark("order"),)) == [2, 1]
    assert await found(store, marks=(tag_mark("order"), tag_mark("shop"))) == [1]
    assert await found(store, marks=(tag_mark("Order"),)) == []
    assert await found(store, marks=(metadata_mark("customer", "18"),)) == [2]
    assert await found(store, marks=tuple(subject_marks("ORDER your"))) == [1]
    assert await found(store, marks=(tag_mark("order"),), last=1) == [1]
    assert await found(store, recipient=FAR.folded) == [4, 3, 1]
    assert await found(store, recipient=FAR.folded, limit=1) == [4]
    assert await found(store, recipient=FAR.folded, marks=(tag_mark("shop"),)) == [1]
    message = await store.queue.message(1)
    assert message is not None
    assert message.label == ORDER


async def test_by_state_and_by_the_domain_of_the_sender(store: Store) -> None:
    await take(store, 1, FAR, BOB, label=ORDER)
    await take(store, 2, FAR, sender=Address("x@y", "b.example"))
    await commit(store, Held(51.0, "op", ((1, 1),)))
    assert await found(store, states=(DeliveryState.HELD,)) == [1]
    assert await found(store, states=(DeliveryState.DUE,)) == [2, 1]
    assert await found(store, states=(DeliveryState.DUE,), marks=(tag_mark("shop"),)) == [1]
    assert await found(store, states=(DeliveryState.HELD,), recipient=FAR.folded) == [1]
    assert await found(store, sender_domains=("b.example",)) == [2]
    assert await found(store, sender_domains=("example",)) == []
    assert await found(store, sender_domains=(ANN.domain, "b.example")) == [2, 1]
    assert await found(store, sender_domains=("b.example",), recipient=FAR.folded) == [2]


async def test_what_is_pruned_is_not_found(store: Store) -> None:
    await take(store, 1, FAR, label=ORDER)
    await commit(store, Dropped(52.0, "op", ((1, 0),)))
    await take(store, 2, FAR, label=ORDER)
    assert await store.prune(100.0) == 1
    assert await found(store, marks=(tag_mark("shop"),)) == [2]
    assert await found(store, recipient=FAR.folded) == [2]


async def test_an_answer_is_kept_with_what_was_done(store: Store) -> None:
    kept = KeptAnswer("key 7", "k1", b"d" * 32, '{"id":1}', 200.0)
    await commit(store, AnswerKept(50.0, kept))
    assert await store.labels.answer("key 7", "k1", 100.0) == kept
    assert await store.labels.answer("key 8", "k1", 100.0) is None
    assert await store.labels.answer("key 7", "k1", 200.0) is None
    other = replace(kept, digest=b"e" * 32)
    ref = ContentRef(101, 3)
    message = message_of(ref, FAR, message=1, at=60.0)
    accepted = Accepted(60.0, message, deliveries_of(message, due_at=60.0))
    with pytest.raises(KeyTaken):
        await store.ledger.commit(
            Group((AnswerKept(60.0, other), accepted), (Staged(ref, b"abc"),))
        )
    assert await store.queue.message(1) is None
    # What has run out makes room.
    later = replace(other, expires_at=400.0)
    await store.ledger.commit(Group((AnswerKept(201.0, later), accepted), (Staged(ref, b"abc"),)))
    assert await store.labels.answer("key 7", "k1", 300.0) == later
    assert await store.queue.message(1) is not None


async def test_a_key_of_two_is_kept_for_both_or_neither(store: Store) -> None:
    first = KeptAnswer("sender ann@here.test", "k1", b"d" * 32, "{}", 200.0)
    await commit(store, AnswerKept(50.0, first), AnswerKept(50.0, replace(first, scope="key 7")))
    for scope in ("sender ann@here.test", "key 7"):
        assert await store.labels.answer(scope, "k1", 100.0) == replace(first, scope=scope)
    fresh = replace(first, scope="sender bob@here.test")
    with pytest.raises(KeyTaken):
        await commit(
            store, AnswerKept(60.0, fresh), AnswerKept(60.0, replace(first, scope="key 7"))
        )
    assert await store.labels.answer("sender bob@here.test", "k1", 100.0) is None


async def test_deliveries_are_put_off(store: Store) -> None:
    await take(store, 1, FAR, BOB)
    await commit(store, Held(51.0, "op", ((1, 1),)))
    await commit(store, Retried(52.0, "op", ((1, 0), (1, 1)), 500.0))
    assert [(each.state, each.due_at) for each in await store.queue.deliveries(1)] == [
        (DeliveryState.DUE, 500.0)
    ] * 2
    assert await store.queue.next_due() == 500.0


async def test_characters_that_some_databases_cannot_hold(store: Store) -> None:
    """Mail is nobody's to refuse for what a column of ours cannot hold."""
    data = b"Subject: \0\r\n\r\n\0\r\n"
    staged = await stage(store, data)
    message = message_of(staged.ref, BOB, message_id="<a\0b@x>")
    message = replace(message, label=Label(1, "He\0llo", ("a\0b", "c")))
    change = Accepted(100.0, message, deliveries_of(message))
    await store.ledger.commit(Group((change,), (staged,)))
    assert await store.queue.message(message.id) == message
    assert await store.content.read(message.content) == data
    assert await found(store, marks=(tag_mark("a\0b"),)) == [message.id]
    assert len(await store.journey.find(message_id="<a\0b@x>", limit=5)) == 1


async def test_messages_are_looked_up_together(store: Store) -> None:
    await take(store, 1, FAR, BOB, label=ORDER)
    await take(store, 2, BOB)
    pairs = await store.queue.several([2, 9, 1])
    assert [message.id for message, _ in pairs] == [2, 1]
    for message, deliveries in pairs:
        assert message == await store.queue.message(message.id)
        assert deliveries == await store.queue.deliveries(message.id)
    assert [each.recipient for each in pairs[1][1]] == [FAR, BOB]
    assert await store.queue.several([]) == []


async def test_the_domain_of_a_sender_is_what_is_behind_its_last_at(store: Store) -> None:
    await take(store, 1, FAR, sender=Address("ann@there.test", "here.test"))
    await take(store, 2, FAR, sender=Address("ann", "x.here.test"))
    many = tuple(f"{number}.test" for number in range(2_000))
    assert await found(store, sender_domains=("here.test", *many)) == [1]
    assert await found(store, sender_domains=("there.test", "test")) == []
    assert await found(store, sender_domains=("x.here.test",), recipient=FAR.folded) == [2]
