"""The words of a journey that depend on how an attempt went."""

from typing import Any

from postroad.model import (
    Accepted,
    Address,
    Attempted,
    Bounced,
    Change,
    Clicked,
    Complained,
    ContentRef,
    Delivered,
    Delivery,
    DeliveryState,
    Envelope,
    Message,
    Moved,
    Opened,
    Origin,
    PermanentFailure,
    Reply,
    Result,
    RouteKind,
    RouteTaken,
    ServerKind,
    Step,
    Unsubscribed,
)
from postroad.ports import JourneyEvent
from postroad.service.journeys import Journeys

BOB = Address("bob", "receiver.test")
MESSAGE = Message(7, Envelope(None), ContentRef(7, 100), Origin(ServerKind.MX), accepted_at=100.0)
DELIVERY = Delivery(7, 0, BOB, BOB, BOB.domain, state=DeliveryState.DELIVERED)
TAKEN = RouteTaken(RouteKind.MX, "mx.receiver.test", "192.0.2.1", 25, "TLSv1.3 X")


class OneMessage:
    """A store with one message and these changes."""

    def __init__(self, *changes: Change) -> None:
        self.changes = changes
        self.delivery = DELIVERY

    async def message(self, message: int) -> Message | None:
        return MESSAGE

    async def deliveries(self, message: int) -> list[Delivery]:
        return [self.delivery]

    async def events(self, message: int) -> list[JourneyEvent]:
        return [JourneyEvent(n, change.at, change) for n, change in enumerate(self.changes)]


async def told(taken: RouteTaken, *steps: Step) -> list[tuple[str, str]]:
    result = Result(0, Delivered(Reply(250, "2.0.0", "Ok")), DeliveryState.DELIVERED)
    store = OneMessage(
        Accepted(100.0, MESSAGE, (DELIVERY,)),
        Attempted(102.0, 7, 101.0, (result,), taken, steps),
    )
    journeys = Journeys(journey=store, queue=store)  # type: ignore[arg-type]
    lines = (await journeys.of(7)).lines
    return [(line.what, line.text) for line in lines if line.what not in ("accepted", "split")]


async def test_a_new_connection_tells_its_steps() -> None:
    lines = await told(TAKEN, Step(0.1, "connect", "mx.receiver.test 192.0.2.1:25"))
    assert [what for what, _ in lines] == ["connect", "delivered"]


async def test_a_failure_is_told_with_what_it_means() -> None:
    reply = Reply(550, "5.1.1", "The email account that you tried to reach does not exist")
    result = Result(0, PermanentFailure(reply), DeliveryState.BOUNCED)
    store = OneMessage(
        Accepted(100.0, MESSAGE, (DELIVERY,)), Attempted(102.0, 7, 101.0, (result,), TAKEN)
    )
    journeys = Journeys(journey=store, queue=store)  # type: ignore[arg-type]
    last = (await journeys.of(7)).lines[-1]
    assert last.text == f"bob@receiver.test: {reply} (no-such-user, permanent (Google))"


async def test_what_came_back_is_told() -> None:
    no = Reply(550, "5.1.1", "no such user")
    store = OneMessage(
        Accepted(100.0, MESSAGE, (DELIVERY,)),
        Bounced(110.0, 7, 0, 8, False, None, "unknown", False, "mx.receiver.test"),
        Bounced(120.0, 7, 0, 9, True, no, "no-such-user", True),
        Complained(130.0, 7, 0, 10, "abuse", "ISP/1"),
    )
    journeys = Journeys(journey=store, queue=store)  # type: ignore[arg-type]
    lines = [(line.what, line.text) for line in (await journeys.of(7)).lines[-3:]]
    assert lines == [
        ("delayed", "bob@receiver.test: mx.receiver.test reports a delay, by 0000000000008"),
        (
            "bounced",
            "bob@receiver.test: a server reports a failure, by 0000000000009: "
            "550 5.1.1 no such user (no-such-user, permanent)",
        ),
        ("complained", "bob@receiver.test: ISP/1 reports abuse, by 000000000000A"),
    ]


async def test_what_recipients_do_is_told() -> None:
    store = OneMessage(
        Accepted(100.0, MESSAGE, (DELIVERY,)),
        Opened(110.0, 7, 0, "Gmail"),
        Opened(115.0, 7, 0),
        Clicked(120.0, 7, 0, "https://shop.test/"),
        Unsubscribed(130.0, 7, 0, "news", "one-click"),
    )
    journeys = Journeys(journey=store, queue=store)  # type: ignore[arg-type]
    lines = [(line.what, line.text) for line in (await journeys.of(7)).lines[-4:]]
    assert lines == [
        ("opened", "bob@receiver.test, as it seems by a machine (Gmail)"),
        ("opened", "bob@receiver.test"),
        ("clicked", "bob@receiver.test: https://shop.test/"),
        ("unsubscribed", "bob@receiver.test: wants nothing of news any more (one-click)"),
    ]


async def test_deliveries_tell_the_category_of_their_last_reply() -> None:
    full = Delivery(7, 0, BOB, BOB, BOB.domain, last=Reply(452, "4.2.2", "Mailbox full"))
    store = OneMessage(Accepted(100.0, MESSAGE, (full,)))
    store.delivery = full
    journeys = Journeys(journey=store, queue=store)  # type: ignore[arg-type]
    plain: Any = (await journeys.of(7)).to_plain()
    assert plain["deliveries"][0]["category"] == "mailbox-full"
    store.delivery = DELIVERY
    plain = (await journeys.of(7)).to_plain()
    assert plain["deliveries"][0]["category"] is None


async def test_a_kept_connection_tells_where_it_leads_and_how_it_is_secured() -> None:
    kept = RouteTaken(RouteKind.MX, "mx.receiver.test", "192.0.2.1", 25, "TLSv1.3 X", reused=True)
    lines = await told(kept, Step(0.1, "end", "250 2.0.0 Ok"))
    assert lines[0] == (
        "connect",
        "mx.receiver.test [192.0.2.1]:25, TLSv1.3 X (connection kept from before)",
    )
    assert [what for what, _ in lines] == ["connect", "end", "delivered"]


async def test_a_move_is_told_with_who_did_it() -> None:
    store = OneMessage(
        Accepted(100.0, MESSAGE, (DELIVERY,)),
        Moved(105.0, 1, 2, (1,), "ann (command)", "INBOX", "Junk"),
    )
    lines = (await Journeys(journey=store, queue=store).of(7)).lines  # type: ignore[arg-type]
    assert [(lines[-1].seconds, lines[-1].what, lines[-1].text)] == [
        (5.0, "moved", "from INBOX into Junk, by ann (command)")
    ]
