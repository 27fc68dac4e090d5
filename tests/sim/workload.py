"""What people do in one seed: write, read, operate, and break things."""

from collections.abc import Callable, Coroutine
from functools import partial
from random import Random
from typing import Any

from postroad.model import DeliveryState
from tests.sim.clients import Letter, Recipient, read_mail, submit
from tests.sim.receivers import draw_manners
from tests.sim.server import Node, Server
from tests.sim.system import BROKEN_CHECK, HANGING_CHECK, PASSWORD, Life
from tests.sim.world import World

HORIZON_SECONDS = 3600.0
_BODY = Random(0).randbytes(300_000).hex().encode()
_NOTIFY = (
    "",
    "",
    "",
    " NOTIFY=NEVER",
    " NOTIFY=FAILURE",
    " NOTIFY=SUCCESS,FAILURE",
    " NOTIFY=SUCCESS,FAILURE,DELAY ORCPT=rfc822;someone@elsewhere.test",
)
_SIZES = (0, 100, 100, 700, 700, 3000, 3000, 9000, 60_000)


class Workload:
    """Plans all of it at the start; it then happens by itself."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.random = world.random
        self._numbers = 0

    def plan(self) -> None:
        """Spread everything over the time of faults."""
        random = self.random
        for _ in range(random.randrange(3, 9)):
            self._at(self._client())
        for _ in range(random.randrange(0, 4)):
            self._at(self._reader())
        for _ in range(random.randrange(0, 4)):
            self._at(self._operator())
        for _ in range(random.randrange(0, 4)):
            server = random.choice(self.world.servers)
            fuse, effects = random.randrange(1, 2000), random.random() < 0.5
            self._when(partial(server.node().crash, fuse, effects))
        if random.random() < 0.4:
            self._at(self._restart(random.choice(self.world.servers).node()))
        for _ in range(random.randrange(0, 4)):
            self._weather()
        if self.world.leaning == "stops":
            for server in self.world.servers:
                self._at(self._stop_at_takings(server.nodes[0]))

    # Writers

    def _recipient(self) -> Recipient:
        random = self.random
        user = f"u{random.randrange(3)}"
        domain = random.choice(self.world.servers).domain
        address = random.choice(
            [
                f"{user}@{domain}",
                f"{user}@{domain}",
                f"{user}+tag@{domain}",
                f"list@{domain}",
                f"away@{domain}",
                f"ring@{domain}",
                f"unknown@{domain}",
                f"{user}@r{random.randrange(4)}.test",
                f"{user}@r{random.randrange(4)}.test",
                f"{user}@r{random.randrange(4)}.test",
                f"nobody@r{random.randrange(4)}.test",
                f"{user}@{random.choice(['null', 'plain', 'loop', 'dead', 'hole', 'none'])}.test",
            ]
        )
        return Recipient(address, random.choice(_NOTIFY))

    def letter(self, server: Server, sender: str) -> Letter:
        """Make a message."""
        random = self.random
        self._numbers += 1
        number = self._numbers
        size = random.choice(_SIZES)
        start = random.randrange(200_000)
        head = [f"X-Sim: {number}", f"Subject: letter {number}", f"From: <{sender}>"]
        if random.random() < 0.8:
            head += [
                f"Message-ID: <{number}@client.example>",
                "Date: Thu, 1 Jan 2026 00:00:00 +0000",
            ]
        if random.random() < 0.05:
            head.append((BROKEN_CHECK if random.random() < 0.5 else HANGING_CHECK).decode())
        lines = [_BODY[start + at : start + at + 78] for at in range(0, size, 78)]
        if lines and random.random() < 0.3:
            lines[0] = b"." + lines[0]
            lines[-1] = random.choice([b".", b"..", b"\xc3\xa4 8-bit", b""])
        data = (
            "\r\n".join(head).encode() + b"\r\n\r\n" + b"".join(b"%s\r\n" % each for each in lines)
        )
        parameters = random.choice(["", "", " BODY=8BITMIME", " RET=FULL ENVID=abc", " RET=HDRS"])
        count = random.choice([1, 1, 1, 2, 4])
        addressed = {each.address: each for each in (self._recipient() for _ in range(count))}
        return Letter(number, server.hostname, sender, tuple(addressed.values()), data, parameters)

    async def _client(self) -> None:
        random, world = self.random, self.world
        server = random.choice(world.servers)
        host = world.network.host(world.loop, f"10.0.9.{random.randrange(3)}")
        submission = random.random() < 0.7
        user = f"u{random.randrange(3)}@{server.domain}"
        senders = [user, user, ""] if submission else ["", "x@r0.test", "u0@none.test", user]
        letters = [
            self.letter(server, random.choice(senders)) for _ in range(random.randrange(1, 7))
        ]
        world.book.letters += letters
        await submit(
            host,
            server.node().address,
            587 if submission else 25,
            letters,
            login=(user, PASSWORD) if submission else None,
            random=random,
            now=world.loop.time,
        )

    # Readers, operators

    async def _reader(self) -> None:
        server = self.random.choice(self.world.servers)
        await self.read(server, f"u{self.random.randrange(3)}@{server.domain}", 0.5)

    async def read(self, server: Server, account: str, delete: float) -> bool:
        """Read a mailbox; return whether that worked."""
        world = self.world
        host = world.network.host(world.loop, "10.0.9.9")
        reading = await read_mail(
            host, server.node().address, account, PASSWORD, delete, self.random
        )
        if reading is not None:
            world.book.readings.append((server.hostname, reading))
        return reading is not None

    async def _operator(self) -> None:
        random, world = self.random, self.world
        server = random.choice(world.servers)
        what = random.choice(["hold", "release", "retry", "drop", "hold", "queue hold"])
        state = server.disk.store.state
        keys = [
            key
            for key, queued in state.deliveries.items()
            if queued.ended_at is None and random.random() < 0.5
        ]
        world.say(f"operator: {what} {keys}")

        async def work(life: Life) -> None:
            if what == "hold":
                await life.desk.hold(keys, "op")
            elif what == "release":
                await life.desk.release(keys, "op")
            elif what == "retry":
                await life.desk.retry(keys, "op")
            elif what == "drop":
                await life.desk.drop(keys[:2], "op")
            else:
                open_keys = [
                    k for k in keys if state.deliveries[k].delivery.state is DeliveryState.DUE
                ]
                await life.queue.hold(open_keys, "op")

        await world.operate(server, work)

    async def _restart(self, node: Node) -> None:
        grace = self.random.choice([0.0, 0.0, 5.0, 300.0])
        if self.random.random() < 0.8:
            await self._in_flight(node)
        await node.stop(grace)
        if node.life is None:
            node.start_later(self.random.choice([0.1, 600.0]))

    async def _stop_at_takings(self, node: Node) -> None:
        for _ in range(20):
            await self.world.taking()
            await node.stop(0.0)
            if node.life is None:
                node.start_later(1.0)
            await self.world.sleep(60.0)

    async def _in_flight(self, node: Node) -> None:
        """Wait until the node is in the midst of an attempt, or a while in vain."""
        for _ in range(2000):
            if node.life is not None and node.life.in_flight:
                return
            await self.world.sleep(0.05)

    # Weather

    def _weather(self) -> None:
        random, world = self.random, self.world
        server = random.choice(world.servers)
        weather = server.disk.weather
        kind = random.randrange(7)
        seconds = random.choice([5.0, 600.0])
        if kind == 0:
            self._spell(seconds, lambda on: setattr(weather, "failing", 0.5 if on else 0.0))
        elif kind == 1:
            self._spell(seconds, lambda on: setattr(weather, "full", on))
        elif kind == 2:
            slow, fast = (0.1, 20.0), (0.0005, 0.004)
            self._spell(seconds, lambda on: setattr(weather, "sync_seconds", slow if on else fast))
        elif kind == 3:
            self._spell(seconds, lambda on: setattr(weather, "read_failing", 0.3 if on else 0.0))
        elif kind == 4:
            self._spell(seconds, lambda on: setattr(world.names, "failing", 0.7 if on else 0.0))
        elif kind == 5:
            self._spell(seconds, lambda on: setattr(weather, "sync_failing", 0.5 if on else 0.0))
        else:
            jump = random.choice([-3600.0, -5.0, 5.0, 3600.0])
            self._when(lambda: self._jump(server, jump))
        receiver = random.choice(world.receivers)
        manners = draw_manners(random)
        self._when(lambda: setattr(receiver, "manners", manners))

    def _jump(self, server: Server, seconds: float) -> None:
        self.world.say(f"the clock of {server.hostname} jumps by {seconds}")
        server.jump(seconds)

    def _spell(self, seconds: float, turn: Callable[[bool], None]) -> None:
        start = self.random.random() * HORIZON_SECONDS
        loop = self.world.loop
        loop.call_later(start, turn, True)
        loop.call_later(start + seconds, turn, False)

    def _when(self, what: Callable[[], None]) -> None:
        self.world.loop.call_later(self.random.random() * HORIZON_SECONDS, what)

    def _at(self, work: Coroutine[Any, Any, None]) -> None:
        loop = self.world.loop
        # Many at about the same time, so that they meet.
        hour = self.random.choice([0.1, 0.1, 0.5, 0.9])
        delay = (hour + self.random.random() / 1000) * HORIZON_SECONDS
        loop.call_later(delay, lambda: loop.create_task(work))
