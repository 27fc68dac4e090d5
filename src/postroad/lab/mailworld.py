"""The lab for tests of any application that sends or reads mail: a `World` without `async`.

The world runs on an event loop in a thread of its own, so plain tests, asyncio tests and frameworks
with other loops can use it alike. One loop, DNS and certificate authority serve a whole test session;
each test gets a `MailWorld` of its own, whose domains begin empty and end with the test.
"""

import asyncio
import email
import email.policy
import logging
import threading
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import structlog
from msgspec import Struct

from postroad.lab.dns import DnsFault, Query
from postroad.lab.faults import Behaviour, FaultyServer
from postroad.lab.site import Credentials, Site
from postroad.lab.world import Sent, World
from postroad.service.journeys import Journey

APPLICATION_DOMAIN = "app.test"
APPLICATION_ACCOUNT = "app"
CATCH_ALL = "catch-all"

T = TypeVar("T")


class SmtpSettings(Struct, frozen=True):
    """What an application is told to send mail: log in at `host`:`port` after STARTTLS, or at
    `tls_port` with TLS from the first byte, believing `ca_file`. `sender` is an address it may use.

    `host` is an IP address of loopback that the certificate is valid for.
    """

    host: str
    port: int
    tls_port: int
    username: str
    password: str
    ca_file: Path
    sender: str


class Pop3Settings(Struct, frozen=True):
    """What an application is told to read mail: as `SmtpSettings`, with STLS or TLS."""

    host: str
    port: int
    tls_port: int
    username: str
    password: str
    ca_file: Path


class Engine:
    """A world on a loop in a thread, shared by the tests of a session."""

    def __init__(self, **settings: Any) -> None:
        self._loop = _new_loop()
        self._thread = threading.Thread(target=self._run, name="postroad-lab", daemon=True)
        self._thread.start()
        self._quiet = not structlog.is_configured()
        if self._quiet:
            # Else every login of a test would be a line on its standard output.
            structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
        self.world = World(**settings)
        try:
            self.run(self.world.__aenter__())
        except BaseException:
            self._end()
            raise

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine on the world's loop and return what it returns."""
        if threading.current_thread() is self._thread:
            work.close()
            raise RuntimeError("a call of mailworld from its own loop would wait for itself")
        future: Future[T] = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise

    def close(self) -> None:
        """End the world and its thread."""
        try:
            self.run(self.world.__aexit__(None, None, None))
        finally:
            self._end()

    def _end(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        if self._quiet:
            structlog.reset_defaults()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_forever()
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
        finally:
            asyncio.set_event_loop(None)
            self._loop.close()


def _new_loop() -> asyncio.AbstractEventLoop:
    try:
        import uvloop
    except ImportError:  # not on this platform
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()


class MailWorld:
    """One test's part of the world. All methods block; time-outs are in seconds.

    What goes wrong raises `LabFailed` or `ClientFailed` with both sides' words.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._domains: list[str] = []
        self._hosts: list[str] = []
        self._broken: list[str] = []

    @property
    def world(self) -> World:
        """The async world below, for what is not here; call it by `run`."""
        return self._engine.world

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine of `world` and return what it returns."""
        return self._engine.run(work)

    # Domains and settings

    def domain(
        self,
        name: str,
        accounts: Sequence[str] = (),
        *,
        catch_all: bool = False,
        own_process: bool = False,
    ) -> Site:
        """Make a domain with its own mail server. `catch_all`: it takes mail for any address."""
        site = self.run(
            self.world.add_domain(
                name,
                accounts,
                catch_all=CATCH_ALL if catch_all else None,
                own_process=own_process,
            )
        )
        self._domains.append(name.lower())
        return site

    @property
    def smtp(self) -> SmtpSettings:
        """How the application sends mail: by an account of ``app.test``, made when first asked for."""
        if APPLICATION_DOMAIN not in self._domains:
            self.domain(APPLICATION_DOMAIN, [APPLICATION_ACCOUNT])
        return self.smtp_for(f"{APPLICATION_ACCOUNT}@{APPLICATION_DOMAIN}")

    def smtp_for(self, address: str) -> SmtpSettings:
        """Return how an account of the test sends mail."""
        site, account = self._account(address)
        host, port = site.submission
        return SmtpSettings(
            host,
            port,
            site.submissions[1],
            account.address,
            account.password,
            self.ca_file,
            account.address,
        )

    def pop3_for(self, address: str) -> Pop3Settings:
        """Return how an account of the test reads mail."""
        site, account = self._account(address)
        host, port = site.pop3
        return Pop3Settings(
            host, port, site.pop3s[1], account.address, account.password, self.ca_file
        )

    @property
    def ca_file(self) -> Path:
        """Whom the application has to believe (PEM)."""
        return self.world.ca.root_file

    @property
    def nameserver(self) -> tuple[str, int]:
        """Address and port of the world's DNS, for applications that ask it themselves."""
        return self.world.dns.address, self.world.dns.port

    # Mail

    def send(
        self,
        sender: str,
        to: str | Sequence[str],
        data: bytes | None = None,
        *,
        subject: str = "A message of the lab",
        text: str = "Hello\n",
    ) -> Sent:
        """Send a message from an account of the test; return its queue id."""
        return self.run(self.world.send(sender, to, data, subject=subject, text=text))

    def inbox(self, address: str) -> list[EmailMessage]:
        """Return the messages of an inbox, oldest first."""
        return [parse(data) for data in self.inbox_bytes(address)]

    def inbox_bytes(self, address: str) -> list[bytes]:
        """Return the messages of an inbox byte for byte."""
        return self.run(self.world.inbox(address))

    def wait_for_message(
        self,
        address: str,
        *,
        subject: str | None = None,
        count: int = 1,
        timeout_seconds: float = 15.0,
    ) -> EmailMessage:
        """Wait for `count` messages for an address (with exactly that subject); return the newest.

        Raises `LabFailed`, and says where the mail is instead.
        """
        matching: Callable[[bytes], bool] | None = None
        if subject is not None:
            matching = lambda data: str(parse(data)["Subject"]) == subject  # noqa: E731
        found = self.run(
            self.world.wait_for(
                address, count=count, matching=matching, timeout_seconds=timeout_seconds
            )
        )
        return parse(found[-1])

    def journey(self, queue_id: str) -> Journey:
        """Return what happened to a message so far; `lines` of it have `what` and `text`."""
        return self.run(self.world.journey(queue_id))

    def wait_for_end(self, queue_id: str, *, timeout_seconds: float = 15.0) -> Journey:
        """Wait until each recipient's delivery has ended; return the journey."""
        return self.run(self.world.settled(queue_id, timeout_seconds=timeout_seconds))

    # Breaking things

    def break_dns(
        self, name: str, fault: DnsFault | str = DnsFault.SERVFAIL, *, rdtype: str | None = None
    ) -> None:
        """Fail DNS questions about a name and all below: ``servfail``, ``timeout``, ``nxdomain`` …"""
        self._broken.append(name)
        self._call(lambda: self.world.dns.fail(name, fault, rdtype=rdtype))

    def break_host(
        self,
        domain: str,
        behaviour: Behaviour | str,
        *,
        name: str = "",
        preference: int = 5,
        **script: Any,
    ) -> FaultyServer | None:
        """Put a host that misbehaves before the real one of a domain (MX preference 10).

        The behaviours: ``refuse``, ``timeout``, ``busy``, ``greylist``, ``tempfail``, ``permfail``,
        ``drop_after_dot``, ``drop_in_data``, ``slow``, ``broken_tls``, ``null_mx``, ``accept``.
        """
        name = name or f"mx{len(self._hosts)}.broken.{domain}"
        host = self.run(
            self.world.host(name, behaviour, domain=domain, preference=preference, **script)
        )
        if host is not None:
            self._hosts.append(name)
        return host

    def only_host(
        self, domain: str, behaviour: Behaviour | str, **script: Any
    ) -> FaultyServer | None:
        """As `break_host`, and the domain has no other MX; it needs no mail server of its own."""
        self._call(lambda: self.world.dns.zones.remove(domain, "MX"))
        return self.break_host(domain, behaviour, **script)

    def break_network(self, *, latency_seconds: float = 0.0, black_hole: str | None = None) -> None:
        """Make all connections between servers slow, or let those to an address time out."""
        network = self.world.network
        network.latency_seconds = latency_seconds
        if black_hole is not None:
            network.black_holes.add(black_hole)

    def break_site(self, domain: str) -> None:
        """Stop the mail server of a domain: connections to it are refused."""
        self.run(self.world.sites[domain].stop())

    def mend(self) -> None:
        """End what `break_dns`, `break_network` and `break_site` did. Broken hosts stay."""
        self._heal()
        for domain in self._domains:
            self.run(self.world.sites[domain].start())

    def dns_queries(self, name: str) -> list[Query]:
        """Return the DNS questions about a name so far."""
        return self.world.dns.asked(name)

    def close(self) -> None:
        """Take this test's domains and hosts off the world. Called by the fixture."""
        errors: list[Exception] = []
        self._heal()
        for work in (
            *(self.world.remove_host(name) for name in self._hosts),
            *(self.world.remove_domain(name) for name in self._domains),
        ):
            try:
                self.run(work)
            except Exception as error:
                errors.append(error)
        self._hosts.clear()
        self._domains.clear()
        if errors:
            raise errors[0]

    def _heal(self) -> None:
        while self._broken:
            name = self._broken.pop()
            self._call(partial(self.world.dns.heal, name))
        self.world.network.latency_seconds = 0.0
        self.world.network.black_holes.clear()

    def _account(self, address: str) -> tuple[Site, Credentials]:
        return self.world.site_of(address), self.world.credentials(address)

    def _call(self, function: Callable[[], T]) -> T:
        """Call something on the world's loop: the DNS may be answering at this moment."""

        async def work() -> T:
            return function()

        return self.run(work())


def parse(data: bytes) -> EmailMessage:
    """Return a message as the standard library sees it."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return message
