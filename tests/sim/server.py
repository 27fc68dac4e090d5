"""A mail system over all lives of its nodes: starts, deaths, orderly ends.

Most have one node. Those with two have one store, one name and two addresses, and their nodes live and
die apart; what one had in hand when it died is the other's when its leases have run out.
"""

from typing import TYPE_CHECKING

from msgspec.structs import replace

from postroad.model import (
    Account,
    AccountAdded,
    Address,
    Alias,
    AliasAdded,
    Domain,
    DomainAdded,
    Group,
)
from postroad.ports import StorageError
from postroad.queue import QueueSettings, StreamPolicy, UnknownPolicy
from tests.sim.disk import Disk
from tests.sim.ledger import Ending
from tests.sim.loop import SimLoop
from tests.sim.system import (
    CHECK_SECONDS,
    CODES,
    EPOCH,
    PASSWORD,
    Life,
    SimClock,
    SimEntropy,
    account_id,
)

if TYPE_CHECKING:
    from tests.sim.world import World

HOUR = 3600.0
_TWO_NODES = 0.25  # how many systems have them


class Server:
    """A mail system: one disk, and the nodes that work on it."""

    def __init__(self, world: "World", letter: str, number: int) -> None:
        random = world.random
        self.world = world
        self.domain = f"{letter}.test"
        self.hostname = f"mx.{letter}.test"
        self.disk = Disk(self.hostname, random, world.committed, world.trace, world.count)
        self.disk.weather.sync_failing = random.choice([0.0, 0.0, 0.03])
        self.inline = random.choice([2_000, 256 * 1024])
        if world.leaning == "syncs":
            self.disk.weather.sync_failing, self.inline = 0.1, 1_000
        lifetime = random.choice([1.5 * HOUR, 4 * HOUR])
        self.settings = QueueSettings(
            hostname=self.hostname,
            node=self.hostname,
            poll_seconds=random.choice([300.0, 900.0]),
            lifetime_seconds=lifetime,
            null_sender_lifetime_seconds=lifetime / 2,
            delay_notice_seconds=random.choice([0.0, HOUR / 2, HOUR]),
            retry_first_seconds=random.choice([60.0, 300.0]),
            max_in_memory=random.choice([5, 100, 20_000, 20_000]),
            max_sessions=random.choice([2, 500]),
            concurrency_initial=random.choice([1, 5]),
            lease_seconds=random.choice([600.0, 3600.0]),
            max_unrecorded=random.choice([3, 2000]),
            unknown=random.choice([UnknownPolicy.RETRY, UnknownPolicy.RETRY, UnknownPolicy.HOLD]),
            streams={CODES: StreamPolicy(random.choice([*UnknownPolicy]))},
        )
        count = 2 if random.random() < _TWO_NODES else 1
        self.nodes = [Node(self, number, at) for at in range(count)]

    @property
    def lives(self) -> list[Life]:
        """What runs at present."""
        return [node.life for node in self.nodes if node.life is not None]

    @property
    def up(self) -> bool:
        """Whether all its nodes run."""
        return len(self.lives) == len(self.nodes)

    def node(self) -> "Node":
        """Return one of its nodes, as a client picks one."""
        return self.world.random.choice(self.nodes) if len(self.nodes) > 1 else self.nodes[0]

    def jump(self, seconds: float) -> None:
        """Its clocks jump. Those of nodes on one store go alike: leases are times of day."""
        self.world.count("clock jump")
        for node in self.nodes:
            node.offset += seconds
            if node.life is not None:
                node.life.clock.offset = node.offset

    def provision(self, users: int) -> None:
        """Make the directory; the first user of every system is postmaster, too."""
        changes: list[DomainAdded | AccountAdded | AliasAdded] = [
            DomainAdded(EPOCH, Domain(self.domain))
        ]
        for number in range(users):
            name = f"u{number}@{self.domain}"
            identity = account_id(name)
            changes.append(
                AccountAdded(
                    EPOCH, Account(identity, Address.parse(name), PASSWORD, identity + 2**33)
                )
            )
        targets = [f"u0@{self.domain}", f"u1@{self.domain}", "ann@r1.test", "u0@a.test"]
        for name, members in {
            "list": targets,
            "postmaster": targets[:1],
            "away": ["bob@r2.test"],
            "ring": [f"ring@{self.domain}"],
        }.items():
            addresses = tuple(Address.parse(each) for each in members)
            alias = Alias(Address.parse(f"{name}@{self.domain}"), addresses)
            changes.append(AliasAdded(EPOCH, alias))
        self.disk.apply(Group(tuple(changes)), {})


class Node:
    """One place where the system runs, over all its lives."""

    def __init__(self, server: Server, number: int, at: int) -> None:
        self.server = server
        self.world = server.world
        self.disk = server.disk
        self.name = f"{server.hostname}-{at}" if at else server.hostname
        self.address = f"10.0.{5 * at}.{number}"
        self.settings = replace(server.settings, node=self.name)
        self.lives = 0
        self.life: Life | None = None
        self.starting = False
        self.offset = 0.0

    def start(self) -> None:
        """Begin a new life."""
        world = self.world
        self.starting = False
        self.lives += 1
        loop = SimLoop(world.scheduler, self.name)
        loop.on_death = lambda: self.died(loop)
        loop.on_trouble = lambda text: world.book.complain(0, text)
        clock = SimClock(loop, self.offset)
        world.say(f"{self.name} starts, life {self.lives}")
        if self.lives > 1 and world.stormy and world.random.random() < 0.2:
            loop.fuse = world.random.randrange(2, 200)  # it dies again while it recovers
            world.count("crash at start")

        async def begin() -> None:
            life = self.life = Life(
                hostname=self.server.hostname,
                address=self.address,
                number=self.lives,
                loop=loop,
                disk=self.disk,
                network=world.network,
                names=world.names,
                clock=clock,
                entropy=SimEntropy(world.random, clock, world.counter),
                queue_settings=self.settings,
                inline_max_octets=self.server.inline,
            )
            await life.start()
            assert life.running is not None
            try:
                await life.running
            except StorageError as error:
                # As the real process: it ends, and whoever watches it starts it again.
                world.say(f"{self.name} cannot start: {error}")
                loop.doomed = True

        loop.create_task(begin(), name="life")

    def died(self, loop: SimLoop) -> None:
        """The process is gone, with all that it had not stored."""
        world = self.world
        silently = world.random.random() < 0.3
        world.say(f"{self.name} dies{' silently' if silently else ''}")
        world.count("crash")
        world.network.process_died(loop, silently)
        loop.kill()
        world.book.endings.append(Ending(world.scheduler.now, self.server.hostname, False))
        self.life = None
        alone = not self.server.lives
        if alone:  # else the other knows what is written, and goes on behind it
            with world.book.found_whole():
                for problem in self.disk.crashed():
                    world.book.complain(1, problem)
        else:
            world.count("crash beside another")
        # Another has time to take what this one had.
        longer = [2 * HOUR] if len(self.server.nodes) > 1 else []
        self.start_later(world.random.choice([0.1, 5.0, 1000.0, *longer]))

    def start_later(self, seconds: float) -> None:
        if not self.starting:
            self.starting = True
            self.world.loop.call_later(seconds, self.start)

    def crash(self, fuse: int, effects: bool) -> None:
        """Let the process die soon: after so many steps, or at an effect on the world."""
        if self.life is not None:
            if effects:
                self.life.loop.effect_fuse = 1 + fuse // 8
            else:
                self.life.loop.fuse = 1 + fuse

    async def stop(self, grace_seconds: float) -> None:
        """End the process in order, as far as it gets."""
        life = self.life
        if life is None:
            return
        self.world.say(f"{self.name} stops")
        self.world.count("stop")
        errors = self.world.lost_outcomes
        stopping = life.loop.create_task(life.stop(grace_seconds), name="stop")
        while not stopping.done() and life.loop.alive:
            await self.world.sleep(0.5)
        if not life.loop.alive:
            return  # it died on the way
        stopping.result()
        await self.world.sleep(2 * CHECK_SECONDS)  # handlers whose clients were cut off
        self.world.check_leaks(self.server, life)
        self.world.network.process_died(life.loop, False)
        life.loop.kill()
        clean = self.world.lost_outcomes == errors
        self.world.book.endings.append(
            Ending(self.world.scheduler.now, self.server.hostname, clean)
        )
        self.life = None
        if not self.server.lives:
            self.disk.doubtful = []
