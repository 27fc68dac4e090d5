"""One life of a mail system: the real rooms on a simulated world, joined as `runtime.compose` does."""

import asyncio
import hashlib
import ssl
from collections.abc import Callable, MutableSequence
from functools import lru_cache
from random import Random
from typing import Any, cast

from msgspec.structs import replace

from postroad.delivery import RemoteDeliverer
from postroad.mailbox import LocalDeliverer
from postroad.network import ServerTls
from postroad.policy import ACCEPT, MessageReceived, Policy, Verdict, check
from postroad.policy.checks.loops import too_many_hops
from postroad.queue import Queue, QueueSettings
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.deliverer import LocalOrRemote
from postroad.runtime.doors import Doors
from postroad.service.authenticate import Authenticator
from postroad.service.desk import QueueDesk
from postroad.service.intake import Intake, IntakeSettings
from postroad.service.login import SaslLogins
from postroad.service.logins import LoginBook
from postroad.service.maildrops import Maildrops
from postroad.service.passwords import Passwords
from postroad.service.recipients import Recipients
from postroad.service.streams import StreamRule, Streams
from tests.sim.disk import Disk, Mount
from tests.sim.loop import SimLoop
from tests.sim.names import Names
from tests.sim.network import Network

EPOCH = 1_800_000_000.0
PASSWORD = "secret"
CHECK_SECONDS = 20.0
PORTS = {"mx": 25, "submission": 587, "pop3": 110}
# Mail that u2 sends is a stream of its own, whichever system it is.
CODES, CODES_SENDER = "codes", "u2"
STREAMS = Streams([StreamRule(CODES, (*(f"{CODES_SENDER}@{each}.test" for each in "abc"),))])
BROKEN_CHECK, HANGING_CHECK = b"X-Check: raise", b"X-Check: hang"


class SimClock:
    """`ports.Clock` of one process; `offset` is how wrong its wall clock is."""

    def __init__(self, loop: SimLoop, offset: float) -> None:
        self._loop = loop
        self.offset = offset

    def now(self) -> float:
        return EPOCH + self._loop.time() + self.offset

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


class SimEntropy:
    """`ports.Entropy` from the seed. Ids differ over all lives, as those of the real one do."""

    def __init__(self, random: Random, clock: SimClock, counter: Callable[[], int]) -> None:
        self._random = random
        self._clock = clock
        self._counter = counter

    def id(self) -> int:
        return int(self._clock.now() * 1000) << 21 | (self._counter() & 0x1FFFFF)

    def random(self) -> float:
        return self._random.random()

    def shuffle(self, items: MutableSequence[Any]) -> None:
        self._random.shuffle(items)

    def token(self, octets: int) -> str:
        return self._random.randbytes(octets).hex()


class FakePasswords(Passwords):
    """Compares in clear, at once: argon2 in threads is not part of the simulation."""

    def __init__(self) -> None:
        pass

    async def hash(self, password: str) -> str:
        return password

    async def matches(self, encoded: str | None, password: str) -> bool:
        return encoded == password

    def close(self) -> None:
        pass


class FakeTls:
    """Stands for `network.ServerTls`: TLS is a flag of the simulated network."""

    context = cast(ssl.SSLContext, object())
    binding = None


@check(stage=MessageReceived, name="weak")
async def weak(stage: MessageReceived) -> Verdict:
    """Fails, or never ends, for messages that ask for it."""
    if b"X-Check:" in stage.head:
        if BROKEN_CHECK in stage.head:
            raise RuntimeError("this check is broken")
        if HANGING_CHECK in stage.head:
            await asyncio.sleep(10 * CHECK_SECONDS)
    return ACCEPT


@lru_cache(maxsize=8)
def _config(hostname: str) -> Config:
    return Config.model_validate(
        {
            "server": {"hostname": hostname, "data_dir": "/nonexistent"},
            "submission": {"auth_without_tls": True},
            "delivery": {"allow_private": True},
            "limits": {"check_seconds": CHECK_SECONDS},
        }
    )


class Life:
    """A system from its start to its end. Made within its loop."""

    def __init__(
        self,
        *,
        hostname: str,
        address: str,
        number: int,
        loop: SimLoop,
        disk: Disk,
        network: Network,
        names: Names,
        clock: SimClock,
        entropy: SimEntropy,
        queue_settings: QueueSettings,
        inline_max_octets: int,
    ) -> None:
        self.number = number
        self.loop = loop
        self.address = address
        self.disk = disk
        self.clock = clock
        self.started_at = loop.time()
        self.store = store = Mount(disk, loop, inline_max_octets)
        self._network = network
        config = _config(hostname)
        self.recipients = Recipients(store.directory, hostname=hostname, monotonic=clock.monotonic)
        remote = RemoteDeliverer(
            resolver=names.host(),
            network=network.host(loop, address),
            content=store.content,
            clock=clock,
            entropy=entropy,
            settings=replace(
                settings.remote(config, [(address, 25)]), pipelined_messages=4, piece_octets=4096
            ),
        )
        local = LocalDeliverer(
            mailboxes=store.mailboxes, directory=store.directory, clock=clock, entropy=entropy
        )
        self.queue = Queue(
            ledger=store.ledger,
            store=store.queue,
            content=store.content,
            deliverer=LocalOrRemote(local, remote),
            clock=clock,
            entropy=entropy,
            settings=queue_settings,
            resolve=self.recipients.place,
        )
        self.desk = QueueDesk(
            store=store.queue, ledger=store.ledger, journey=store.journey, clock=clock
        )
        self.intake = Intake(
            queue=self.queue,
            content=store.content,
            recipients=self.recipients,
            clock=clock,
            entropy=entropy,
            policy=Policy(
                (too_many_hops(config.limits.max_hops), weak),
                deadline_seconds=CHECK_SECONDS,
                now=clock.now,
                monotonic=clock.monotonic,
            ),
            settings=IntakeSettings(hostname=hostname, streams=STREAMS),
        )
        self._doors = Doors(
            config,
            intake=self.intake,
            logins=SaslLogins(
                Authenticator(
                    directory=store.directory,
                    clock=clock,
                    passwords=FakePasswords(),
                    secret=b"sim",
                    book=LoginBook(ledger=store.ledger, clock=clock),
                ),
                entropy,
            ),
            maildrops=Maildrops(
                mailboxes=store.mailboxes,
                content=store.content,
                locks=store.locks,
                ledger=store.ledger,
                clock=clock,
            ),
            tls=cast(ServerTls, FakeTls()),
        )
        self.running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Listen and run the queue."""
        for service, port in PORTS.items():
            listener = self._doors.factories[service]
            self._network.listeners[self.address, port] = (self.loop, listener)
        self.running = self.loop.create_task(self.queue.run(), name="queue")

    @property
    def in_flight(self) -> bool:
        """Whether something is on its way to another server."""
        jobs = self.queue._inventory._jobs.values()
        return any(job.flying and job.leased.deliveries[0].destination != "local" for job in jobs)

    async def stop(self, grace_seconds: float) -> None:
        """As `System.stop` does."""
        for port in PORTS.values():
            self._network.listeners.pop((self.address, port), None)
        began = self.loop.time()
        await self._doors.shut_down(grace_seconds)
        await self.queue.stop(max(0.0, grace_seconds - (self.loop.time() - began)))
        if self.running is not None:
            await self.running

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return sum(len(registry) for registry in self._doors.registries.values())


def account_id(name: str) -> int:
    """A number for an account, the same in every run."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=4).digest(), "big") + 1
