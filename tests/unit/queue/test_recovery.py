"""What was in hand when the process died."""

from typing import Any

from postroad.model import Delivered, DeliveryState, Group, Leased, Unknown
from postroad.ports import StorageError
from postroad.queue.settings import StreamPolicy, UnknownPolicy
from tests.unit.queue.world import OK, Server, World

DUE, HELD, LEASED = DeliveryState.DUE, DeliveryState.HELD, DeliveryState.LEASED
CODES = {"codes": StreamPolicy(UnknownPolicy.HOLD)}


async def crashed_while_sending(**settings: Any) -> tuple[World, Server]:
    """A world in which the first of two messages was under way to a server when the process died."""
    world = World(concurrency_initial=1, concurrency_max=1, **settings)
    server = world.server("there.example", seconds=5.0)
    await world.start()
    return world, server


async def test_what_may_have_been_sent_is_unknown_and_tried_again() -> None:
    world, server = await crashed_while_sending()
    message = await world.send("zoe@there.example")
    assert await world.clock.until(lambda: bool(server.attempts))
    await world.crash()
    assert world.state(message) is LEASED
    died_at = world.clock.now()
    await world.start()
    assert await world.clock.until(world.all_final)
    first, second = world.attempted(message)
    (result,) = first.results
    assert isinstance(result.outcome, Unknown)
    assert (result.state, result.due_at) == (DUE, died_at)
    assert isinstance(second.results[0].outcome, Delivered)
    await world.stop()


async def test_a_stream_that_holds_holds_what_was_under_way_and_nothing_else() -> None:
    world, server = await crashed_while_sending(streams=CODES)
    under_way = await world.send("zoe@there.example", stream="codes")
    waiting = await world.send("zoe@there.example", stream="codes")
    assert await world.clock.until(lambda: bool(server.attempts))
    await world.crash()
    await world.start()
    assert await world.clock.until(lambda: world.state(waiting).final)
    assert world.state(under_way) is HELD
    (held,) = world.attempted(under_way)
    assert isinstance(held.results[0].outcome, Unknown)
    (sent,) = world.attempted(waiting)
    assert isinstance(sent.results[0].outcome, Delivered)
    assert server.taken == {(waiting.id, 0): 1}
    await world.stop()


async def test_a_mark_outlives_the_renewal_of_leases() -> None:
    world = World(streams=CODES, lease_seconds=30.0)
    server = world.server("there.example", seconds=300.0)
    await world.start()
    message = await world.send("zoe@there.example", stream="codes")
    assert await world.clock.until(lambda: bool(server.attempts))
    await world.clock.until(lambda: False, 120.0)
    await world.crash()
    await world.start()
    assert await world.clock.until(lambda: world.state(message) is HELD, 1.0)
    assert len(server.attempts) == 1
    await world.stop()


async def test_deposits_that_did_not_happen_are_no_attempts() -> None:
    world = World()
    server = world.server("local", seconds=5.0)
    await world.start()
    message = await world.send("ann@here.example", mailbox=7)
    assert await world.clock.until(lambda: bool(server.attempts))
    await world.crash()
    journey = len(world.attempted(message))
    assert journey == 0
    await world.start()
    await world.clock.settle()
    assert world.attempted(message) == []
    await world.stop(0.0)


async def test_without_a_mark_nothing_is_sent() -> None:
    world = World(streams=CODES)
    server = world.server("there.example", answer=lambda leased, delivery: OK)
    await world.start()

    def refuse(group: Group) -> None:
        if any(isinstance(each, Leased) and each.node.endswith("+") for each in group.changes):
            raise StorageError("the disk is full")

    world.refuse_commit = refuse
    message = await world.send("zoe@there.example", stream="codes")
    assert await world.clock.until(lambda: bool(world.attempted(message)))
    assert server.taken == {}
    assert world.state(message) is DUE
    world.refuse_commit = None
    assert await world.clock.until(world.all_final)
    assert server.taken == {(message.id, 0): 1}
    await world.stop()
