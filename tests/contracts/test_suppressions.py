"""Who gets nothing of a stream any more, and what comes back."""

from postroad.model import (
    Address,
    Bounced,
    Clicked,
    Complained,
    Opened,
    Reply,
    Suppressed,
    Suppression,
    SuppressionReason,
    Unsubscribed,
    Unsuppressed,
)
from tests.contracts.stores import ANN, BOB, FAR, Store, accept, commit

HARD, COMPLAINT = SuppressionReason.HARD_BOUNCE, SuppressionReason.COMPLAINT


def entry(
    address: Address, stream: str = "news", reason: SuppressionReason = HARD, since: float = 50.0
) -> Suppression:
    return Suppression(address, stream, reason, "550 5.1.1 no such user", since)


async def test_an_address_is_on_the_list_of_a_stream(store: Store) -> None:
    await commit(store, Suppressed(50.0, (entry(FAR), entry(BOB, "codes"))))
    assert await store.suppressions.of("news", [BOB, FAR]) == [entry(FAR)]
    assert await store.suppressions.of("news", [Address("zOE", "far.example")]) == [entry(FAR)]
    assert await store.suppressions.of("codes", [FAR]) == []
    assert await store.suppressions.of("", [FAR, BOB]) == []
    assert await store.suppressions.of("news", []) == []


async def test_the_first_reason_stays(store: Store) -> None:
    await commit(store, Suppressed(50.0, (entry(FAR),)))
    await commit(store, Suppressed(60.0, (entry(FAR, reason=COMPLAINT, since=60.0), entry(BOB))))
    assert await store.suppressions.of("news", [FAR]) == [entry(FAR)]
    # The journey tells only what changed.
    changes = [event.change for event in await store.journey.after(0)]
    assert changes == [Suppressed(50.0, (entry(FAR),)), Suppressed(60.0, (entry(BOB),))]
    await commit(store, Suppressed(70.0, (entry(FAR),)))
    assert len(await store.journey.after(0)) == 2


async def test_it_is_taken_off(store: Store) -> None:
    await commit(store, Suppressed(50.0, (entry(FAR), entry(FAR, "codes"))))
    await commit(store, Unsuppressed(60.0, (BOB, Address("zoe", "far.example")), "news", "op"))
    assert await store.suppressions.of("news", [FAR]) == []
    assert await store.suppressions.of("codes", [FAR]) == [entry(FAR, "codes")]
    gone = (await store.journey.after(0))[-1].change
    assert gone == Unsuppressed(60.0, (Address("zoe", "far.example"),), "news", "op")
    await commit(store, Unsuppressed(70.0, (FAR,), "news", "op"))
    assert len(await store.journey.after(0)) == 2
    await commit(store, Suppressed(80.0, (entry(FAR, reason=COMPLAINT),)))
    assert (await store.suppressions.of("news", [FAR]))[0].reason is COMPLAINT


async def test_pages_in_order(store: Store) -> None:
    all_of_them = [entry(each, stream) for stream in ("codes", "news") for each in (ANN, BOB, FAR)]
    await commit(store, Suppressed(50.0, tuple(reversed(all_of_them))))
    assert await store.suppressions.page() == all_of_them
    assert await store.suppressions.page("news") == all_of_them[3:]
    assert await store.suppressions.page(address=FAR.folded) == [all_of_them[2], all_of_them[5]]
    assert await store.suppressions.page("news", address="@example.org") == all_of_them[3:5]
    first = await store.suppressions.page(limit=2)
    assert first == all_of_them[:2]
    after = (first[-1].stream, first[-1].address.folded)
    assert await store.suppressions.page(after=after, limit=2) == all_of_them[2:4]


async def test_what_came_back_is_in_the_journey_of_its_message(store: Store) -> None:
    message = await accept(store, FAR)
    bounced = Bounced(
        120.0, message.id, 0, 99, True, Reply(550, "5.1.1", "no"), "no-such-user", True, "mx"
    )
    complained = Complained(130.0, message.id, 0, 98, "abuse", "isp/1.0")
    await commit(store, bounced, Suppressed(120.0, (entry(FAR),)))
    await commit(store, complained)
    events = [event.change for event in await store.journey.events(message.id)]
    assert events[1:] == [bounced, complained]
    assert await store.suppressions.of("news", [FAR]) == [entry(FAR)]


async def test_of_a_message_that_is_forgotten_nothing_is_noted(store: Store) -> None:
    await commit(store, Bounced(120.0, 12345, 0, 99), Complained(120.0, 12345, 0, 99))
    await commit(store, Opened(120.0, 12345, 0), Clicked(120.0, 12345, 0, "https://a.example/"))
    await commit(store, Unsubscribed(120.0, 12345, 0, "news", "page"))
    assert await store.journey.after(0) == []


async def test_what_recipients_do_is_in_the_journey_of_their_message(store: Store) -> None:
    message = await accept(store, FAR)
    opened = Opened(120.0, message.id, 0, "Gmail")
    clicked = Clicked(130.0, message.id, 0, "https://shop.example/?a=1&b=%20")
    left = Unsubscribed(140.0, message.id, 0, "news", "one-click")
    await commit(store, opened)
    await commit(store, clicked)
    await commit(store, left, Suppressed(140.0, (entry(FAR),)))
    events = [event.change for event in await store.journey.events(message.id)]
    assert events[1:] == [opened, clicked, left]
    assert await store.suppressions.of("news", [FAR]) == [entry(FAR)]
