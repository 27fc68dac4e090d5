"""A private internet on loopback: a DNS, a certificate authority, and any number of mail systems.

::

    async with World() as world:
        await world.add_domain("sender.test", accounts=["alice"])
        await world.add_domain("receiver.test", accounts=["bob"])
        queue_id = await world.send("alice@sender.test", "bob@receiver.test", subject="Hello")
        await world.wait_for("bob@receiver.test")
        print(await world.journey(queue_id))

Mail takes the whole road: submission with STARTTLS and AUTH, queue, DNS, SMTP, mailbox, POP3 with STLS.
Nothing leaves loopback, and no name is ever asked of the real DNS.
"""

import asyncio
import re
import shutil
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from postroad.lab.addresses import Addresses, NoRoom, bind
from postroad.lab.ca import Authority
from postroad.lab.clients import Mailserver, Pop3Client, Said, SubmissionClient, with_client
from postroad.lab.configuration import Shape, fresh_home, site_config
from postroad.lab.dns import DnsServer
from postroad.lab.faults import Behaviour, FaultStage, FaultyServer, Script
from postroad.lab.letters import compose, is_for
from postroad.lab.network import LabNetwork
from postroad.lab.policies import PolicyServer
from postroad.lab.protection import protect_by_dane, protect_by_mta_sts
from postroad.lab.site import Credentials, LabFailed, Site, Surroundings
from postroad.lab.zones import Zones, reverse_name
from postroad.model import Reply, StsMode, parse_id
from postroad.network import ClientTls, Nameserver, ServerTls
from postroad.runtime.config import Config
from postroad.service.errors import Refused
from postroad.service.journeys import Journey
from postroad.service.keys import signing_key
from postroad.trust.dkim import Algorithm

_QUEUED_AS = re.compile(r"queued as (\w{13})")
_POLL_SECONDS = 0.005


class Sent(str):
    """A queue id, with what the client saw on the way."""

    said: list[Said]
    data: bytes

    @classmethod
    def of(cls, queue_id: str, said: list[Said], data: bytes) -> "Sent":
        """Return the id with its story."""
        sent = cls(queue_id)
        sent.said, sent.data = said, data
        return sent


class World:
    """The lab. An async context manager; everything ends, and temporary files go, when it does.

    `directory` keeps the data; without it they are temporary. `block` is the wished-for loopback block
    (``"127.0.0"``). `ttl` is that of the DNS records in seconds: 0 lets changes be seen at once.
    `patience_seconds` is how long servers wait for others, `retry_seconds` when mail that was deferred
    is tried again. `one_address` forces what systems without 127.0.0.0/8 do.
    """

    def __init__(
        self,
        *,
        directory: Path | None = None,
        block: str | None = None,
        ttl: int = 0,
        patience_seconds: float = 5.0,
        retry_seconds: float = 0.5,
        one_address: bool | None = None,
    ) -> None:
        self.patience_seconds = patience_seconds
        self.retry_seconds = retry_seconds
        self.sites: dict[str, Site] = {}
        self.hosts: dict[str, FaultyServer] = {}
        self._wanted_directory = directory
        self._ttl = ttl
        self._addresses = Addresses(block, one_address=one_address)
        self._stack = AsyncExitStack()

    directory: Path
    dns: DnsServer
    policies: PolicyServer
    ca: Authority
    network: LabNetwork

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._wanted_directory is None:
                self.directory = Path(tempfile.mkdtemp(prefix="postroad-lab-"))
                stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            else:
                self.directory = self._wanted_directory
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.ca = Authority(self.directory / "ca")
            self.network = LabNetwork(ClientTls(self.ca.root_file))
            self.dns = await self._start_dns(stack)
            self._addresses.settle(self.dns.address)
            self.policies = await stack.enter_async_context(PolicyServer(self.ca, self.dns.address))
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sites = list(dict.fromkeys(self.sites.values()))
        async with self._stack:
            for host in self.hosts.values():
                await host.stop()
            ends = await asyncio.gather(*(site.close() for site in sites), return_exceptions=True)
        for problem in ends:
            if isinstance(problem, BaseException):
                raise problem

    async def _start_dns(self, stack: AsyncExitStack) -> DnsServer:
        problem: OSError | None = None
        for address, port in self._addresses.name_servers():
            server = DnsServer(Zones(self._ttl), address, port)
            try:
                return await stack.enter_async_context(server)
            except OSError as error:
                problem = error
        raise NoRoom(f"no loopback address has a free port for the name server: {problem}")

    # Building

    async def add_domain(
        self,
        name: str,
        accounts: Sequence[str] = (),
        *,
        catch_all: str | None = None,
        hostname: str | None = None,
        own_process: bool = False,
        site: Site | None = None,
        preference: int = 10,
        dane: bool = False,
        mta_sts: StsMode | str | None = None,
    ) -> Site:
        """Make a mail system for a domain (or add the domain to `site`), with its DNS records.

        `accounts` are local parts; `catch_all` is the account that gets the mail for all others. With
        `own_process` it can be killed (`Site.crash`). `dane` signs its zone and publishes TLSA records
        of the system's certificate, `mta_sts` publishes a policy of that mode.
        """
        name = name.lower()
        if name in self.sites:
            raise LabFailed(f"{name} is in this lab already")
        fresh = site is None
        if site is None:
            site = await self._add_site(hostname or f"mx1.{name}", own_process=own_process)
        try:
            await site.add_domain(name, accounts, catch_all=catch_all)
        except BaseException:
            if fresh:
                await site.close()
            raise
        self.sites[name] = site
        zones = self.dns.zones
        zones.add_zone(name)
        self._add_host_records(site.hostname, site.address)
        zones.add(name, "MX", f"{preference} {site.hostname}.")
        await self._add_policy_records(name, site)
        zones.add(f"_submission._tcp.{name}", "SRV", f"0 1 {site.submission[1]} {site.hostname}.")
        zones.add(f"_submissions._tcp.{name}", "SRV", f"0 1 {site.submissions[1]} {site.hostname}.")
        zones.add(f"_pop3._tcp.{name}", "SRV", f"0 1 {site.pop3[1]} {site.hostname}.")
        zones.add(f"_pop3s._tcp.{name}", "SRV", f"0 1 {site.pop3s[1]} {site.hostname}.")
        if dane:
            protect_by_dane(zones, name, site)
        if mta_sts is not None:
            protect_by_mta_sts(zones, self.policies, name, StsMode(mta_sts), [site.hostname])
        return site

    async def remove_domain(self, name: str) -> None:
        """Take a domain off the lab's internet, and stop its mail system with its last domain."""
        site = self.sites.pop(name)
        self.dns.zones.remove_zone(name)
        self.policies.files.pop(name, None)
        if site not in self.sites.values():
            await site.close()
            if self._wanted_directory is None:
                shutil.rmtree(site.data_dir.parent, ignore_errors=True)

    async def host(
        self,
        name: str,
        behaviour: Behaviour | str = Behaviour.ACCEPT,
        *,
        domain: str | None = None,
        preference: int = 5,
        stage: FaultStage | str = FaultStage.RCPT,
        reply: Reply | None = None,
        delay_seconds: float = 0.2,
        greylist_seconds: float = 0.0,
        times: int | None = None,
        tls: bool = True,
    ) -> FaultyServer | None:
        """Make a scripted mail host, and an MX of `domain` where one is named.

        With the behaviour ``null_mx`` there is no host, only an MX record that says so (None comes
        back). What the others do: see `Behaviour` and `Script`.
        """
        kind = Behaviour.of(behaviour)
        zones = self.dns.zones
        if kind is Behaviour.NULL_MX:
            zones.add(domain or name, "MX", "0 .")
            return None
        script = Script(
            behaviour=kind,
            stage=FaultStage(stage),
            reply=reply,
            delay_seconds=delay_seconds,
            greylist_seconds=greylist_seconds,
            times=times,
        )
        address, server = await self._start_host(name, script, tls=tls)
        self.hosts[name] = server
        self._add_host_records(name, address)
        if domain is not None:
            zones.add(domain, "MX", f"{preference} {name}.")
        return server

    async def remove_host(self, name: str) -> None:
        """Stop a scripted host; its DNS records stay."""
        await self.hosts.pop(name).stop()

    # Mail

    async def send(
        self,
        sender: str,
        to: str | Sequence[str],
        data: bytes | None = None,
        *,
        subject: str = "A message of the lab",
        text: str = "Hello\n",
        account: str | None = None,
    ) -> Sent:
        """Hand a message in at the sender's site, over SMTP; return its queue id.

        `data` is a whole message, else one is made of `subject` and `text`. The login is that of
        `account`, else the sender's own.
        """
        recipients = [to] if isinstance(to, str) else list(to)
        site = self.site_of(account or sender)
        if data is None:
            data = compose(sender, recipients, subject, text)
        content = data
        server = site.mailserver("submission", site.account(account or sender))

        async def submit(client: SubmissionClient) -> str:
            return await client.submit(sender, recipients, content)

        answer, said = await with_client(SubmissionClient, server, submit)
        found = _QUEUED_AS.search(answer)
        if found is None:
            raise LabFailed(f"no queue id in the answer {answer!r}")
        return Sent.of(found[1], said, data)

    async def inbox(self, address: str) -> list[bytes]:
        """Return all messages of an account over POP3, oldest first, byte for byte.

        For an address that only a catch-all takes: those of its messages that are for it.
        """
        return (await self.read(address))[0]

    async def read(self, address: str) -> tuple[list[bytes], list[Said]]:
        """Return the messages of `inbox` and what happened on the way."""
        site = self.site_of(address)
        reader = site.reader(address)

        async def read_all(client: Pop3Client) -> list[bytes]:
            return [await client.read(number) for number, _ in await client.uids()]

        messages, said = await with_client(Pop3Client, site.mailserver("pop3", reader), read_all)
        if reader.address.lower() != address.lower():
            messages = [data for data in messages if is_for(data, address)]
        return messages, said

    async def wait_for(
        self,
        address: str,
        *,
        count: int = 1,
        matching: Callable[[bytes], bool] | None = None,
        timeout_seconds: float = 15.0,
    ) -> list[bytes]:
        """Wait until `count` messages (that match) are in an inbox; return them.

        Raises `LabFailed` with what there is and where the newest mail for the address stands.
        """
        site = self.site_of(address)
        reader = site.reader(address)
        until = time.monotonic() + timeout_seconds
        seen = -1
        found: list[bytes] = []
        while True:
            # The store is asked often, POP3 only when something came.
            there = await site.inbox(reader)
            if there != seen and there >= count:
                seen = there
                messages = await self.inbox(address)
                found = [data for data in messages if matching is None or matching(data)]
                if len(found) >= count:
                    return found
            if time.monotonic() > until:
                raise LabFailed(
                    f"{len(found) if seen >= 0 else there} of {count} messages for {address} "
                    f"came within {timeout_seconds:g} s{await self._whereabouts(address)}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def journey(self, queue_id: str) -> Journey:
        """Return the journey of a message at the site that has it. Raises `LabFailed`."""
        number = parse_id(queue_id)
        for site in dict.fromkeys(self.sites.values()):
            try:
                return await site.office.journeys.of(number)
            except (Refused, LabFailed):
                continue
        raise LabFailed(f"no site of this lab has a message {queue_id}")

    async def settled(self, queue_id: str, *, timeout_seconds: float = 15.0) -> Journey:
        """Wait until every delivery of a message has ended, and return its journey."""
        return await self.journey_with(
            queue_id,
            lambda journey: all(delivery.state.final for delivery in journey.deliveries),
            timeout_seconds=timeout_seconds,
        )

    async def journey_with(
        self,
        queue_id: str,
        fits: Callable[[Journey], bool],
        *,
        timeout_seconds: float = 15.0,
    ) -> Journey:
        """Wait until the journey of a message fits, and return it. Raises `LabFailed`."""
        until = time.monotonic() + timeout_seconds
        while True:
            journey = await self.journey(queue_id)
            if fits(journey):
                return journey
            if time.monotonic() > until:
                raise LabFailed(
                    f"{queue_id} did not get there within {timeout_seconds:g} s:\n{words(journey)}"
                )
            await asyncio.sleep(_POLL_SECONDS)

    async def retry_now(self, queue_id: str) -> None:
        """Make all deliveries of a message due at once, as ``postroad queue retry`` does."""
        journey = await self.journey(queue_id)
        keys = [(each.message, each.ordinal) for each in journey.deliveries if not each.state.final]
        for site in dict.fromkeys(self.sites.values()):
            if await site.office.store.queue.message(parse_id(queue_id)) is not None:
                await site.office.desk.retry(keys, by="lab")

    def site_of(self, address: str) -> Site:
        """Return the site of an address's domain. Raises `LabFailed`."""
        domain = address.rpartition("@")[2].lower()
        try:
            return self.sites[domain]
        except KeyError:
            known = ", ".join(self.sites) or "none"
            raise LabFailed(f"{domain} is not in this lab; there are: {known}") from None

    def mailserver(self, service: str, address: str) -> Mailserver:
        """Return how a client of `address` reaches a service of its site."""
        site = self.site_of(address)
        return site.mailserver(service, site.account(address))

    def credentials(self, address: str) -> Credentials:
        """Return user name and password of an address."""
        return self.site_of(address).account(address)

    # Inside

    async def _add_site(self, hostname: str, *, own_process: bool) -> Site:
        leaf_names = (hostname, hostname.partition(".")[2])
        home = fresh_home(self.directory, hostname)
        addresses = self._addresses
        shape = Shape(
            ports=addresses.ports,
            nameserver=f"{self.dns.address}:{self.dns.port}",
            policy_port=self.policies.port,
            ca_file=self.ca.root_file,
            patience_seconds=self.patience_seconds,
            retry_seconds=self.retry_seconds,
            own_address=not addresses.one_address,
        )

        def make(address: str) -> Config:
            real = addresses.real(address)
            leaf = self.ca.issue(*leaf_names, address, *({real} - {address}))
            return site_config(shape, hostname, real, home, leaf)

        address, config, listeners = bind(addresses, make)
        surroundings = Surroundings(
            self.network,
            Nameserver(self.dns.address, self.dns.port, trusted=True),
            self.ca.root_file,
            self.patience_seconds,
        )
        config.server.data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        site = Site(hostname, address, config, surroundings, own_process=own_process)
        try:
            await site.start(listeners)
        except BaseException:
            listeners.close()
            raise
        if self._addresses.one_address:
            self.network.places[address, config.delivery.port] = site.mx
        return site

    async def _start_host(
        self, name: str, script: Script, *, tls: bool
    ) -> tuple[str, FaultyServer]:
        problem: OSError | None = None
        for _ in range(20):
            address = self._addresses.next()
            real = self._addresses.real(address)
            context = None
            if tls:
                leaf = self.ca.issue(name, address)
                context = ServerTls(leaf.certificate, leaf.key).context
            port = self._addresses.ports.mx
            server = FaultyServer(name, script, address=real, port=port, tls=context)
            try:
                await server.start()
            except OSError as error:
                problem = error
                continue
            if self._addresses.one_address:
                self.network.places[address, 25] = (real, server.port)
            return address, server
        raise NoRoom(f"no loopback address has a free port for {name}: {problem}")

    async def _add_policy_records(self, name: str, site: Site) -> None:
        """Who sends for the domain, and that nobody else is to be believed (SPF, DKIM, DMARC)."""
        zones = self.dns.zones
        addresses = dict.fromkeys((site.address, self._addresses.real(site.address)))
        spf = f"v=spf1 {' '.join(f'ip4:{each}' for each in addresses)} -all"
        for owner in (name, site.hostname):
            zones.replace(owner, "TXT", spf)
        for key in await site.office.keys.add(name, (Algorithm.ED25519_SHA256,), sign_now=True):
            public = signing_key(key)
            zones.add(public.name, "TXT", public.record())
        zones.add(f"_dmarc.{name}", "TXT", "v=DMARC1; p=reject")

    def _add_host_records(self, hostname: str, address: str) -> None:
        zones = self.dns.zones
        zones.add(hostname, "A", address)
        zones.replace(reverse_name(address), "PTR", f"{hostname}.")

    async def _whereabouts(self, address: str) -> str:
        lines = []
        for site in dict.fromkeys(self.sites.values()):
            if site.running:
                for message in await site.office.journeys.find(address=address, limit=1):
                    journey = await site.office.journeys.of(message.id)
                    lines.append(f"\nat {site.hostname}:\n{words(journey)}")
        return "".join(lines)


def words(journey: Journey) -> str:
    """Return a journey, a line each: seconds since it began, what happened, in words."""
    return "\n".join(
        f"{line.seconds:9.3f} s  {line.what:<10} {line.text}" for line in journey.lines
    )
