"""One seed: systems, others, faults; what happens until all is quiet again."""

import asyncio
import hashlib
import itertools
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from random import Random

from postroad.model import (
    DeliveryState,
    Group,
)
from postroad.ports import StorageError
from tests.sim.disk import Disk
from tests.sim.ledger import Book
from tests.sim.links import Faults
from tests.sim.loop import Scheduler, SimLoop
from tests.sim.names import Names
from tests.sim.network import Network
from tests.sim.receivers import Manners, Receiver, Took, draw_manners
from tests.sim.server import Server
from tests.sim.system import (
    Life,
)


class World:
    """Everything that one seed makes.

    `leaning`: what comes more often than the seed says, to see sooner what only that can show. With
    ``stops`` servers are stopped just when somebody else has taken a message and has not answered yet;
    with ``syncs`` syncs fail, and contents are files.
    """

    def __init__(self, seed: int, *, verbose: bool = False, leaning: str = "") -> None:
        self.seed = seed
        self.leaning = leaning
        self.on_taking: list[Callable[[], None]] = []
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
            self.names.add(server.hostname, "A", *(node.address for node in server.nodes))
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
        if slow:
            self.count("slow reader")
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
            weather.failing = weather.sync_failing = weather.read_failing = 0.0
            weather.full = False
            weather.sync_seconds = (0.0005, 0.004)
            for life in server.lives:
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
        """Run a command of an operator in a process of a server, which may die or fail meanwhile."""
        lives = server.lives
        if not lives:
            return
        life = lives[0] if len(lives) == 1 else self.random.choice(lives)

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
            settings = server.settings
            for life in server.lives:
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
        receiver = Receiver(f"mx.r{number}.test", self.loop, random, offered, self.count)
        receiver.on_took = self._took
        receiver.manners = draw_manners(random)
        address = f"10.0.1.{number}"
        self.names.add(f"r{number}.test", "MX", f"10 mx.r{number}.test", "20 mx.r0.test")
        self.names.add(f"mx.r{number}.test", "A", address)
        self.network.listeners[address, 25] = (self.loop, receiver.listener)
        return receiver

    def _took(self, took: Took) -> None:
        self.book.took(took)
        waiting, self.on_taking = self.on_taking, []
        for tell in waiting:
            tell()

    async def taking(self) -> None:
        """Wait until somebody else has taken a message, and has not answered."""
        waiter = self.loop.create_future()
        self.on_taking.append(partial(_set, waiter))
        await waiter

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
