"""Rows of trust: what signing costs intake, and what verifying a signed message costs the processor.

Signing is compared with the same server without keys, both on the submission port (no login is asked
for, since smtp-source has none): by how many messages come in while client, server, writer and signing
process share two cores, and by the time of the one core that limits intake where there are more, the
event loop's. The cost of verifying is the server's processor time for a signed
message, less that of a server that does not verify; the DNS is in the cache.
"""

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.contest import Contest, Row, Scale, Side
from bench.figures import Better, Goal
from bench.ours import DOMAIN, Postroad
from bench.smtp_client import message
from peers.smtp_tools import smtp_source
from peers.tools import LOOPBACK
from postroad.lab.dns import DnsServer
from postroad.lab.zones import Zones
from postroad.trust.dkim import Algorithm, generate, sign

KIB = 1024
_SESSIONS = 20
_AUTHOR = "author.test"


class Signing(Contest):
    """Intake of messages that are signed, against intake of messages that are not."""

    def __init__(self, name: str, title: str, algorithm: Algorithm, goal: Goal) -> None:
        self.name = name
        unsigned = "the same, unsigned"
        self.rows = (
            Row(name, title, "messages/s", unsigned),
            Row(
                f"{name}-loop",
                f"processor time of the event loop for a {title}",
                "µs",
                unsigned,
                better=Better.LOWER,
                goal=goal,
            ),
        )
        self._algorithm = algorithm

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, Side]:
        """Start both servers."""
        messages = scale.of(3000, least=_SESSIONS)
        signing = stack.enter_context(Postroad(login=False, keys=(self._algorithm,))).start()
        plain = stack.enter_context(Postroad(login=False)).start()
        return (lambda: _submit(signing, messages)), (lambda: _submit(plain, messages))


def _submit(server: Postroad, messages: int) -> tuple[float, float]:
    """Return messages a second, and microseconds of the event loop for each."""
    wanted = server.deposited() + messages
    spent = server.resident.loop_seconds()
    begin = time.perf_counter()
    smtp_source(
        LOOPBACK,
        server.submission_port,
        sessions=_SESSIONS,
        messages=messages,
        length_bytes=4 * KIB,
        sender=f"user@{DOMAIN}",
        recipient=f"user@{DOMAIN}",
    )
    rate = messages / (time.perf_counter() - begin)
    server.wait_until_deposited(wanted)
    return rate, 1e6 * (server.resident.loop_seconds() - spent) / messages


class Verifying(Contest):
    """Processor time that recognising the sender of a signed message adds."""

    name = "verify-cpu"
    rows = (
        Row(
            name,
            "processor time to recognise a signed message (SPF, DKIM RSA-2048, DMARC)",
            "ms",
            better=Better.LOWER,
            goal=Goal(must=1.5, aim=0.75),
        ),
    )

    def open(self, stack: ExitStack, scale: Scale) -> tuple[Side, None]:
        """Start a DNS, and a server that asks it beside one that asks nobody."""
        messages = scale.of(2000, least=_SESSIONS)
        key = generate(_AUTHOR, "k1", Algorithm.RSA_SHA256)
        zones = Zones(ttl=3600)
        zones.add(_AUTHOR, "TXT", "v=spf1 ip4:127.0.0.1 -all")
        zones.add(f"_dmarc.{_AUTHOR}", "TXT", "v=DMARC1; p=reject")
        zones.add(key.name, "TXT", key.record())
        nameserver = stack.enter_context(_serving(zones))
        letter = message(4 * KIB, sender=f"a@{_AUTHOR}", recipient=f"user@{DOMAIN}")
        verifying = stack.enter_context(Postroad(nameserver=nameserver)).start()
        trusting = stack.enter_context(Postroad()).start()
        file = verifying.directory / "signed.eml"
        signed = sign(letter, [key], time.time()) + letter
        file.write_bytes(signed.replace(b"\r\n", b"\n"))

        def run() -> Sequence[float]:
            cost = _seconds(verifying, file, messages) - _seconds(trusting, file, messages)
            return (1000 * cost / messages,)

        return run, None


def _seconds(server: Postroad, file: Path, messages: int) -> float:
    wanted = server.deposited() + messages
    before = server.resident.processor_seconds()
    smtp_source(
        LOOPBACK,
        server.smtp_port,
        sessions=_SESSIONS,
        messages=messages,
        file=file,
        sender=f"a@{_AUTHOR}",
        recipient=f"user@{DOMAIN}",
    )
    server.wait_until_deposited(wanted)
    return server.resident.processor_seconds() - before


@contextmanager
def _serving(zones: Zones) -> Iterator[str]:
    """Serve the zones on a thread; yield the name server."""
    started, ended = threading.Event(), asyncio.Event()
    server = DnsServer(zones)
    loops: list[asyncio.AbstractEventLoop] = []

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        async with server:
            started.set()
            await ended.wait()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait(10)
    try:
        yield f"{server.address}:{server.port}"
    finally:
        loops[0].call_soon_threadsafe(ended.set)
        thread.join(10)


def contests() -> list[Contest]:
    """Return the rows about trust."""
    return [
        Signing(
            "sign-rsa",
            "submission signed with RSA-2048, 20 connections, 4 KiB",
            Algorithm.RSA_SHA256,
            Goal(0.6, 0.75),
        ),
        Signing(
            "sign-ed25519",
            "submission signed with Ed25519, 20 connections, 4 KiB",
            Algorithm.ED25519_SHA256,
            Goal(0.85, 0.95),
        ),
        Verifying(),
    ]
