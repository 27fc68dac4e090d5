"""Why a delivery does not move: each sentence, to the letter."""

from typing import Any

import pytest
from msgspec.structs import replace

from postroad.message.bounce.classify import Category, classify
from postroad.model import (
    Accepted,
    Address,
    ContentRef,
    Delivery,
    DeliveryState,
    Dropped,
    Envelope,
    Group,
    Held,
    Leased,
    Message,
    Origin,
    PutOff,
    Reply,
    Retried,
    Ruling,
    RulingKind,
    ServerKind,
    Staged,
    Suppressed,
    Suppression,
    SuppressionReason,
)
from postroad.ports import Lease
from postroad.queue.look import DestinationLook, LaneLook, QueueLook
from postroad.service.errors import Refused
from postroad.service.history import Hold
from postroad.service.why import Standing, Why, sentence
from postroad.storage.memory import MemoryStore

NOW = 1_795_600_000.0  # 2026-11-25 09:46:40 UTC
ANN = Address.parse("ann@there.test")
MESSAGE = Message(7, Envelope(None), ContentRef(7, 1), Origin(ServerKind.LOCAL), NOW, stream="news")
DELIVERY = Delivery(7, 0, ANN, ANN, "there.test", due_at=NOW - 60)
BUSY = Reply(421, "4.7.0", "too many connections.")
THERE = DestinationLook("there.test", ("there.test",), "", 3, 2, 0, 5)
EMPTY = QueueLook(0, 0, 0, 0, 0, 0)


def say(delivery: Delivery = DELIVERY, **facts: Any) -> str:
    return sentence(Standing(now=NOW, message=MESSAGE, delivery=delivery, **facts))


def later(**changes: Any) -> Delivery:
    return replace(DELIVERY, due_at=NOW + 600, **changes)


def seen(**changes: Any) -> tuple[QueueLook, ...]:
    return (replace(EMPTY, destinations=(replace(THERE, **changes),)),)


ENDS: list[tuple[Delivery, dict[str, Any], str]] = [
    (
        replace(DELIVERY, state=DeliveryState.DELIVERED, last=Reply(250, "2.0.0", "Ok")),
        {},
        "It was delivered: 250 2.0.0 Ok.",
    ),
    (
        replace(DELIVERY, state=DeliveryState.BOUNCED, last=Reply(550, "5.1.1", "no such user")),
        {"category": Category.NO_SUCH_USER},
        "It was refused for good: 550 5.1.1 no such user (no-such-user).",
    ),
    (
        replace(DELIVERY, state=DeliveryState.BOUNCED, last=Reply(550, "5.7.1", "not sent")),
        {"category": Category.SUPPRESSED},
        "It was not sent, as ann@there.test is on the suppression list of stream news.",
    ),
    (
        replace(DELIVERY, state=DeliveryState.EXPIRED, attempts=31, last=BUSY),
        {},
        "It was given up after 31 tries: 421 4.7.0 too many connections.",
    ),
    (
        replace(DELIVERY, state=DeliveryState.DROPPED),
        {},
        "It was dropped by an operator, for good.",
    ),
    (
        replace(DELIVERY, state=DeliveryState.DROPPED),
        {"ended": "cancelled by key 'shop' (API)"},
        "It was cancelled by key 'shop' (API), for good.",
    ),
]
HELD = [
    (
        {"hold": Hold(NOW - 3600, "root (command)")},
        "It is held since 2026-11-25 08:46:40 UTC by root (command); release it with: "
        "postroad queue release 0000000000007/0.",
    ),
    (
        {"hold": Hold(NOW - 3600)},
        "It is held since 2026-11-25 08:46:40 UTC because nobody knows whether it was delivered, and "
        "its stream does not risk a second copy; release it with: "
        "postroad queue release 0000000000007/0.",
    ),
]
LEASED = [
    (
        {"looks": (EMPTY,), "lease": Lease(0, "main+", NOW + 900)},
        "It is being tried just now by main, whose lease ends at 2026-11-25 10:01:40 UTC.",
    ),
    (
        {"lease": Lease(0, "main", NOW + 900)},
        "It was in the hands of main, which does not run here now; it is due again when that starts, "
        "or at 2026-11-25 10:01:40 UTC at the latest.",
    ),
    (
        {"looks": seen(), "lease": Lease(0, "main", NOW + 900)},
        "It is in the hands of main and waits its turn behind up to 3 others for there.test, which "
        "gets 5 connections at most.",
    ),
    (
        {"looks": seen(slowed_by=str(BUSY), limit=1), "lease": Lease(0, "main", NOW + 900)},
        "It is in the hands of main and waits its turn: there.test asked us to slow down "
        "(421 4.7.0 too many connections.) and gets 1 connection at most.",
    ),
]
WAITING: list[tuple[Delivery, dict[str, Any], str]] = [
    (
        later(last=Reply(451, "4.7.0", "cap")),
        {
            "put_off": PutOff(
                NOW,
                NOW + 600,
                Reply(451, "4.7.0", "192.0.2.1 sends no more than 2 a day"),
                ((7, 0),),
            )
        },
        "It waits until 2026-11-25 09:56:40 UTC because 192.0.2.1 sends no more than 2 a day.",
    ),
    (later(), {}, "It is not due before 2026-11-25 09:56:40 UTC, as its sender asked."),
    (
        later(),
        {"told": "as ann asked"},
        "It is not due before 2026-11-25 09:56:40 UTC, as ann asked.",
    ),
    (
        later(attempts=1, last=Reply(452, "4.2.2", "mailbox full")),
        {"category": Category.MAILBOX_FULL},
        "It is not due before 2026-11-25 09:56:40 UTC, as 1 try failed: 452 4.2.2 mailbox full "
        "(mailbox-full).",
    ),
    (
        later(attempts=2, last=Reply(451, "4.4.3", "DNS look-up of there.test failed: SERVFAIL")),
        {"category": Category.NETWORK},
        "It waits until 2026-11-25 09:56:40 UTC because the DNS does not help: "
        "451 4.4.3 DNS look-up of there.test failed: SERVFAIL.",
    ),
    (
        DELIVERY,
        {
            "suppression": Suppression(
                ANN, "news", SuppressionReason.HARD_BOUNCE, "550", NOW - 86_400
            )
        },
        "It will not be sent, as ann@there.test is on the suppression list of stream news since "
        "2026-11-24 09:46:40 UTC (hard-bounce).",
    ),
]
DUE = [
    (
        {},
        "It is due since 2026-11-25 09:45:40 UTC, and no server works on this store; start it with: "
        "postroad serve.",
    ),
    (
        {
            "looks": (
                replace(
                    EMPTY,
                    lanes=(
                        LaneLook(
                            "there.test", "", NOW + 60, 2, Reply(451, "4.4.3", "DNS: SERVFAIL")
                        ),
                    ),
                ),
            )
        },
        "It is due since 2026-11-25 09:45:40 UTC and waits until 2026-11-25 09:47:40 UTC because no "
        "way to there.test is found: 451 4.4.3 DNS: SERVFAIL.",
    ),
    (
        {"looks": seen(left_alone_until=NOW + 60, failures=3, reply=BUSY)},
        "It is due since 2026-11-25 09:45:40 UTC and waits until 2026-11-25 09:47:40 UTC because "
        "there.test is left alone after 3 failures: 421 4.7.0 too many connections.",
    ),
    (
        {"looks": seen(slowed_by="421 4.7.0 slower", per_minute=30.0)},
        "It is due since 2026-11-25 09:45:40 UTC and waits its turn: there.test asked us to slow down "
        "(421 4.7.0 slower) and gets 30 messages a minute.",
    ),
    (
        {"looks": seen(allowed_per_minute=60.0)},
        "It is due since 2026-11-25 09:45:40 UTC and waits its turn: there.test gets 60 messages a "
        "minute of this server (providers.there.test.per_minute).",
    ),
    (
        {"looks": seen(limit=1)},
        "It is due since 2026-11-25 09:45:40 UTC and waits behind 3 others for there.test, which gets "
        "1 connection at most.",
    ),
    (
        {"looks": (replace(EMPTY, in_memory=20_000),)},
        "It is due since 2026-11-25 09:45:40 UTC, and the server has 20000 others in hand before it.",
    ),
]


@pytest.mark.parametrize(("delivery", "facts", "words"), ENDS + WAITING)
def test_what_became_of_it_and_what_it_waits_for(
    delivery: Delivery, facts: dict[str, Any], words: str
) -> None:
    assert say(delivery, **facts) == words


@pytest.mark.parametrize(("facts", "words"), HELD)
def test_held(facts: dict[str, Any], words: str) -> None:
    assert say(replace(DELIVERY, state=DeliveryState.HELD), **facts) == words


@pytest.mark.parametrize(("facts", "words"), LEASED)
def test_leased(facts: dict[str, Any], words: str) -> None:
    assert say(replace(DELIVERY, state=DeliveryState.LEASED), **facts) == words


@pytest.mark.parametrize(("facts", "words"), DUE)
def test_due(facts: dict[str, Any], words: str) -> None:
    assert say(**facts) == words


def test_just_due() -> None:
    assert say(replace(DELIVERY, due_at=NOW - 1), looks=(EMPTY,)) == (
        "It is due since 2026-11-25 09:46:39 UTC, and the server takes it up within seconds."
    )


def test_other_pools_and_domains_say_nothing_of_it() -> None:
    other = seen(pool="bulk", left_alone_until=NOW + 60, reply=BUSY, failures=1)
    assert "the server has" in say(looks=other, pool="main")
    assert "left alone after a failure" in say(looks=other, pool="bulk")


class Clock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return NOW

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


async def test_the_store_is_asked_for_all_that_bears_on_it() -> None:
    store = MemoryStore()
    why = Why(
        store=store.queue,
        journey=store.journey,
        suppressions=store.suppressions,
        clock=Clock(),
        classify=classify,
        lists=["news"],
    )
    recipients = [Address.parse(f"{name}@there.test") for name in ("a", "b", "c", "d")]
    deliveries = tuple(
        Delivery(7, ordinal, each, each, "there.test", due_at=NOW - 60)
        for ordinal, each in enumerate(recipients)
    )
    staged = Staged(ContentRef(7, 1), b"x")
    reply = Reply(451, "4.7.0", "the cap is reached")
    commit = store.ledger.commit
    await commit(Group((Accepted(NOW - 60, MESSAGE, deliveries),), (staged,)))
    listed = Suppression(recipients[0], "news", SuppressionReason.MANUAL, "", NOW - 60)
    await commit(
        Group(
            (
                Suppressed(NOW - 60, (listed,), "root"),
                Held(NOW - 60, "root", ((7, 1),)),
                Leased(NOW, "main", NOW + 900, ((7, 2), (7, 3))),
                PutOff(NOW, NOW + 600, reply, ((7, 3),)),
            )
        )
    )
    answers = await why.of(7, [EMPTY])
    assert [each.ordinal for each, _ in answers] == [0, 1, 2, 3]
    assert [text.partition(" ")[2].partition("2026")[0] for _, text in answers] == [
        "will not be sent, as a@there.test is on the suppression list of stream news since ",
        "is held since ",
        "is being tried just now by main, whose lease ends at ",
        "waits until ",
    ]
    with pytest.raises(Refused, match="there is no message"):
        await why.of(8, [])


async def test_who_or_what_made_it_wait_is_told() -> None:
    store = MemoryStore()
    why = Why(
        store=store.queue,
        journey=store.journey,
        suppressions=store.suppressions,
        clock=Clock(),
        classify=classify,
    )
    ruling = Ruling("quiet-hours", RulingKind.ACCEPT, "quiet hours of the stream", NOW - 60, 0.0)
    staged = Staged(ContentRef(7, 1), b"x")
    accepted = Accepted(NOW - 60, MESSAGE, (later(),), rulings=(ruling,))
    await store.ledger.commit(Group((accepted,), (staged,)))
    ((_, said),) = await why.of(7, ())
    assert said.endswith(" UTC, because of quiet hours of the stream.")
    await store.ledger.commit(Group((Retried(NOW - 30, "ann", ((7, 0),), NOW + 900),)))
    ((_, said),) = await why.of(7, ())
    assert said.endswith(" UTC, as ann asked.")
    by_key = Dropped(NOW - 10, "key 'shop' (API)", ((7, 0),), cancelled=True)
    await store.ledger.commit(Group((by_key,)))
    ((_, said),) = await why.of(7, ())
    assert said == "It was cancelled by key 'shop' (API), for good."
