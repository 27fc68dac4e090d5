"""Whatever waits in memory ends: it gets an outcome, or a lease that somebody takes over."""

from postroad.model import Attempted, DeliveryState, Group, Leased, Reply
from tests.unit.queue.test_queue import play
from tests.unit.queue.world import World


def test_all_that_waits_fails_together_however_much_it_is() -> None:
    async def scenario(world: World) -> None:
        world.server("here.example")
        world.server("us.example", refuse=Reply(550, "5.4.6", "mail loops back to us"))
        await world.start()
        for _ in range(250):
            await world.send("user@us.example")
        assert await world.clock.until(world.all_final, 60)
        assert len(world.reports()) == 250

    play(scenario, max_in_memory=2000)


def test_all_that_meets_a_back_off_is_put_off() -> None:
    async def scenario(world: World) -> None:
        world.server("one.example", "two.example", refuse=Reply(451, "4.3.2", "not now"))
        await world.start()
        first = await world.send("user@one.example")
        assert await world.clock.until(lambda: world.delivery(first).attempts == 1, 5)
        late = [await world.send("user@two.example") for _ in range(3)]
        assert {world.state(each) for each in late} == {DeliveryState.LEASED}
        await world.clock.until(lambda: False, 5)
        assert [world.delivery(each).attempts for each in late] == [1, 1, 1]
        assert {world.state(each) for each in late} == {DeliveryState.DUE}

    play(scenario)


def test_the_lease_of_a_long_attempt_is_renewed() -> None:
    async def scenario(world: World) -> None:
        world.server("slow.example", seconds=5000.0)
        await world.start()
        await world.send("user@slow.example")
        renewed: list[Leased] = []

        def note(group: Group) -> None:
            renewed.extend(each for each in group.changes if isinstance(each, Leased))

        world.refuse_commit = note
        for _ in range(8):
            await world.clock.until(lambda: False, 500)
        assert renewed
        assert renewed[-1].until > world.clock.now()

    play(scenario, lease_seconds=900.0)


def test_no_more_of_a_message_is_born_leased_than_there_is_room_for() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        await world.send("a@there.example", "b@there.example", "c@there.example")
        assert world.states() == {DeliveryState.LEASED: 2, DeliveryState.DUE: 1}
        assert await world.clock.until(world.all_final, 120), "the rest need not wait for a lease"
        assert set(there.taken.values()) == {1}

    play(scenario, max_in_memory=2)


def test_a_store_that_is_slow_holds_attempts_back() -> None:
    async def scenario(world: World) -> None:
        there = world.server("there.example")
        await world.start()
        real = world.store.ledger.commit

        async def slow(group: Group) -> None:
            if isinstance(group.changes[0], Attempted):
                await world.clock.sleep(100.0)
            await real(group)

        world.store.ledger.commit = slow  # type: ignore[method-assign]
        for _ in range(200):
            await world.send("user@there.example")
        await world.clock.until(lambda: False, 60)
        assert 10 <= len(there.attempts) < 60
        world.store.ledger.commit = real  # type: ignore[method-assign]
        assert await world.clock.until(world.all_final, 600)
        assert set(there.taken.values()) == {1}

    play(scenario, max_unrecorded=10, max_in_memory=1000)
