"""A whole mail server as one value: the only place that joins the rooms.

::

    async with System.open(config) as system:
        await system.start()
        system.listening["submission"]   # [("127.0.0.1", 5587)]
        await system.stop(grace_seconds=10)
"""

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager

import structlog
from msgspec.structs import replace

from postroad.delivery import RemoteDeliverer
from postroad.delivery.above import ContentAbove
from postroad.delivery.https import Fetcher
from postroad.mailbox import LocalDeliverer
from postroad.network import DnsResolver, ServerTls, TlsFilesInvalid
from postroad.policy import Policy
from postroad.ports import Clock, Deliverer, Entropy, Moments, Network, Resolver, StorageError
from postroad.queue import Queue
from postroad.runtime import settings
from postroad.runtime.addresses import own_endpoints
from postroad.runtime.checks import make_policy
from postroad.runtime.config import AcmeMode, Config
from postroad.runtime.deliverer import LocalOrRemote
from postroad.runtime.doors import Doors
from postroad.runtime.guards import Guards
from postroad.runtime.listeners import Listeners
from postroad.runtime.lists import leave_out_suppressed, make_returns
from postroad.runtime.office import Office
from postroad.runtime.outbound import make_network, make_remote, make_resolver
from postroad.runtime.renewal import FileWatch, Renewal, prepare
from postroad.runtime.signing.pool import SigningPool
from postroad.service.authenticate import Authenticator
from postroad.service.dmarc_reports import DmarcReports
from postroad.service.intake import Intake
from postroad.service.login import SaslLogins
from postroad.service.logins import LoginBook
from postroad.service.maildrops import Maildrops
from postroad.service.sealing import ForwardSealer
from postroad.service.signatory import SignsHere
from postroad.service.signing import KeyRing, Signing
from postroad.service.tls_reports import TlsReports
from postroad.storage.moments import LocalMoments
from postroad.storage.spool import FileSpool

log = structlog.get_logger("postroad.system")

PRUNE_EVERY_SECONDS = 3600.0
ABORT_GRACE_SECONDS = 5.0
_NEEDS_RESTART = (
    "server",
    "storage",
    "queue",
    "streams",
    "pop3",
    "auth",
    "oauth",
    "junk",
    "forwarding",
    "bounces",
    "tls_reports",
    "dmarc_reports",
)


class System:
    """Everything of one server process. Made by `System.open`.

    `listening` holds, per service (``mx``, ``submission``, ``submissions``, ``pop3``, ``pop3s``), the
    addresses and ports that are really bound; a port of 0 in the configuration is chosen by the
    operating system. `local_socket` is the path of the sendmail command's socket, or None.
    """

    def __init__(
        self,
        office: Office,
        *,
        resolver: Resolver | None,
        network: Network | None,
        listeners: Listeners | None,
        worker: int = 0,
        moments: Moments | None = None,
    ) -> None:
        self.config = config = office.config
        self.office = office
        self.store = store = office.store
        self.accounts = office.accounts
        self.domains = office.domains
        self.aliases = office.aliases
        self.desk = office.desk
        self.journeys = office.journeys
        self.recipients = office.recipients
        self._worker = worker
        self._given_resolver = resolver
        self._given_network = network
        self._listeners = listeners or Listeners()
        self._resolvers: list[DnsResolver] = []
        self._resolver = self._make_resolver(config)
        self._ring = KeyRing(office.key_store, office.clock)
        self.signers = _make_signers(config)
        self._signatory = self.signers or SignsHere()
        self._signing = Signing(self._ring, self._signatory, office.clock)
        self._guards = Guards(
            office.clock,
            network or make_network(config),
            store.standing,
            LocalMoments() if moments is None else moments,
        )
        self.dmarc_reports = self._make_dmarc_reports(config)
        self._tls = _make_tls(config)
        self.tls_reports: TlsReports | None = None
        local = LocalDeliverer(
            mailboxes=store.mailboxes,
            directory=store.directory,
            clock=office.clock,
            entropy=office.entropy,
            junk=office.junk_filter,
        )
        self._contents = ContentAbove(store.content)
        self._deliverer = LocalOrRemote(
            local, self._make_remote(config), self._forwarding, make_returns(office)
        )
        self.queue = Queue(
            ledger=store.ledger,
            store=store.queue,
            content=store.content,
            deliverer=leave_out_suppressed(self._deliverer, office),
            clock=office.clock,
            entropy=office.entropy,
            settings=settings.queue(config, store.node, worker),
            resolve=office.recipients.place,
            sign=self._sign_own if config.trust.sign else None,
        )
        self.intake = Intake(
            queue=self.queue,
            content=store.content,
            recipients=office.recipients,
            clock=office.clock,
            entropy=office.entropy,
            policy=self._make_policy(config, self._resolver),
            settings=settings.intake(config),
            signing=self._signing if config.trust.sign else None,
        )
        self.book = LoginBook(
            ledger=store.ledger, clock=office.clock, settings=settings.login_book(config)
        )
        self.authenticator = Authenticator(
            directory=store.directory,
            clock=office.clock,
            passwords=office.passwords,
            secret=store.secret,
            book=self.book,
            tokens=settings.tokens(
                config, office.clock, self._resolver, network or make_network(config)
            ),
            settings=settings.authenticator(config),
        )
        self._doors = Doors(
            config,
            intake=self.intake,
            logins=SaslLogins(
                self.authenticator, office.entropy, discovery_url=config.oauth.discovery_url
            ),
            maildrops=Maildrops(
                mailboxes=store.mailboxes,
                content=store.content,
                locks=store.locks,
                ledger=store.ledger,
                clock=office.clock,
                login_delay_seconds=config.pop3.login_delay_seconds,
                read_ahead=settings.read_ahead(config),
            ),
            tls=self._tls,
        )
        self._tasks: list[asyncio.Task[None]] = []
        self._renewing: asyncio.Task[None] | None = None
        self._failure: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
        self._stopped = False

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: Config,
        *,
        resolver: Resolver | None = None,
        network: Network | None = None,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        listeners: Listeners | None = None,
        worker: int = 0,
        moments: Moments | None = None,
    ) -> AsyncIterator["System"]:
        """Open the store and build everything; nothing is served yet. Leaving cuts what still runs.

        `listeners` are ports that were bound before (as root); `worker` is this process's number among
        those that share them, the store and `moments`. Raises `StorageError`,
        `TlsFilesInvalid`, `OSError` or `ValueError` (a password file).
        """
        async with Office.open(config, clock=clock, entropy=entropy) as office:
            if worker == 0 and (swept := await office.store.content.sweep_orphans()):
                log.info("files that no message names were removed", files=swept)
            system = cls(
                office,
                resolver=resolver,
                network=network,
                listeners=listeners,
                worker=worker,
                moments=moments,
            )
            try:
                yield system
            finally:
                await system.stop(0.0)

    @property
    def listening(self) -> dict[str, list[tuple[str, int]]]:
        """Host and port of what is bound, by service."""
        return self._listeners.addresses

    @property
    def local_socket(self) -> str | None:
        """The path of the sendmail command's socket."""
        path = self._listeners.local_socket
        return str(path) if path else None

    async def start(self) -> None:
        """Bind what is not bound yet, take connections, run the queue. Raises `CannotListen`."""
        self._listeners.rebind(self.config)
        self._deliverer.remote = self._make_remote(self.config)
        if self.signers is not None and self.config.trust.sign and not self._ring.empty:
            self.signers.start()
        await self._serve()
        self._run(self.queue.run(), "queue")
        if self.dmarc_reports is not None and self._worker == 0:
            self._run(self.dmarc_reports.run(), "dmarc reports")
        if self.config.trust.sign and self._worker == 0:
            self._run(self._watch_keys(), "keys")
        self._run(self.book.run(), "logins")
        self._run(self._write_standings(), "standings")
        if self.config.storage.retain_seconds and self._worker == 0:
            self._run(self._prune(), "prune")
        if self.config.tls.watch_seconds:
            self._run(self._watch_certificate(), "watch certificate")
        self._keep_certificate()
        self.tls_reports = self._make_tls_reports()
        if self.tls_reports is not None and self._worker == 0:
            self._run(self.tls_reports.run(), "tls reports")

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Take no more connections, let what is in flight end, cut the rest. Safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        grace = self.config.server.grace_seconds if grace_seconds is None else grace_seconds
        began = time.monotonic()
        self._listeners.close()
        # Clients first: what they still hand in is accepted into the queue, durably.
        cut = await self._doors.shut_down(grace)
        if cut:
            log.warning("connections were cut", connections=cut)
        await self.queue.stop(max(0.0, grace - (time.monotonic() - began)))
        await self.book.flush()
        if self._guards.standings is not None:
            await self.office.standing.write(self._guards.standings)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self.signers is not None:
            await self.signers.close()
        for resolver in self._resolvers:
            await resolver.close()

    async def reload(self, config: Config | None = None) -> None:
        """Read the certificate anew, and use `config` for new connections; none is dropped.

        Raises `CannotListen`, `TlsFilesInvalid`, `OSError` or `ValueError`, and then everything stays
        as it was.
        """
        config = config or self.config
        tls = _make_tls(config)
        settings.remote(config)  # raises now what it would raise below
        resolver = self._make_resolver(config)
        policy = self._make_policy(config, resolver)
        # Streams change with a restart, for intake and queue together: a message must not be in one
        # whose policy the queue does not know.
        streams = self.intake.settings.streams
        intake_settings = replace(settings.intake(config), streams=streams)
        self._listeners.rebind(config)
        # Nothing below fails: from here on the new settings are in force.
        _warn_of_restart(self.config, config)
        before, self.config, self._tls, self._resolver = self.config, config, tls, resolver
        self._deliverer.remote = self._make_remote(config)
        self.intake.policy, self.intake.settings = policy, intake_settings
        self.intake.signing = self._signing if config.trust.sign else None
        self._doors.configure(config, tls)
        await self._serve()
        if (before.acme, before.tls.acme) != (config.acme, config.tls.acme):
            self._keep_certificate()

    async def failure(self) -> BaseException:
        """Wait until a part fails that must not fail, and return why."""
        return await asyncio.shield(self._failure)

    async def _serve(self) -> None:
        context = self._tls.context if self._tls else None
        await self._listeners.serve(
            self._doors.factories,
            context,
            self.config.listen.backlog,
            self.config.limits.tls_handshake_seconds,
        )

    def _make_policy(self, config: Config, resolver: Resolver) -> Policy:
        office = self.office
        return make_policy(
            config,
            office.clock,
            office.entropy,
            resolver,
            self._guards,
            self.dmarc_reports.note if self.dmarc_reports is not None else None,
        )

    def _make_resolver(self, config: Config) -> Resolver:
        if self._given_resolver is not None:
            return self._given_resolver
        self._resolvers.append(make_resolver(config))
        return self._resolvers[-1]

    def _make_remote(self, config: Config) -> RemoteDeliverer:
        """Return remote delivery, which must know where we listen to see a loop."""
        mx = self.listening.get("mx", [])
        return make_remote(
            config,
            resolver=self._resolver,
            network=self._given_network or make_network(config),
            content=self._contents,
            clock=self.office.clock,
            entropy=self.office.entropy,
            own_endpoints=own_endpoints(mx),
            security=self.store.security,
            ledger=self.store.ledger,
        )

    def _make_tls_reports(self) -> TlsReports | None:
        told = settings.tls_reports(self.config)
        if told is None:
            return None
        resolver = self._given_resolver or self._resolvers[-1]
        return TlsReports(
            security=self.store.security,
            ledger=self.store.ledger,
            resolver=resolver,
            intake=self.intake,
            clock=self.office.clock,
            settings=told,
            fetcher=Fetcher(
                resolver,
                self._given_network or make_network(self.config),
                self.office.clock,
                settings.report_places(self.config),
            ),
        )

    def _forwarding(self, remote: Deliverer) -> Deliverer:
        """Pass others' mail on under a sender of ours, sealed with the key of the domain."""
        sealer = ForwardSealer(
            content=self.store.content,
            resolver=self._resolver,
            clock=self.office.clock,
            key_of=self._ring.sealing_key,
            signatory=self._signatory,
        )
        seal = sealer.seal if self.config.trust.sign and self.config.trust.verify else None
        return self.office.forwarding(remote, seal, self._contents)

    def _make_dmarc_reports(self, config: Config) -> DmarcReports | None:
        told = settings.dmarc_reports(config)
        if told is None or not config.trust.verify:
            return None
        return DmarcReports(
            spool=FileSpool(config.server.data_dir / "dmarc"),
            resolver=self._resolver,
            submit=lambda envelope, data, origin: self.intake.submit(envelope, data, origin),
            clock=self.office.clock,
            settings=told,
        )

    def _run(self, work: Coroutine[object, object, None], name: str) -> "asyncio.Task[None]":
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        if task.cancelled() or self._failure.done():
            return
        error = task.exception()
        if error is None and not self._stopped:
            error = RuntimeError(f"{task.get_name()} ended though nobody stopped it")
        if error is not None:
            self._failure.set_result(error)

    def _keep_certificate(self) -> None:
        """Renew the certificate when it is time, where that is ours to do."""
        if self._renewing is not None:
            self._renewing.cancel()
            self._renewing = None
        if self.config.tls.acme is not AcmeMode.OFF and self._worker == 0:
            renewal = Renewal(self.config, self.office.clock)
            self._renewing = self._run(renewal.run(), "renew certificate")

    async def _watch_certificate(self) -> None:
        """Use a certificate that was renewed, by whomever; no connection is dropped."""
        watch = FileWatch(self.config.certificate_files)
        while True:
            await asyncio.sleep(self.config.tls.watch_seconds or 60.0)
            if self._tls is None or not watch.changed(self.config.certificate_files):
                continue
            try:
                self._tls.reload()
            except TlsFilesInvalid as error:
                # Perhaps half of a pair that is being replaced: then there is another change.
                log.warning("certificate not reloaded; the earlier one stays", error=str(error))
                continue
            await self._serve()
            log.info("certificate reloaded")

    async def _sign_own(self, message: bytes) -> bytes:
        return await self._signing.sign_whole(message, self.config.server.hostname)

    async def _watch_keys(self) -> None:
        await self.office.keys.watch(lambda: self._resolver, self.config.trust.key_check_seconds)

    async def _write_standings(self) -> None:
        """Write, now and then, what was judged of sending domains."""
        while True:
            await asyncio.sleep(self.config.abuse.standing_write_seconds)
            if self._guards.standings is not None:
                await self.office.standing.write(self._guards.standings)

    async def _prune(self) -> None:
        """Forget, now and then, what is long over."""
        while True:
            try:
                before = self.office.clock.now() - self.config.storage.retain_seconds
                count = await self.store.prune(before)
                if count:
                    log.info("old journeys removed", messages=count)
            except StorageError as error:
                log.error("old journeys could not be removed", error=str(error))
            await asyncio.sleep(PRUNE_EVERY_SECONDS)


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


def _warn_of_restart(before: Config, after: Config) -> None:
    changed = [name for name in _NEEDS_RESTART if getattr(before, name) != getattr(after, name)]
    if changed:
        log.warning("some changes come into force only with a restart", sections=changed)
