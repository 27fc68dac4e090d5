"""One seed: systems, others, faults; what happens until all is quiet again."""

import asyncio
import hashlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from postroad.model import (
    Account,
    AccountAdded,
    Address,
    Alias,
    AliasAdded,
    DeliveryState,
    Domain,
    DomainAdded,
    Group,
)
from postroad.ports import StorageError
from postroad.queue import QueueSettings, UnknownPolicy
from tests.sim.disk import Disk
from tests.sim.ledger import Book, Ending
from tests.sim.links import Faults
from tests.sim.loop import Scheduler, SimLoop
from tests.sim.names import Names
from tests.sim.network import Network
from tests.sim.receivers import Manners, Receiver, draw_manners
from tests.sim.system import CHECK_SECONDS, EPOCH, PASSWORD, Life, SimClock, SimEntropy, account_id

HOUR = 3600.0


class Server:
    """A mail system over all its lives."""

    def __init__(self, world: "World", letter: str, number: int) -> None:
        random = world.random
        self.world = world
        self.domain = f"{letter}.test"
        self.hostname = f"mx.{letter}.test"
        self.address = f"10.0.0.{number}"
        self.disk = Disk(self.hostname, random, world.committed, world.trace, world.count)
        self.lives = 0
        self.life: Life | None = None
        self.starting = False
        self.offset = 0.0
        self.inline = random.choice([2_000, 256 * 1024])
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
        )

    def start(self) -> None:
        """Begin a new life."""
        world = self.world
        self.starting = False
        self.lives += 1
        loop = SimLoop(world.scheduler, self.hostname)
        loop.on_death = lambda: self.died(loop)
        loop.on_trouble = lambda text: world.book.complain(0, text)
        clock = SimClock(loop, self.offset)
        world.say(f"{self.hostname} starts, life {self.lives}")

        async def begin() -> None:
            life = self.life = Life(
                hostname=self.hostname,
                address=self.address,
                number=self.lives,
                loop=loop,
                disk=self.disk,
                network=world.network,
                names=world.names,
                clock=clock,
                entropy=SimEntropy(world.random, clock, world.counter),
                queue_settings=self.settings,
                inline_max_octets=self.inline,
            )
            await life.start()
            assert life.running is not None
            try:
                await life.running
            except StorageError as error:
                # As the real process: it ends, and whoever watches it starts it again.
                world.say(f"{self.hostname} cannot start: {error}")
                loop.doomed = True

        loop.create_task(begin(), name="life")

    def died(self, loop: SimLoop) -> None:
        """The process is gone, with all that it had not stored."""
        world = self.world
        silently = world.random.random() < 0.3
        world.say(f"{self.hostname} dies{' silently' if silently else ''}")
        world.count("crash")
        world.network.process_died(loop, silently)
        loop.kill()
        world.book.endings.append(Ending(world.scheduler.now, self.hostname, False))
        self.life = None
        self.start_later(world.random.choice([0.1, 5.0, 1000.0]))

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
        self.world.say(f"{self.hostname} stops")
        self.world.count("stop")
        errors = self.world.lost_outcomes
        stopping = life.loop.create_task(life.stop(grace_seconds), name="stop")
        while not stopping.done() and life.loop.alive:
            await self.world.sleep(0.5)
        if not life.loop.alive:
            return  # it died on the way
        stopping.result()
        await self.world.sleep(2 * CHECK_SECONDS)  # handlers whose clients were cut off
        self.world.check_leaks(self, life)
        self.world.network.process_died(life.loop, False)
        life.loop.kill()
        clean = self.world.lost_outcomes == errors
        self.world.book.endings.append(Ending(self.world.scheduler.now, self.hostname, clean))
        self.life = None

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


class World:
    """Everything that one seed makes."""

    def __init__(self, seed: int, *, verbose: bool = False) -> None:
        self.seed = seed
        self.random = Random(seed)
        self.verbose = verbose
        self.scheduler = Scheduler()
        self.loop = SimLoop(self.scheduler, "world")
        self.loop.on_trouble = lambda text: self.book.complain(0, text)
        self.book = Book()
        self.counts: Counter[str] = Counter()
        self.lost_outcomes = 0
        self.stormy = True
        self._hash = hashlib.blake2b(digest_size=16)
        self._ids = itertools.count(1)
        self._fault_rate = self.random.choice([0.0, 0.05, 0.3])
        self._choppy = self.random.choice([0.0, 0.3])
        self.names = Names(self.random, self.count)
        self.network = Network(self.random, self, self.trace, self.count)
        self.receivers = [self._receiver(number) for number in range(4)]
        count = 2 if self.random.random() < 0.7 else 3
        self.servers = [Server(self, letter, 1 + at) for at, letter in enumerate("abc"[:count])]
        for server in self.servers:
            self.names.add(server.domain, "MX", f"10 {server.hostname}")
            self.names.add(server.hostname, "A", server.address)
            server.provision(3)
        self._zones()

    # What the parts tell us

    def trace(self, where: str, data: bytes) -> None:
        """Whatever leaves a process goes into the hash that two runs of a seed must share."""
        update = self._hash.update
        update(f"{self.scheduler.now!r} {where} ".encode())
        update(data)
        if self.verbose:
            print(f"{self.scheduler.now:12.4f} {where} {data[:120]!r}")

    @property
    def digest(self) -> str:
        """The hash of all that happened."""
        return self._hash.hexdigest()

    def say(self, text: str) -> None:
        self.trace("--", text.encode())

    def count(self, what: str) -> None:
        self.counts[what] += 1

    def counter(self) -> int:
        return next(self._ids)

    def committed(self, disk: Disk, group: Group) -> None:
        names = ",".join(type(change).__name__ for change in group.changes)
        self.trace(disk.name, names.encode())
        self.book.committed(disk, group, self.scheduler.now)
        self.check_bounds()

    def link(self, source: str, address: str) -> Faults:
        """`network.Weather`: what befalls a new connection."""
        random = self.random
        latency = 0.001 if random.random() < 0.8 else random.random() * 0.3
        if not self.stormy:
            return Faults(latency)
        choppy = random.random() < self._choppy
        slow = 500 if random.random() < self._fault_rate / 4 else 0
        broken_tls = random.random() < 0.05
        if random.random() >= self._fault_rate:
            return Faults(latency, choppy=choppy, rate=slow, tls_broken=broken_tls)
        most = random.choice([30, 300, 1500, 6000])
        return Faults(
            latency,
            kind=random.choice(["reset", "silence", "half"]),
            at=random.randrange(1, most),
            direction=random.randrange(2),
            choppy=choppy,
            rate=slow,
            tls_broken=broken_tls,
        )

    async def sleep(self, seconds: float) -> None:
        """Wait, in the world's own loop."""
        waiter = self.loop.create_future()
        self.loop.call_later(seconds, _set, waiter)
        await waiter

    # Phases

    def calm(self) -> None:
        """No more faults: disks, names, connections and others are at their best."""
        self.stormy = False
        self.say("calm")
        self.names.failing = 0.0
        self.network.black_holes.clear()
        for receiver in self.receivers:
            refuse, greylist = receiver.manners.refuse, receiver.manners.greylist
            receiver.manners = Manners(refuse=refuse, greylist=greylist)
        for server in self.servers:
            weather = server.disk.weather
            weather.failing = weather.read_failing = 0.0
            weather.full = False
            weather.sync_seconds = (0.0005, 0.004)
            life = server.life
            if life is not None:
                life.loop.fuse = life.loop.effect_fuse = -1

    def quiet(self) -> bool:
        """Whether every delivery of every system has ended."""
        return all(
            queued.ended_at is not None
            for server in self.servers
            for queued in server.disk.store.state.deliveries.values()
        )

    def unfinished(self) -> list[str]:
        """Return what has not ended."""
        return [
            f"{server.hostname} {key} {queued}"
            for server in self.servers
            for key, queued in server.disk.store.state.deliveries.items()
            if queued.ended_at is None
        ]

    async def release_held(self) -> None:
        """An operator looks through what is held."""
        for server in self.servers:
            state = server.disk.store.state
            held = [
                key
                for key, queued in state.deliveries.items()
                if queued.delivery.state is DeliveryState.HELD
            ]
            if held:
                await self.operate(server, partial(_release, held))

    async def operate(self, server: Server, what: Callable[[Life], Awaitable[object]]) -> None:
        """Run a command of an operator in the process of a server, which may die or fail meanwhile."""
        life = server.life
        if life is None:
            return

        async def work() -> None:
            try:
                await what(life)
            except StorageError as error:
                self.say(f"operator: {error}")

        task = life.loop.create_task(work(), name="operator")
        for _ in range(4000):
            if task.done() or not life.loop.alive:
                break
            await self.sleep(0.05)

    def check_bounds(self) -> None:
        """Promise 5, at each commit."""
        for server in self.servers:
            life = server.life
            if life is None:
                continue
            settings = server.settings
            # Messages that are just being accepted were given room before.
            if life.queue.in_memory > settings.max_in_memory + 100:
                self.book.complain(5, f"{life.queue.in_memory} deliveries in memory")
            most = settings.max_unrecorded + 10 * settings.max_sessions + 100
            if life.queue.unrecorded > most:
                self.book.complain(5, f"{life.queue.unrecorded} attempts not recorded")

    def check_leaks(self, server: Server, life: Life) -> None:
        """After an orderly end nothing is left."""
        for task in life.loop.pending_tasks():
            self.book.complain(0, f"{server.hostname} leaks a task: {task!r}")
        for end in self.network.open:
            if end.loop is life.loop:
                self.book.complain(0, f"{server.hostname} leaks connection {end.link.number}")
        if life.connections:
            self.book.complain(0, f"{server.hostname} counts {life.connections} connections")

    def _receiver(self, number: int) -> Receiver:
        random = self.random
        extensions = ["PIPELINING", "8BITMIME", "SIZE 100000", "DSN", "STARTTLS"]
        offered = tuple(each for each in extensions if random.random() < 0.6)
        receiver = Receiver(f"mx.r{number}.test", self.loop, random, offered)
        receiver.on_took = self.book.took
        receiver.manners = draw_manners(random)
        address = f"10.0.1.{number}"
        self.names.add(f"r{number}.test", "MX", f"10 mx.r{number}.test", "20 mx.r0.test")
        self.names.add(f"mx.r{number}.test", "A", address)
        self.network.listeners[address, 25] = (self.loop, receiver.listener)
        return receiver

    def _zones(self) -> None:
        names = self.names
        names.add("null.test", "MX", "0 .")
        names.add("plain.test", "A", "10.0.1.2")
        names.add("loop.test", "MX", "10 mx.a.test")
        names.add("dead.test", "MX", "10 mx.dead.test")
        names.add("mx.dead.test", "A", "10.0.2.1")
        names.add("hole.test", "MX", "10 mx.hole.test")
        names.add("mx.hole.test", "A", "10.0.2.2")
        if self.random.random() < 0.5:
            self.network.black_holes.add("10.0.2.2")


def _set(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)


async def _release(keys: list[tuple[int, int]], life: Life) -> None:
    await life.desk.release(keys, "op")
