"""A world for the queue: a clock that jumps, a store in memory, and other servers as they come."""

import asyncio
import heapq
import random
from collections import Counter
from collections.abc import Awaitable, Callable, MutableSequence, Sequence
from typing import Any

from postroad.model import (
    DEFAULT_STREAM,
    Address,
    Attempted,
    ContentRef,
    Delivered,
    Delivery,
    DeliveryState,
    Deposited,
    Envelope,
    Group,
    LeasedDelivery,
    Message,
    Notify,
    Origin,
    Outcome,
    Recipient,
    Reply,
    Ret,
    Route,
    RouteKind,
    RouteTaken,
    ServerKind,
    Staged,
    TemporaryFailure,
)
from postroad.ports import Attempt, RouteFailed, Session
from postroad.queue import Queue, QueueSettings
from postroad.storage.memory import MemoryStore

START = 1_700_000_000.0
OK = Delivered(Reply(250, "2.0.0", "taken"))
SENDER = Address("alice", "here.example")


class VirtualClock:
    """Time stands still until nothing else can happen, then jumps to the next sleeper."""

    def __init__(self) -> None:
        self._now = START
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    def now(self) -> float:
        return self._now

    def monotonic(self) -> float:
        return self._now - START

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._now + seconds, self._count, future))
        await future

    async def settle(self) -> None:
        """Let everything happen that can happen now."""
        loop: Any = asyncio.get_running_loop()
        await asyncio.sleep(0)
        while loop._ready:
            await asyncio.sleep(0)

    async def until(self, condition: Callable[[], bool], seconds: float = 1e9) -> bool:
        """Let time pass until the condition holds; return whether it does, after so long at most."""
        end = self._now + seconds
        await self.settle()
        while not condition():
            while self._sleepers and self._sleepers[0][2].done():
                heapq.heappop(self._sleepers)
            if not self._sleepers or self._sleepers[0][0] > end:
                self._now = end
                return False
            at, _, future = heapq.heappop(self._sleepers)
            self._now = max(self._now, at)
            future.set_result(None)
            await self.settle()
        return True

    async def finish(self, work: Awaitable[None]) -> None:
        """Let time pass until `work` is done."""
        task = asyncio.ensure_future(work)
        assert await self.until(task.done, 1e7)
        await task


class SeededEntropy:
    def __init__(self, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._last = 1 << 40

    def id(self) -> int:
        self._last += 1
        return self._last

    def random(self) -> float:
        return self._random.random()

    def shuffle(self, items: MutableSequence[Any]) -> None:
        self._random.shuffle(items)

    def token(self, octets: int) -> str:
        return "x" * octets


class Server:
    """Another server. `answer` says what becomes of a recipient, `refuse` why it takes nobody."""

    def __init__(self, clock: VirtualClock, **how: Any) -> None:
        self.clock = clock
        self.answer: Callable[[LeasedDelivery, Delivery], Outcome] = lambda leased, delivery: OK
        self.refuse: Reply | None = None
        self.connect_seconds = 0.01
        self.seconds = 0.01
        self.batch = 1
        self.kind = RouteKind.MX
        self.dsn = False
        self.at_once = False
        self.breaks = False  # every session ends with its first attempt
        self.ours = False  # what fails is our fault
        self.raises: Exception | None = None
        self.route_failure: Reply | None = None
        self.key = ""
        self.connects = 0
        self.closed = 0
        self.sessions = 0
        self.most_sessions = 0
        self.attempts: list[tuple[float, int, tuple[int, ...]]] = []
        self.taken: Counter[tuple[int, int]] = Counter()
        for name, value in how.items():
            assert hasattr(self, name)
            setattr(self, name, value)


class FakeSession:
    def __init__(self, server: Server) -> None:
        self._server = server
        self._open = True
        server.sessions += 1
        server.most_sessions = max(server.most_sessions, server.sessions)

    @property
    def batch(self) -> int:
        return self._server.batch

    @property
    def usable(self) -> bool:
        return self._open

    async def attempt(self, jobs: Sequence[LeasedDelivery]) -> list[Attempt]:
        server, clock = self._server, self._server.clock
        assert self._open
        assert jobs
        attempts = []
        for job in jobs:
            started_at = clock.now()
            ordinals = tuple(each.ordinal for each in job.deliveries)
            server.attempts.append((started_at, job.message.id, ordinals))
            await clock.sleep(server.seconds)
            if server.raises is not None:
                raise server.raises
            outcomes = tuple((each.ordinal, server.answer(job, each)) for each in job.deliveries)
            changes = []
            for each, (_, outcome) in zip(job.deliveries, outcomes, strict=True):
                if isinstance(outcome, Delivered):
                    server.taken[job.message.id, each.ordinal] += 1
                    if each.mailbox is not None:
                        changes.append(
                            Deposited(
                                clock.now(),
                                job.message.id,
                                each.ordinal,
                                each.mailbox,
                                job.message.content,
                                b"",
                                job.message.content.size,
                            )
                        )
            taken = RouteTaken(server.kind, "mx.there.example", "192.0.2.1", 25, dsn=server.dsn)
            attempts.append(
                Attempt(
                    started_at,
                    clock.now(),
                    outcomes,
                    taken,
                    changes=tuple(changes),
                    ours=server.ours,
                )
            )
        if server.breaks:
            self._open = False
        return attempts

    async def close(self) -> None:
        self._open = False
        self._server.sessions -= 1
        self._server.closed += 1


class World:
    """Store, clock, servers by domain, and the queue in the middle. `restart` makes a new queue."""

    def __init__(self, **settings: Any) -> None:
        self.clock = VirtualClock()
        self.entropy = SeededEntropy()
        self.refuse_commit: Callable[[Group], None] | None = None
        self.groups = 0
        self.store = MemoryStore(before_commit=self._before_commit)
        self.servers: dict[str, Server] = {}
        self.routed: Counter[str] = Counter()
        self.senders: dict[Address, tuple[str, int | None] | None] = {}
        settings = {"hostname": "mx.here.example", "poll_seconds": 60.0, **settings}
        self.settings = QueueSettings(**settings)
        self.resolve: Callable[[Address], Awaitable[tuple[str, int | None] | None]]
        self.resolve = self._resolve_sender
        self.contents: dict[int, bytes] = {}  # also those that are swept
        self.queue = self.new_queue()
        self.running: asyncio.Task[None] | None = None

    def new_queue(self) -> Queue:
        return Queue(
            ledger=self.store.ledger,
            store=self.store.queue,
            content=self.store.content,
            deliverer=self,
            clock=self.clock,
            entropy=self.entropy,
            settings=self.settings,
            resolve=lambda address: self.resolve(address),
        )

    def server(self, *domains: str, **how: Any) -> Server:
        server = Server(self.clock, **how)
        server.key = server.key or domains[0]
        for domain in domains:
            self.servers[domain] = server
        return server

    async def start(self) -> None:
        self.running = asyncio.ensure_future(self.queue.run())
        await self.clock.settle()

    async def stop(self, grace_seconds: float = 10.0) -> None:
        await self.clock.finish(self.queue.stop(grace_seconds))
        if self.running is not None:
            await self.running

    async def crash(self) -> None:
        """The process is gone, and what was in memory with it."""
        assert self.running is not None
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        real, self.store.ledger.commit = self.store.ledger.commit, _dead  # type: ignore[method-assign]
        await asyncio.gather(self.running, return_exceptions=True)
        await self.clock.settle()
        self.store.ledger.commit = real  # type: ignore[method-assign]
        self.queue = self.new_queue()

    async def send(
        self,
        *recipients: str,
        sender: Address | None = SENDER,
        notify: Notify = Notify.DEFAULT,
        ret: Ret | None = None,
        mailbox: int | None = None,
        content: bytes = b"Subject: hello\r\n\r\nbody\r\n",
        stream: str = DEFAULT_STREAM,
    ) -> Message:
        number = self.entropy.id()
        ref = ContentRef(number, len(content))
        addresses = [Address.parse(text) for text in recipients]
        message = Message(
            number,
            Envelope(sender, tuple(Recipient(each, notify) for each in addresses), ret=ret),
            ref,
            Origin(ServerKind.SUBMISSION),
            self.clock.now(),
            f"<{number}@client.example>",
            stream=stream,
        )
        deliveries = [
            Delivery(
                number,
                ordinal,
                each,
                each,
                each.domain if mailbox is None else "local",
                mailbox,
                notify,
                due_at=self.clock.now(),
            )
            for ordinal, each in enumerate(addresses)
        ]
        await self.queue.accept(message, deliveries, Staged(ref, content))
        return message

    def states(self) -> Counter[DeliveryState]:
        return Counter(each.delivery.state for each in self.store.state.deliveries.values())

    def state(self, message: Message, ordinal: int = 0) -> DeliveryState:
        return self.store.state.deliveries[message.id, ordinal].delivery.state

    def delivery(self, message: Message, ordinal: int = 0) -> Delivery:
        return self.store.state.deliveries[message.id, ordinal].delivery

    def all_final(self) -> bool:
        return all(each.delivery.state.final for each in self.store.state.deliveries.values())

    def attempted(self, message: Message) -> list[Attempted]:
        return [
            event.change
            for about, event in self.store.state.journey.values()
            if about == message.id and isinstance(event.change, Attempted)
        ]

    def reports(self, about: Message | None = None) -> list[Message]:
        return [
            each
            for each in self.store.state.messages.values()
            if each.about is not None and (about is None or each.about == about.id)
        ]

    # The deliverer.

    async def at_once(self, job: LeasedDelivery) -> Attempt | None:
        server = self.servers.get(job.deliveries[0].destination)
        if server is None or not server.at_once:
            return None
        return (await FakeSession(server).attempt([job]))[0]

    async def route(self, destination: str) -> Route:
        self.routed[destination] += 1
        await self.clock.sleep(0.001)
        server = self.servers.get(destination)
        if server is None:
            raise RouteFailed(Reply(550, "5.1.2", f"{destination} does not exist"))
        if server.route_failure is not None:
            raise RouteFailed(server.route_failure)
        return Route(server.kind, destination, server.key, expires_at=self.clock.now() + 300)

    async def connect(self, route: Route) -> Session:
        server = self.servers[route.domain]
        server.connects += 1
        await self.clock.sleep(server.connect_seconds)
        if server.refuse is not None:
            raise RouteFailed(server.refuse)
        return FakeSession(server)

    async def _resolve_sender(self, address: Address) -> tuple[str, int | None] | None:
        return self.senders.get(address, (address.domain, None))

    def _before_commit(self, group: Group) -> None:
        self.groups += 1
        for staged in group.contents:
            self.contents[staged.ref.id] = staged.data or b""
        if self.refuse_commit is not None:
            self.refuse_commit(group)


async def _dead(group: Group) -> None:
    raise asyncio.CancelledError


def temporary(code: int = 451, enhanced: str = "4.3.0", text: str = "not now") -> TemporaryFailure:
    return TemporaryFailure(Reply(code, enhanced, text))
