"""The queue: leasing, every change of a delivery, looking."""

from typing import Any

import pytest
from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Address,
    Delivery,
    DeliveryState,
    Dropped,
    Group,
    Held,
    Leased,
    LeasedDelivery,
    Notify,
    Released,
    Retried,
)
from postroad.ports import Lease, QueueFilter
from tests.contracts.stores import (
    ANN,
    BOB,
    FAR,
    LATER,
    OK,
    Place,
    Store,
    accept,
    attempted,
    commit,
    deliveries_of,
    message_of,
    readable,
    result,
    stage,
)

DUE, LEASED, HELD = DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.HELD
NEAR = Address.parse("a@near.example")
OTHER = Address.parse("b@far.example")


async def lease(store: Store, now: float = 150.0, **options: Any) -> list[LeasedDelivery]:
    options = {"until": now + 60, "node": "n1", "limit": 10, **options}
    return await store.queue.lease(now=now, **options)


def keys(leased: list[LeasedDelivery]) -> list[list[tuple[int, int]]]:
    return [[(d.message, d.ordinal) for d in item.deliveries] for item in leased]


async def state(store: Store, message: int, ordinal: int = 0) -> DeliveryState:
    return (await store.queue.deliveries(message))[ordinal].state


async def test_lease_takes_the_longest_due_first_and_only_what_is_due(store: Store) -> None:
    late = await accept(store, FAR, due_at=120.0)
    early = await accept(store, FAR, due_at=110.0)
    future = await accept(store, FAR, due_at=500.0)
    assert keys(await lease(store, limit=1)) == [[(early.id, 0)]]
    assert keys(await lease(store)) == [[(late.id, 0)]]
    assert await lease(store) == []
    assert await lease(store, limit=0, now=900.0) == []
    assert keys(await lease(store, now=500.0)) == [
        [(late.id, 0)],
        [(early.id, 0)],
        [(future.id, 0)],
    ]


async def test_leased_deliveries_come_whole(store: Store) -> None:
    staged = await stage(store, b"x")
    message = message_of(staged.ref, FAR, message_id="<a@b>")
    delivery = Delivery(
        message.id,
        0,
        FAR,
        Address.parse("Alias@example.org"),
        "far.example",
        None,
        Notify.SUCCESS | Notify.FAILURE,
        "rfc822;x@y",
        DUE,
        100.0,
        3,
        True,
        LATER,
    )
    await commit(store, Accepted(100.0, message, (delivery,)), contents=[staged])
    (leased,) = await lease(store)
    assert leased.message == message
    assert leased.deliveries == (replace(delivery, state=LEASED),)
    assert await store.queue.deliveries(message.id) == [replace(delivery, state=LEASED)]


async def test_lease_groups_by_message_and_destination(store: Store) -> None:
    first = await accept(store, FAR, NEAR, OTHER)
    second = await accept(store, OTHER)
    assert keys(await lease(store)) == [
        [(first.id, 0), (first.id, 2)],
        [(first.id, 1)],
        [(second.id, 0)],
    ]


async def test_lease_leaves_excluded_destinations_alone(store: Store) -> None:
    blocked = await accept(store, FAR, due_at=100.0)
    message = await accept(store, NEAR, due_at=120.0)
    assert await store.queue.next_due() == 100.0
    assert await store.queue.next_due({"far.example"}) == 120.0
    assert await store.queue.next_due({"far.example", "near.example"}) is None
    assert keys(await lease(store, exclude={"far.example"})) == [[(message.id, 0)]]
    assert await lease(store, exclude=["far.example"]) == []
    assert keys(await lease(store)) == [[(blocked.id, 0)]]


async def test_a_long_queue_of_an_excluded_destination_hides_nothing(store: Store) -> None:
    """More than the store looks at in one walk of the index."""
    staged = await stage(store, b"x")
    many = [Address(f"u{index}", "far.example") for index in range(2500)]
    message = message_of(staged.ref, *many)
    await commit(
        store, Accepted(100.0, message, deliveries_of(message, due_at=50.0)), contents=[staged]
    )
    hidden = [await accept(store, NEAR, due_at=120.0 - turn) for turn in range(3)]
    await accept(store, Address.parse("x@later.example"), due_at=1000.0)
    assert await store.queue.next_due({"far.example"}) == 118.0
    leased = await lease(store, exclude={"far.example"}, limit=2)
    assert keys(leased) == [[(hidden[2].id, 0)], [(hidden[1].id, 0)]]
    assert keys(await lease(store, exclude={"far.example"})) == [[(hidden[0].id, 0)]]
    assert await lease(store, exclude={"far.example"}) == []
    assert await store.queue.next_due({"far.example", "near.example"}) == 1000.0
    assert sum(len(item.deliveries) for item in await lease(store, limit=2400)) == 2400


async def test_a_lease_runs_out(store: Store) -> None:
    message = await accept(store, FAR)
    await lease(store, now=150.0, until=160.0)
    assert await store.queue.next_due() == 160.0
    assert await lease(store, now=159.0) == []
    assert keys(await lease(store, now=160.0, node="n2", until=300.0)) == [[(message.id, 0)]]
    assert await store.queue.next_due() == 300.0


async def test_whose_lease_ran_out_is_told(store: Store) -> None:
    """And what may be on its way stays marked so, whoever has it."""
    begun, waiting, fresh = [await accept(store, FAR) for _ in range(3)]
    await commit(store, Leased(110.0, "n1+", 160.0, ((begun.id, 0),)))
    await commit(store, Leased(110.0, "n1", 160.0, ((waiting.id, 0),)))
    found = await lease(store, now=160.0, node="n2", until=300.0)
    assert {each.message.id: each.before for each in found} == {
        begun.id: "n1+",
        waiting.id: "n1",
        fresh.id: "",
    }
    assert {each.deliveries[0].state for each in found} == {LEASED}
    assert [(await store.queue.leases(each.id))[0].node for each in (begun, waiting, fresh)] == [
        "n2+",
        "n2",
        "n2",
    ]


async def test_what_is_leased_under_a_name(store: Store) -> None:
    mine, other, third = [await accept(store, FAR) for _ in range(3)]
    (one,) = await lease(store, limit=1, node="n1")
    (two,) = await lease(store, limit=1, node="n2")
    assert await store.queue.leased_by(["n1"]) == [("n1", one)]
    assert await store.queue.leased_by(["n2", "n1"]) == [("n1", one), ("n2", two)]
    assert await store.queue.leased_by(["n3"]) == []
    assert [each.message.id for each in (one, two)] == [mine.id, other.id]
    await commit(store, Leased(151.0, "n1+", 300.0, ((mine.id, 0),)))
    assert await store.queue.leased_by(["n1+"]) == [("n1+", one)]
    await commit(store, Released(152.0, 152.0, ((mine.id, 0),)))
    assert await store.queue.leased_by(["n1", "n1+"]) == []
    assert await state(store, third.id) is DUE


async def test_what_is_held_or_ended_cannot_be_leased(store: Store) -> None:
    held, ended = await accept(store, FAR), await accept(store, FAR)
    await commit(store, Held(120.0, "ann", ((held.id, 0),)), attempted(ended, result()))
    await commit(store, Leased(150.0, "n1", 500.0, ((held.id, 0), (ended.id, 0))))
    assert await state(store, held.id) is DeliveryState.HELD
    assert await state(store, ended.id) is DeliveryState.DELIVERED
    assert await lease(store, now=600.0) == []


async def test_the_names_of_those_who_lease(store: Store) -> None:
    assert await store.queue.nodes() == []
    for node in ("n2", "n1", "n2"):
        await accept(store, FAR)
        await lease(store, limit=1, node=node)
    assert await store.queue.nodes() == ["n1", "n2"]
    for _, leased in await store.queue.leased_by(["n1"]):
        keys_of = tuple((each.message, each.ordinal) for each in leased.deliveries)
        await commit(store, Released(151.0, 151.0, keys_of))
    assert await store.queue.nodes() == ["n2"]


async def test_born_leased(store: Store) -> None:
    staged = await stage(store, b"x")
    message = message_of(staged.ref, FAR)
    change = Accepted(100.0, message, deliveries_of(message, state=LEASED), "n1", 160.0)
    await store.ledger.commit(Group((change,), (staged,)))
    assert await lease(store, now=159.0) == []
    assert await store.queue.next_due() == 160.0
    ((node, leased),) = await store.queue.leased_by(["n1"])
    assert (node, keys([leased])) == ("n1", [[(message.id, 0)]])


async def test_leases_are_lengthened_and_given_back_without_a_journey(store: Store) -> None:
    message = await accept(store, FAR)
    key = (message.id, 0)
    await lease(store, now=150.0, until=160.0)
    await commit(store, Leased(155.0, "n1", 400.0, (key,)))
    assert await store.queue.next_due() == 400.0
    await commit(store, Released(156.0, 170.0, (key,)))
    assert await store.queue.next_due() == 170.0
    (delivery,) = await store.queue.deliveries(message.id)
    assert (delivery.state, delivery.due_at, delivery.attempts) == (DUE, 170.0, 0)
    assert len(await store.journey.events(message.id)) == 1


@pytest.mark.parametrize(
    "final",
    [state for state in DeliveryState if state.final and state is not DeliveryState.DROPPED],
)
async def test_an_attempt_ends_a_delivery(store: Store, final: DeliveryState) -> None:
    message = await accept(store, FAR, NEAR)
    await lease(store)
    await commit(
        store, attempted(message, result(0, final), result(1, DUE, due_at=900.0, delayed=True))
    )
    ended, waiting = await store.queue.deliveries(message.id)
    assert (ended.state, ended.attempts, ended.delay_notified) == (final, 1, False)
    assert (waiting.state, waiting.due_at, waiting.delay_notified) == (DUE, 900.0, True)
    assert waiting.last == LATER
    assert ended.last == (OK if final is DeliveryState.DELIVERED else LATER)
    assert await store.queue.next_due() == 900.0
    assert await readable(store, message)
    await commit(store, attempted(message, result(1, DUE, due_at=950.0)))
    assert (await store.queue.deliveries(message.id))[1].delay_notified
    await lease(store, now=1000.0)
    await commit(store, attempted(message, result(1, final)))
    assert await store.queue.next_due() is None


async def test_an_attempt_may_hold(store: Store) -> None:
    message = await accept(store, FAR)
    await lease(store)
    await commit(store, attempted(message, result(0, HELD)))
    assert await state(store, message.id) is HELD
    assert await lease(store, now=9000.0) == []


async def test_hold_release_drop(store: Store) -> None:
    message = await accept(store, FAR, NEAR, BOB)
    one, two, three = ((message.id, ordinal) for ordinal in range(3))
    await commit(store, Held(120.0, "ann", (one, two)))
    assert keys(await lease(store, limit=1)) == [[three]]
    await commit(store, Retried(130.0, "ann", (one, three)))
    states = [delivery.state for delivery in await store.queue.deliveries(message.id)]
    assert states == [DUE, HELD, LEASED], "what is being tried at this moment is left alone"
    assert await store.queue.next_due() == 130.0
    await commit(store, Dropped(140.0, "ann", (one, two)))
    await commit(store, attempted(message, result(2)))
    states = [delivery.state for delivery in await store.queue.deliveries(message.id)]
    assert states == [DeliveryState.DROPPED, DeliveryState.DROPPED, DeliveryState.DELIVERED]
    assert await store.queue.counts() == {DUE: 0, LEASED: 0, HELD: 0}


async def test_what_is_being_tried_cannot_be_cancelled(store: Store) -> None:
    message = await accept(store, FAR, NEAR, BOB)
    one, two, three = ((message.id, ordinal) for ordinal in range(3))
    await commit(store, Held(120.0, "ann", (one, two)))
    assert keys(await lease(store, limit=1)) == [[three]]
    await commit(store, Retried(125.0, "ann", (two,)))
    await commit(store, Dropped(130.0, "ann", (one, two, three), cancelled=True))
    states = [delivery.state for delivery in await store.queue.deliveries(message.id)]
    assert states == [DeliveryState.DROPPED, DeliveryState.DROPPED, LEASED]
    last = [event.change for event in await store.journey.events(message.id)][-1]
    assert last == Dropped(130.0, "ann", (one, two), cancelled=True)


async def test_what_waits_is_rescheduled(store: Store) -> None:
    message = await accept(store, FAR, NEAR)
    one, two = ((message.id, ordinal) for ordinal in range(2))
    await commit(store, Held(120.0, "ann", (two,)))
    await commit(store, Retried(130.0, "ann", (one, two), due_at=900.0))
    for delivery in await store.queue.deliveries(message.id):
        assert (delivery.state, delivery.due_at) == (DUE, 900.0)
    assert await lease(store, now=899.0) == []
    assert keys(await lease(store, now=900.0)) != []
    last = [event.change for event in await store.journey.events(message.id)][-1]
    assert last == Retried(130.0, "ann", (one, two), due_at=900.0)


async def test_an_operator_cannot_wake_what_ended(store: Store) -> None:
    done, open_ = await accept(store, FAR), await accept(store, FAR)
    await commit(store, attempted(done, result()))
    before = await store.queue.deliveries(done.id)
    both = ((done.id, 0), (open_.id, 0), (open_.id, 8), (1, 1))
    await commit(store, Held(120.0, "ann", both))
    await commit(store, Retried(121.0, "ann", both))
    await commit(store, Dropped(122.0, "ann", both))
    assert await store.queue.deliveries(done.id) == before
    assert len(await store.journey.events(done.id)) == 2
    changes = [event.change for event in await store.journey.events(open_.id)][1:]
    key = ((open_.id, 0),)
    assert changes == [
        Held(120.0, "ann", key),
        Retried(121.0, "ann", key),
        Dropped(122.0, "ann", key),
    ]


async def test_what_an_operator_did_meanwhile_stands(store: Store) -> None:
    message = await accept(store, FAR, NEAR, BOB)
    await lease(store)
    await commit(store, Held(120.0, "ann", ((message.id, 0), (message.id, 1))))
    await commit(store, Dropped(120.0, "ann", ((message.id, 2),)))
    await commit(store, Released(121.0, 130.0, ((message.id, 0), (message.id, 2))))
    await commit(
        store,
        attempted(message, result(0, DUE, due_at=500.0), result(1), result(2, DUE, due_at=500.0)),
    )
    states = [delivery.state for delivery in await store.queue.deliveries(message.id)]
    assert states == [HELD, DeliveryState.DELIVERED, DeliveryState.DROPPED]
    assert await store.queue.next_due() is None


async def test_find(store: Store) -> None:
    one = await accept(store, FAR, NEAR, sender=ANN)
    two = await accept(store, OTHER, sender=None)
    await commit(store, attempted(one, result(1)))

    async def found(**fields: Any) -> list[tuple[int, int]]:
        items = await store.queue.find(QueueFilter(**fields))
        assert all(item.message.id == item.delivery.message for item in items)
        count = await store.queue.count(QueueFilter(**fields))
        assert count == len(items) or "limit" in fields
        return [(item.delivery.message, item.delivery.ordinal) for item in items]

    everything = tuple(DeliveryState)
    assert await found() == [(one.id, 0), (two.id, 0)]
    assert await found(states=everything) == [(one.id, 0), (one.id, 1), (two.id, 0)]
    assert await found(states=(DeliveryState.DELIVERED,)) == [(one.id, 1)]
    assert await found(states=()) == []
    assert await found(limit=1) == [(one.id, 0)]
    assert await found(after=(one.id, 0)) == [(two.id, 0)]
    assert await found(after=(one.id, 0), states=everything) == [(one.id, 1), (two.id, 0)]
    assert await found(after=(two.id, 0)) == []
    assert await found(destination="far.example") == [(one.id, 0), (two.id, 0)]
    assert await found(message=two.id) == [(two.id, 0)]
    assert await found(sender="ann@EXAMPLE.org") == [(one.id, 0)]
    assert await found(sender="@example.org") == [(one.id, 0)]
    assert await found(recipient="zoe@far.example") == [(one.id, 0)]
    assert await found(recipient="@FAR.example") == [(one.id, 0), (two.id, 0)]
    assert await found(recipient="@far.exampl") == []
    assert await found(sender="@example.org", recipient="@near.example", states=everything) == [
        (one.id, 1)
    ]


async def test_counts_and_absent_messages(store: Store) -> None:
    for turn in range(3):
        await accept(store, FAR, due_at=100.0 + turn)
    held = await accept(store, FAR)
    await commit(store, Held(120.0, "ann", ((held.id, 0),)))
    await lease(store, limit=1)
    assert await store.queue.counts() == {DUE: 2, LEASED: 1, HELD: 1}
    assert await store.queue.message(1) is None
    assert await store.queue.deliveries(1) == []


async def test_the_content_goes_with_the_last_delivery(place: Place) -> None:
    async with place.open() as store:
        big, small = b"B" * 5000, b"s" * 10
        for data in (big, small):
            message = await accept(store, FAR, NEAR, data=data)
            await commit(store, attempted(message, result(0)))
            assert await readable(store, message)
            await commit(store, attempted(message, result(1, DeliveryState.BOUNCED)))
            await _gone(store, message.content.id)
            dropped = await accept(store, FAR, data=data)
            await commit(store, Dropped(120.0, "ann", ((dropped.id, 0),)))
            await _gone(store, dropped.content.id)


async def _gone(store: Store, content: int) -> None:
    """The id can be staged and committed anew, so nothing of it is left."""
    staged = await stage(store, b"n", content_id=content)
    message = message_of(staged.ref, FAR)
    await commit(store, Accepted(1.0, message, deliveries_of(message)), contents=[staged])


async def test_what_operators_did_can_be_followed(store: Store) -> None:
    message = await accept(store, FAR)
    keys = ((message.id, 0),)
    place, changes = await store.queue.steered(None)
    assert changes == []
    await commit(store, Held(120.0, "ann", keys))
    await commit(store, Retried(121.0, "ann", keys))
    await accept(store, FAR)
    place, changes = await store.queue.steered(place)
    assert changes == [Held(120.0, "ann", keys), Retried(121.0, "ann", keys)]
    await commit(store, Dropped(122.0, "ann", keys))
    place, changes = await store.queue.steered(place)
    assert changes == [Dropped(122.0, "ann", keys)]
    assert (await store.queue.steered(place))[1] == []


async def test_leases_of_a_message_tell_who_has_it(store: Store) -> None:
    message = await accept(store, FAR, NEAR)
    assert await store.queue.leases(message.id) == []
    await commit(store, Leased(110.0, "n1", 170.0, ((message.id, 1),)))
    assert await store.queue.leases(message.id) == [Lease(1, "n1", 170.0)]
    assert await store.queue.leases(message.id + 1) == []
