"""All that is made from the configuration and may be replaced while mail is in work: one value, made by
one function, and swapped as a whole by a reload.

What is not in it is made once, for the life of the process, from the sections and settings in
`NEEDS_RESTART`; it reaches the DNS and other hosts by `Ways`, which follow the value in force.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from postroad.delivery.above import ContentAbove
from postroad.delivery.https import Fetcher
from postroad.delivery.sources import Sources
from postroad.delivery.tally import LinkTally
from postroad.model import Envelope, Origin, Reply
from postroad.network import DnsResolver, ServerTls
from postroad.policy import Policy
from postroad.ports import Deliverer, Moments, Network, Resolver, Stream
from postroad.ports.resolver import Answer
from postroad.runtime import settings
from postroad.runtime.addresses import own_endpoints
from postroad.runtime.checks import make_policy
from postroad.runtime.config import AcmeMode, Config
from postroad.runtime.guards import Guards
from postroad.runtime.office import Office
from postroad.runtime.outbound import make_network, make_remote, make_resolver
from postroad.runtime.renewal import prepare
from postroad.runtime.signing.pool import SigningPool
from postroad.service.dmarc_reports import DmarcReports
from postroad.service.intake import IntakeSettings
from postroad.service.sealing import ForwardSealer
from postroad.service.signatory import SignsHere
from postroad.service.signing import KeyRing, Signing
from postroad.service.tls_reports import TlsReports
from postroad.storage.spool import FileSpool

NEEDS_RESTART = (
    "server",
    "storage",
    "content",
    "queue",
    "streams",
    "providers",
    "delivery.sources",
    "http",
    "jmap",
    "display",
    "reach",
    "templates",
    "web",
    "webhooks",
    "pop3",
    "auth",
    "oauth",
    "junk",
    "vacation",
    "bounces",
    "forwarding.rewrite_sender",
    "forwarding.secret",
    "forwarding.old_secrets",
    "trust.key_wait_seconds",
    "trust.signers",
    "trust.signer_max_octets",
)
"""Sections and settings that a reload does not bring into force, and warns of."""

Submit: TypeAlias = Callable[[Envelope, bytes, Origin], Awaitable[Reply]]


class InForce(Struct, frozen=True):
    """What new mail and new connections are treated by."""

    config: Config
    tls: ServerTls | None
    resolver: Resolver
    network: Network
    policy: Policy
    intake: IntakeSettings
    signing: Signing | None
    dmarc_reports: DmarcReports | None
    tls_reports: TlsReports | None


class Ways:
    """`Resolver` and `Network` for what outlives a reload: always those in force."""

    _resolver: Resolver
    _network: Network

    def use(self, resolver: Resolver, network: Network) -> None:
        """Follow these from now on."""
        self._resolver = resolver
        self._network = network

    async def lookup(self, name: str, rdtype: str) -> Answer:
        """As `Resolver`."""
        return await self._resolver.lookup(name, rdtype)

    async def connect(
        self, address: str, port: int, *, source: str | None = None, timeout: float
    ) -> Stream:
        """As `Network`. Raises `ConnectFailed`."""
        return await self._network.connect(address, port, source=source, timeout=timeout)


class Maker:
    """Makes the value in force. A resolver or network that is given stays, whatever is configured."""

    def __init__(
        self,
        office: Office,
        *,
        resolver: Resolver | None,
        network: Network | None,
        moments: Moments,
        submit: Submit,
    ) -> None:
        self.ways = Ways()
        self.links = LinkTally()
        self.addresses: Sources | None = None  # those of the delivery that was made last
        self._ring = KeyRing(office.key_store, office.clock)
        self._signers = _make_signers(office.config)
        self._signatory = self._signers or SignsHere()
        self._signing = Signing(self._ring, self._signatory, office.clock)
        self.guards = Guards(office.clock, self.ways, office.store.standing, moments)
        self._office = office
        self._given_resolver = resolver
        self._given_network = network
        self._submit = submit
        self._resolvers: list[DnsResolver] = []
        self._contents = ContentAbove(office.store.content)

    def make(self, config: Config, before: InForce | None = None) -> InForce:
        """Return the value for a configuration. Raises `TlsFilesInvalid`, `OSError` or `ValueError`."""
        tls = _make_tls(config)
        settings.remote(config)  # raises now what it would raise in `remote`
        resolver = self._resolver(config)
        network = self._given_network or make_network(config)
        intake = settings.intake(config)
        if before is not None:
            # Streams change with a restart, for intake and queue together: a message must not be in
            # one whose policy the queue does not know.
            told = before.intake
            intake = replace(intake, streams=told.streams, signing_domains=told.signing_domains)
        dmarc_reports = self._dmarc_reports(config, before)
        policy = make_policy(
            config,
            self._office.clock,
            self._office.entropy,
            resolver,
            self.guards,
            dmarc_reports.note if dmarc_reports is not None else None,
        )
        return InForce(
            config,
            tls,
            resolver,
            network,
            policy,
            intake,
            self._signing if config.trust.sign else None,
            dmarc_reports,
            self._tls_reports(config, before),
        )

    def remote(
        self, current: InForce, listening: Mapping[str, Sequence[tuple[str, int]]]
    ) -> Deliverer:
        """Return remote delivery, which must know where we listen to see a loop, and which passes
        others' mail on under a sender of ours, sealed with the key of the domain.
        """
        office, config = self._office, current.config
        remote = make_remote(
            config,
            resolver=current.resolver,
            network=current.network,
            content=self._contents,
            clock=office.clock,
            entropy=office.entropy,
            own_endpoints=own_endpoints(listening.get("mx", [])),
            security=office.store.security,
            ledger=office.store.ledger,
            sources=office.store.sources,
            classify=office.classify,
            tally=self.links,
        )
        self.addresses = remote.sources
        sealer = ForwardSealer(
            content=office.store.content,
            resolver=current.resolver,
            clock=office.clock,
            key_of=self._ring.sealing_key,
            signatory=self._signatory,
        )
        seal = sealer.seal if config.trust.sign and config.trust.verify else None
        return office.forwarding(remote, seal, self._contents, config.forwarding.domain)

    def start_signers(self) -> None:
        """Start the processes that sign, where there is something to sign with. Without that the first
        message starts them.
        """
        if self._signers is not None and not self._ring.empty:
            self._signers.start()

    async def close(self) -> None:
        """End the processes that sign, and close all resolvers that were made."""
        if self._signers is not None:
            await self._signers.close()
        for resolver in self._resolvers:
            await resolver.close()

    def _resolver(self, config: Config) -> Resolver:
        if self._given_resolver is not None:
            return self._given_resolver
        self._resolvers.append(make_resolver(config))
        return self._resolvers[-1]

    def _dmarc_reports(self, config: Config, before: InForce | None) -> DmarcReports | None:
        told = settings.dmarc_reports(config) if config.trust.verify else None
        if told is None:
            return None
        known = before.dmarc_reports if before is not None else None
        if known is not None and known.settings == told:
            return known
        return DmarcReports(
            spool=FileSpool(self._office.config.server.data_dir / "dmarc"),
            resolver=self.ways,
            submit=self._submit,
            clock=self._office.clock,
            settings=told,
        )

    def _tls_reports(self, config: Config, before: InForce | None) -> TlsReports | None:
        told = settings.tls_reports(config)
        if told is None:
            return None
        places = settings.report_places(config)
        known = before.tls_reports if before is not None else None
        if known is not None and (known.settings, known.fetcher.settings) == (told, places):
            return known
        store = self._office.store
        return TlsReports(
            security=store.security,
            ledger=store.ledger,
            resolver=self.ways,
            submit=self._submit,
            clock=self._office.clock,
            settings=told,
            fetcher=Fetcher(self.ways, self.ways, self._office.clock, places),
        )


def needing_restart(before: Config, after: Config) -> list[str]:
    """Return what changed of `NEEDS_RESTART`."""
    return [name for name in NEEDS_RESTART if _value(before, name) != _value(after, name)]


def _value(config: Config, name: str) -> object:
    section, _, key = name.partition(".")
    found: object = getattr(config, section)
    return getattr(found, key) if key else found


def _make_signers(config: Config) -> SigningPool | None:
    """Processes that sign; nothing is started yet, and nothing is as long as there are no keys."""
    trust = config.trust
    if not trust.signers:
        return None
    return SigningPool(
        trust.signers,
        seconds=config.limits.check_seconds,
        max_octets=trust.signer_max_octets,
    )


def _make_tls(config: Config) -> ServerTls | None:
    files = config.certificate_files
    if files is None:
        return None
    if config.tls.acme is not AcmeMode.OFF:
        prepare(config)
    return ServerTls(*files)
