"""The queue as a whole, on a clock that jumps."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from postroad.model import (
    Accepted,
    Account,
    AccountAdded,
    Address,
    Attempted,
    ContentRef,
    Delivery,
    DeliveryState,
    Domain,
    DomainAdded,
    Envelope,
    Group,
    Held,
    Message,
    Origin,
    PermanentFailure,
    Recipient,
    Reply,
    Retried,
    RouteKind,
    ServerKind,
    Staged,
    Unknown,
)
from postroad.ports import StorageError, StorageFull
from postroad.queue import Posted, StreamPolicy, UnknownPolicy
from tests.unit.queue.world import OK, START, World, temporary

Scenario = Callable[[World], Awaitable[None]]
DAY = 86_400.0


def play(scenario: Scenario, **settings: Any) -> World:
    async def run() -> World:
        world = World(**settings)
        try:
            await scenario(world)
        finally:
            if world.running is not None and not world.running.done():
                await world.stop(60)
        return world

    return asyncio.run(run())


def test_a_message_is_delivered_without_asking_the_store() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        leases = world.groups
        message = await world.send("bob@there.example")
        assert world.state(message) is DeliveryState.LEASED
        assert await world.clock.until(world.all_final, 1)
        assert there.taken == {(message.id, 0): 1}
        assert world.groups - leases == 2, "one commit to accept, one for the outcome"
        assert world.state(message) is DeliveryState.DELIVERED
        assert world.queue.in_memory == 0

    play(scenario)


def test_what_was_accepted_before_run_is_found_in_the_store() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        message = await world.send("bob@there.example")
        assert world.state(message) is DeliveryState.DUE
        await world.start()
        assert await world.clock.until(world.all_final, 1)
        assert there.taken == {(message.id, 0): 1}

    play(scenario)


def test_recipients_at_one_domain_go_together_and_domains_apart() -> None:
    async def scenario(world: World) -> None:
        one, two = world.server("one.example"), world.server("two.example")
        await world.start()
        message = await world.send("a@one.example", "b@two.example", "c@one.example")
        assert await world.clock.until(world.all_final, 1)
        assert [each[2] for each in one.attempts] == [(0, 2)]
        assert [each[2] for each in two.attempts] == [(1,)]
        assert world.states() == {DeliveryState.DELIVERED: 3}
        assert len(world.attempted(message)) == 2

    play(scenario)


def test_a_refused_commit_leaves_nothing_behind() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()

        def full(group: Group) -> None:
            raise StorageFull("full")

        world.refuse_commit = full
        with pytest.raises(StorageFull):
            await world.send("bob@there.example")
        world.refuse_commit = None
        await world.clock.until(lambda: False, 10)
        assert world.queue.in_memory == 0
        assert not there.attempts

    play(scenario)


def test_a_thousand_messages_survive_a_restart_and_arrive_once() -> None:
    async def scenario(world: World) -> None:
        servers = [world.server(f"d{n}.example", seconds=0.5) for n in range(10)]
        await world.start()
        for number in range(500):
            await world.send(f"user@d{number % 10}.example")
        await world.clock.until(lambda: world.states()[DeliveryState.DELIVERED] >= 100)
        await world.stop(5)
        assert world.states()[DeliveryState.LEASED] == 0, "what was not begun was given back"
        assert world.queue.in_memory == 0
        for number in range(500):
            await world.send(f"user@d{number % 10}.example")
        await world.start()
        assert await world.clock.until(world.all_final, DAY)
        taken = sum((each.taken for each in servers), Counter())
        assert len(taken) == 1000
        assert set(taken.values()) == {1}

    play(scenario)


def test_what_a_worker_left_that_there_is_not_any_more_does_not_wait() -> None:
    async def scenario(world: World) -> None:
        world.server("far.example", seconds=100.0)
        world.settings = replace(world.settings, node="main-1")
        world.queue = world.new_queue()
        await world.start()
        for _ in range(20):
            await world.send("user@far.example")
        await world.clock.settle()
        await world.crash()
        world.settings = replace(
            world.settings, node="main", inherits=lambda node: node == "main-1"
        )
        world.queue = world.new_queue()
        world.servers["far.example"].seconds = 0.1
        await world.start()
        assert await world.clock.until(world.all_final, 100), "leases last 900 s"

    play(scenario, lease_seconds=900.0)


def test_after_a_crash_all_arrive_and_only_what_was_in_flight_twice() -> None:
    async def scenario(world: World) -> None:
        servers = [world.server(f"d{n}.example", seconds=0.5) for n in range(5)]
        await world.start()
        for number in range(200):
            await world.send(f"user@d{number % 5}.example")
        await world.clock.until(lambda: world.states()[DeliveryState.DELIVERED] >= 50)
        in_flight = sum(each.sessions for each in servers)
        await world.crash()
        assert world.states()[DeliveryState.LEASED] > 0
        await world.start()
        assert await world.clock.until(world.all_final, 100), (
            "without waiting for leases to run out"
        )
        taken = sum((each.taken for each in servers), Counter())
        assert len(taken) == 200
        assert sum(taken.values()) - 200 <= in_flight

    play(scenario)


def test_a_tarpit_delays_nobody() -> None:
    async def scenario(world: World) -> None:
        tarpit = world.server("tarpit.example", seconds=600.0)
        for number in range(999):
            world.server(f"d{number}.example")
        await world.start()
        for _ in range(50):
            await world.send("user@tarpit.example")
        for number in range(999):
            await world.send(f"user@d{number}.example")
        assert await world.clock.until(
            lambda: world.states()[DeliveryState.DELIVERED] >= 999, 30
        ), world.states()
        assert 0 < tarpit.most_sessions <= world.settings.concurrency_max

    play(scenario, max_sessions=100, max_in_memory=200)


def test_slow_destinations_cannot_fill_the_memory() -> None:
    async def scenario(world: World) -> None:
        for number in range(5):
            world.server(f"slow{number}.example", seconds=3600.0)
        fast = world.server("fast.example")
        for number in range(300):
            await world.send(f"user@slow{number % 5}.example")
        for _ in range(50):
            await world.send("user@fast.example")
        await world.start()
        assert await world.clock.until(lambda: len(fast.taken) == 50, 600)
        assert world.queue.in_memory <= 100

    play(scenario, max_in_memory=100)


def test_a_dead_destination_is_left_alone_and_its_mail_deferred_with_the_reason() -> None:
    async def scenario(world: World) -> None:
        dead = world.server("dead.example", refuse=Reply(451, "4.4.1", "connection refused"))
        await world.start()
        messages = [await world.send("user@dead.example") for _ in range(100)]
        await world.clock.until(lambda: world.states()[DeliveryState.DUE] == 100, 5)
        assert world.queue.in_memory == 0
        assert dead.connects <= world.settings.concurrency_initial
        for message in messages:
            attempted = world.attempted(message)
            assert [each.results[0].outcome.reply.text for each in attempted] == [
                "connection refused"
            ]
            assert world.delivery(message).due_at >= world.clock.now() + 200
        # New mail is not tried while the destination is left alone, and then is.
        connects = dead.connects
        late = await world.send("user@dead.example")
        assert world.state(late) is DeliveryState.DUE
        await world.clock.until(lambda: False, 20)
        assert dead.connects == connects
        dead.refuse = None
        assert await world.clock.until(world.all_final, 3600)
        assert set(dead.taken.values()) == {1}

    play(scenario)


def test_backoff_grows_while_nothing_gets_through() -> None:
    async def scenario(world: World) -> None:
        dead = world.server("dead.example", refuse=Reply(451, "4.4.1", "connection refused"))
        await world.start()
        for _ in range(2000):
            await world.send("user@dead.example")
            await world.clock.until(lambda: False, 20)
        hours = 2000 * 20 / 3600
        assert dead.connects < 25 + hours * 3600 / (world.settings.backoff_max_seconds / 2)

    play(scenario, lifetime_seconds=40 * DAY)


def test_an_operator_ends_the_backoff() -> None:
    async def scenario(world: World) -> None:
        dead = world.server("dead.example", refuse=Reply(451, "4.4.1", "connection refused"))
        await world.start()
        message = await world.send("user@dead.example")
        await world.clock.until(lambda: world.state(message) is DeliveryState.DUE, 5)
        dead.refuse = None
        await world.queue.retry([(message.id, 0)], "root")
        assert await world.clock.until(world.all_final, 1)

    play(scenario)


def test_domains_with_the_same_hosts_share_sessions() -> None:
    async def scenario(world: World) -> None:
        shared = world.server(*(f"d{n}.example" for n in range(50)), key="shared", seconds=0.1)
        await world.start()
        for number in range(50):
            await world.send(f"user@d{number}.example")
        assert await world.clock.until(world.all_final, 10)
        assert shared.connects <= 20
        assert set(world.routed.values()) == {1}

    play(scenario)


def test_a_domain_is_routed_once_for_all_that_wait() -> None:
    async def scenario(world: World) -> None:
        world.server("there.example")
        await world.start()
        await asyncio.gather(*(world.send("user@there.example") for _ in range(100)))
        assert await world.clock.until(world.all_final, 10)
        assert world.routed == {"there.example": 1}

    play(scenario)


def test_an_idle_session_is_used_again_and_closed_in_the_end() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        for _ in range(3):
            await world.send("user@there.example")
            await world.clock.until(world.all_final, 1)
        assert there.connects == 1
        await world.clock.until(lambda: there.sessions == 0, 10)
        assert there.closed == 1

    play(scenario)


def test_concurrency_grows_with_success_and_is_bounded() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example", seconds=1.0)
        await world.start()
        for _ in range(500):
            await world.send("user@there.example")
        await world.clock.until(lambda: there.sessions == 5, 1)
        assert await world.clock.until(world.all_final, 200)
        assert 10 <= there.most_sessions <= 20

    play(scenario)


def test_sessions_that_break_lead_to_backoff_and_lose_nothing() -> None:
    async def scenario(world: World) -> None:
        flaky = world.server(
            "flaky.example", breaks=True, answer=lambda leased, each: temporary(421, "4.3.2")
        )
        await world.start()
        for _ in range(100):
            await world.send("user@flaky.example")
        await world.clock.until(lambda: world.states()[DeliveryState.DUE] == 100, 10)
        assert flaky.connects <= 12, "it is not asked for every message"
        flaky.breaks, flaky.answer = False, lambda leased, each: OK_REPLY
        assert await world.clock.until(world.all_final, DAY)
        assert set(flaky.taken.values()) == {1}

    from tests.unit.queue.world import OK as OK_REPLY

    play(scenario)


def test_storage_that_fails_in_the_middle_loses_no_outcome() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        messages = [await world.send("user@there.example") for _ in range(200)]

        def broken(group: Group) -> None:
            raise StorageError("I/O error")

        world.refuse_commit = broken
        await world.clock.until(lambda: False, 120)
        begun = len(there.attempts)
        assert 0 < begun < 200, "no new attempts while outcomes cannot be stored"
        world.refuse_commit = None
        assert await world.clock.until(world.all_final, 60)
        assert there.taken == {(message.id, 0): 1 for message in messages}
        assert world.queue.unrecorded == 0

    play(scenario, max_unrecorded=20)


def test_one_attempt_that_contradicts_the_store_does_not_stop_the_others() -> None:
    async def scenario(world: World) -> None:
        world.server("local")
        await world.start()
        # Mailbox 99 does not exist, so its deposit is a Conflict.
        bad = await world.send("bob@here.example", mailbox=99)
        there = world.server("there.example")
        good = [await world.send("user@there.example") for _ in range(20)]
        await world.clock.until(lambda: len(there.taken) == 20, 5)
        assert {world.state(each) for each in good} == {DeliveryState.DELIVERED}
        assert world.state(bad) is DeliveryState.DUE
        assert isinstance(world.attempted(bad)[0].results[0].outcome.reply.text, str)
        assert world.attempted(bad)[0].results[0].outcome.reply.code == 451

    play(scenario)


@pytest.mark.parametrize(
    ("policy", "state"),
    [(UnknownPolicy.RETRY, DeliveryState.DUE), (UnknownPolicy.HOLD, DeliveryState.HELD)],
)
def test_a_shutdown_cuts_off_what_hangs_and_says_so(
    policy: UnknownPolicy, state: DeliveryState
) -> None:
    async def scenario(world: World) -> None:
        world.server("there.example", seconds=1e6)
        await world.start()
        message = await world.send("user@there.example")
        await world.clock.until(lambda: False, 1)
        await world.stop(5)
        assert world.clock.now() - START < 60
        assert world.state(message) is state
        outcome = world.attempted(message)[0].results[0].outcome
        assert isinstance(outcome, Unknown)

    play(scenario, unknown=policy)


def test_a_shutdown_without_a_store_ends_and_names_what_it_could_not_store() -> None:
    async def scenario(world: World) -> None:
        world.server("there.example")
        await world.start()
        await world.send("user@there.example")

        def broken(group: Group) -> None:
            if isinstance(group.changes[0], Attempted):
                raise StorageError("I/O error")

        world.refuse_commit = broken
        await world.clock.until(lambda: world.queue.unrecorded == 1, 5)
        with capture_logs() as logs:
            await world.stop(5)
        assert any(
            "could not be stored; the delivery will be tried again" in e["event"] for e in logs
        )
        world.refuse_commit = None
        await world.start()
        assert await world.clock.until(world.all_final, 5)

    play(scenario)


def test_an_attempt_longer_than_its_lease_is_not_made_twice() -> None:
    async def scenario(world: World) -> None:
        slow = world.server("slow.example", seconds=5000.0)
        await world.start()
        message = await world.send("user@slow.example")
        assert await world.clock.until(world.all_final, 6000)
        assert len(slow.attempts) == 1
        assert slow.taken == {(message.id, 0): 1}

    play(scenario, lease_seconds=900.0)


def test_a_lease_that_cannot_be_renewed_is_not_made_twice_here() -> None:
    async def scenario(world: World) -> None:
        slow = world.server("slow.example", seconds=3000.0)
        await world.start()
        message = await world.send("user@slow.example")

        def no_renewal(group: Group) -> None:
            if not isinstance(group.changes[0], Attempted | Accepted):
                raise StorageError("no")

        world.refuse_commit = no_renewal
        assert await world.clock.until(world.all_final, 6000)
        assert slow.taken == {(message.id, 0): 1}
        assert len(slow.attempts) == 1

    play(scenario, lease_seconds=300.0)


def test_unknown_is_held_where_the_policy_says_so() -> None:
    async def scenario(world: World) -> None:
        world.server(
            "there.example",
            answer=lambda leased, each: Unknown(Reply(451, "4.4.2", "lost after the final dot")),
        )
        await world.start()
        message = await world.send("user@there.example")
        await world.clock.until(lambda: world.state(message) is DeliveryState.HELD, 5)
        assert world.state(message) is DeliveryState.HELD
        assert not world.reports()

    play(scenario, unknown=UnknownPolicy.HOLD)


def test_a_stream_says_what_follows_an_unknown_outcome() -> None:
    async def scenario(world: World) -> None:
        world.server(
            "there.example",
            answer=lambda leased, each: Unknown(Reply(451, "4.4.2", "lost after the final dot")),
        )
        await world.start()
        code = await world.send("user@there.example", stream="codes")
        news = await world.send("user@there.example", stream="news")
        other = await world.send("user@there.example")
        await world.clock.until(lambda: not world.queue.in_memory, 5)
        assert world.state(code) is DeliveryState.HELD
        assert {world.delivery(news).state, world.delivery(other).state} == {DeliveryState.DUE}

    play(
        scenario,
        streams={
            "codes": StreamPolicy(unknown=UnknownPolicy.HOLD),
            "news": StreamPolicy(unknown=UnknownPolicy.RETRY),
        },
    )


def test_unknown_is_tried_again_by_default() -> None:
    async def scenario(world: World) -> None:
        server = world.server(
            "there.example",
            answer=lambda leased, each: Unknown(Reply(451, "4.4.2", "lost after the final dot")),
        )
        await world.start()
        message = await world.send("user@there.example")
        await world.clock.until(lambda: len(server.attempts) == 3, DAY)
        assert world.state(message) in (DeliveryState.DUE, DeliveryState.LEASED)

    play(scenario)


@pytest.mark.parametrize("ours", [False, True])
def test_a_content_that_cannot_be_read_is_no_fault_of_the_destination(ours: bool) -> None:
    async def scenario(world: World) -> None:
        server = world.server("there.example", breaks=True, ours=ours)
        server.answer = lambda leased, each: temporary(451, "4.3.0")
        await world.start()
        for _ in range(5):
            await world.send("bob@there.example")
        await world.clock.until(lambda: not world.queue.in_memory, 5)
        server.answer = lambda leased, each: OK
        good = await world.send("bob@there.example")
        await world.clock.until(lambda: world.state(good).final, 5)
        assert world.state(good).final is ours, "a destination that fails is left alone"

    play(scenario, concurrency_initial=1)


def test_hold_release_and_drop() -> None:
    async def scenario(world: World) -> None:
        slow = world.server("slow.example", seconds=100.0)
        await world.start()
        messages = [await world.send("user@slow.example") for _ in range(8)]
        await world.clock.until(lambda: len(slow.attempts) == 5, 10)
        held, dropped, flying = messages[5], messages[6], messages[0]
        await world.queue.hold([(held.id, 0)], "root")
        await world.queue.drop([(dropped.id, 0), (flying.id, 0)], "root")
        await world.clock.until(lambda: False, 400)
        tried = {number for _, number, _ in slow.attempts}
        assert held.id not in tried
        assert dropped.id not in tried
        assert world.state(held) is DeliveryState.HELD
        assert world.state(dropped) is DeliveryState.DROPPED
        assert world.state(flying) is DeliveryState.DROPPED
        await world.queue.release([(held.id, 0)], "root")
        assert await world.clock.until(world.all_final, 200)
        assert world.state(held) is DeliveryState.DELIVERED
        assert not world.reports()

    play(scenario)


def test_a_deliverer_that_raises_is_an_unknown_outcome_and_not_the_end() -> None:
    async def scenario(world: World) -> None:
        server = world.server("there.example", raises=ZeroDivisionError("a bug"))
        await world.start()
        with capture_logs() as logs:
            message = await world.send("user@there.example")
            await world.clock.until(lambda: world.state(message) is DeliveryState.DUE, 5)
        assert any(entry["log_level"] == "error" for entry in logs)
        assert isinstance(world.attempted(message)[0].results[0].outcome, Unknown)
        server.raises = None
        assert await world.clock.until(world.all_final, DAY)

    play(scenario)


def test_a_domain_that_does_not_exist_bounces_and_one_that_cannot_be_looked_up_waits() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        broken = world.server("broken.example", route_failure=Reply(451, "4.4.3", "SERVFAIL"))
        await world.start()
        gone = await world.send("user@gone.example")
        waits = await world.send("user@broken.example")
        await world.clock.until(lambda: world.delivery(waits).attempts == 1, 5)
        assert world.state(gone) is DeliveryState.BOUNCED
        assert world.state(waits) is DeliveryState.DUE
        broken.route_failure = None
        assert await world.clock.until(world.all_final, 3600)
        assert len(world.reports(gone)) == 1

    play(scenario)


def test_run_ends_with_the_error_of_a_part_that_must_not_end() -> None:
    async def scenario(world: World) -> None:
        async def bug(*args: object, **kwargs: object) -> None:
            raise ZeroDivisionError("a bug")

        world.store.queue.lease = bug  # type: ignore[assignment, method-assign]
        await world.start()
        assert world.running is not None
        await world.clock.until(world.running.done, 30)
        with pytest.raises(ZeroDivisionError):
            await world.running

    play(scenario)


def test_many_deliveries_wait_in_the_store_and_not_in_memory() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example", seconds=1.0)
        await world.start()
        most = 0
        for _ in range(400):
            await world.send("user@there.example")
            most = max(most, world.queue.in_memory)
        assert world.states()[DeliveryState.DUE] > 300
        assert most <= 50
        assert await world.clock.until(world.all_final, 1000)
        assert set(there.taken.values()) == {1}
        assert len(there.taken) == 400

    play(scenario, max_in_memory=50, poll_seconds=1.0)


def test_permanent_failure_at_connect_bounces_all_that_waits() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("us.example", refuse=Reply(550, "5.4.6", "mail loops back to us"))
        await world.start()
        messages = [await world.send("user@us.example") for _ in range(10)]
        assert await world.clock.until(world.all_final, 10)
        assert {world.state(each) for each in messages} == {DeliveryState.BOUNCED}
        assert len(world.reports()) == 10
        for message in messages:
            assert isinstance(world.attempted(message)[0].results[0].outcome, PermanentFailure)

    play(scenario)


def test_an_accept_that_is_cancelled_during_its_commit_is_delivered_soon_if_it_was_committed() -> (
    None
):
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        real = world.store.ledger.commit

        async def slow(group: Group) -> None:
            await real(group)
            if isinstance(group.changes[0], Accepted):
                await world.clock.sleep(10)

        world.store.ledger.commit = slow  # type: ignore[method-assign]
        accepting = asyncio.ensure_future(world.send("user@there.example"))
        await world.clock.settle()
        accepting.cancel()
        assert await world.clock.until(world.all_final, 100)
        assert list(there.taken.values()) == [1]

    play(scenario)


async def test_commands_given_beside_the_process_are_carried_out() -> None:
    """`postroad queue hold` and `retry` work on the store; the queue learns of them."""
    world = World(poll_seconds=1.0, concurrency_initial=1, concurrency_max=1)
    world.server("slow.example", seconds=30.0)
    await world.start()
    first, second = [await world.send("bob@slow.example") for _ in range(2)]
    now = world.clock.now()
    await world.clock.until(lambda: False, 2.0)  # the second waits in memory behind the first
    await world.store.ledger.commit(Group((Held(now, "ann", ((second.id, 0),)),)))
    await world.clock.until(lambda: False, 100.0)
    assert world.state(first) is DeliveryState.DELIVERED
    assert world.state(second) is DeliveryState.HELD
    assert world.attempted(second) == []
    await world.store.ledger.commit(Group((Retried(now, "ann", ((second.id, 0),)),)))
    await world.clock.until(world.all_final, 100.0)
    assert world.state(second) is DeliveryState.DELIVERED
    assert len(world.attempted(second)) == 1
    await world.stop()


async def test_a_retry_beside_the_process_ends_back_off() -> None:
    world = World(poll_seconds=1.0)
    server = world.server("dead.example", refuse=Reply(451, "4.4.1", "refused"))
    await world.start()
    message = await world.send("bob@dead.example")
    await world.clock.until(lambda: bool(world.attempted(message)), 60.0)
    server.refuse = None
    now = world.clock.now()
    await world.store.ledger.commit(Group((Retried(now, "ann", ((message.id, 0),)),)))
    assert await world.clock.until(world.all_final, 5.0)
    await world.stop()


def test_what_only_has_to_be_deposited_takes_one_commit() -> None:
    async def scenario(world: World) -> None:
        bob = Account(1, Address.parse("bob@here.example"), "", 7)
        added = (DomainAdded(1.0, Domain("here.example")), AccountAdded(1.0, bob))
        await world.store.ledger.commit(Group(added))
        world.server("local", at_once=True, kind=RouteKind.LOCAL, seconds=0)
        await world.start()
        before = world.groups
        message = await world.send("bob@here.example", mailbox=7)
        assert world.groups == before + 1
        assert world.state(message) is DeliveryState.DELIVERED
        assert len(world.attempted(message)) == 1
        assert world.queue.in_memory == 0

    play(scenario)


def test_a_deposit_that_cannot_be_made_at_once_goes_the_long_way() -> None:
    async def scenario(world: World) -> None:
        server = world.server("local", at_once=True, kind=RouteKind.LOCAL, seconds=0)
        await world.start()
        # The mailbox is gone: the group is refused, and the message is accepted without the deposit.
        message = await world.send("bob@here.example", mailbox=7)
        assert world.state(message) in (DeliveryState.LEASED, DeliveryState.DUE)
        server.answer = lambda leased, delivery: PermanentFailure(Reply(550, "5.1.1", "gone"))
        await world.clock.until(world.all_final)
        assert world.state(message) is DeliveryState.BOUNCED
        assert len(world.reports(message)) == 1

    play(scenario)


async def test_a_stop_without_grace_leaves_no_session_open() -> None:
    world = World(concurrency_initial=1, idle_session_seconds=1000.0)
    quick = world.server("quick.example")
    slow = world.server("slow.example", seconds=500.0)
    await world.start()
    message = await world.send("bob@quick.example")
    await world.send("bob@slow.example")
    await world.clock.until(lambda: world.state(message) is DeliveryState.DELIVERED, 10.0)
    await world.clock.until(lambda: slow.sessions == 1, 10.0)
    assert quick.sessions == 1  # it is kept for the next message
    await world.stop(0.0)
    assert (quick.sessions, slow.sessions) == (0, 0)


def posted(world: World, number: int) -> Posted:
    about = Address("bob", f"there{number % 2}.example")
    content = b"Subject: x\r\n\r\nbody\r\n"
    ref = ContentRef(number, len(content))
    envelope = Envelope(Address("a", "us.example"), (Recipient(about),))
    message = Message(number, envelope, ref, Origin(ServerKind.SUBMISSION), world.clock.now())
    delivery = Delivery(number, 0, about, about, about.domain, due_at=world.clock.now())
    return Posted(message, (delivery,), Staged(ref, content))


def test_messages_are_accepted_together() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there0.example"), world.server("there1.example")
        await world.start()
        await world.clock.until(lambda: False, 0.5)  # nothing is due, so the leaser sleeps
        before = world.groups
        await world.queue.accept_together([posted(world, number) for number in range(100, 110)])
        assert world.groups - before == 1
        assert await world.clock.until(world.all_final, 0.9)
        assert [len(each.taken) for each in there] == [5, 5]

    play(scenario)


def test_none_of_several_is_accepted_where_one_cannot_be() -> None:
    async def scenario(world: World) -> None:
        await world.start()
        twice = posted(world, 100)
        with pytest.raises(StorageError):
            await world.queue.accept_together([posted(world, 101), twice, twice])
        assert not world.store.state.messages
        assert not world.store.state.contents

    play(scenario)
