"""A whole mail server as one value: the only place that joins the rooms.

::

    async with System.open(config) as system:
        await system.start()
        system.listening["submission"]   # [("127.0.0.1", 5587)]
        await system.stop(grace_seconds=10)
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from functools import partial

import structlog

from postroad.mailbox import LocalDeliverer
from postroad.network import TlsFilesInvalid
from postroad.ports import EVERY_SECONDS, Clock, Entropy, Moments, Network, Resolver, StorageError
from postroad.queue import Queue
from postroad.runtime import settings
from postroad.runtime.chores import Chore, Chores
from postroad.runtime.config import AcmeMode, Config
from postroad.runtime.config.content import ContentPlace
from postroad.runtime.console import Surroundings
from postroad.runtime.deliverer import LocalOrRemote
from postroad.runtime.doors import Doors
from postroad.runtime.duty import alone
from postroad.runtime.in_force import Maker, needing_restart
from postroad.runtime.jmap import make_jmap
from postroad.runtime.large import run_large
from postroad.runtime.listeners import Listeners
from postroad.runtime.lists import leave_out_suppressed, make_returns
from postroad.runtime.metrics.make import Metrics, make_follower
from postroad.runtime.office import Office
from postroad.runtime.personal import make_personal
from postroad.runtime.renewal import FileWatch, Renewal
from postroad.runtime.web import make_web
from postroad.runtime.webhooks import make_poster, run_webhooks
from postroad.service.authenticate import Authenticator
from postroad.service.dmarc_reports import DmarcReports
from postroad.service.figures import FigureBook
from postroad.service.intake import Intake
from postroad.service.login import SaslLogins
from postroad.service.logins import LoginBook
from postroad.service.maildrops import Maildrops
from postroad.service.tls_reports import TlsReports
from postroad.service.vacation import Vacations
from postroad.storage.moments import LocalMoments

log = structlog.get_logger("postroad.system")

PRUNE_EVERY_SECONDS = 3600.0
ABORT_GRACE_SECONDS = 5.0


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
        config = office.config
        self.office = office
        self.store = store = office.store
        self.accounts = office.accounts
        self.domains = office.domains
        self.aliases = office.aliases
        self.desk = office.desk
        self.journeys = office.journeys
        self.recipients = office.recipients
        self._worker = worker
        self._listeners = listeners or Listeners()
        self._maker = Maker(
            office,
            resolver=resolver,
            network=network,
            moments=LocalMoments() if moments is None else moments,
            submit=lambda envelope, data, origin: self.intake.submit(envelope, data, origin),
        )
        self._in_force = current = self._maker.make(config)
        ways = self._maker.ways
        ways.use(current.resolver, current.network)
        local = LocalDeliverer(
            mailboxes=store.mailboxes,
            directory=store.directory,
            clock=office.clock,
            entropy=office.entropy,
            junk=office.junk_filter,
            quotas=office.quotas,
        )
        local.answering = Vacations(
            owners=store.owners,
            content=store.content,
            clock=office.clock,
            submit=lambda *given: self.intake.submit(*given),
            settings=settings.vacations(config),
        )
        self._deliverer = LocalOrRemote(
            local, self._maker.remote(current, {}), make_returns(office)
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
            sign=self._sign_own,
        )
        self.intake = Intake(
            queue=self.queue,
            content=store.content,
            recipients=office.recipients,
            clock=office.clock,
            entropy=office.entropy,
            policy=current.policy,
            settings=current.intake,
            signing=current.signing,
            mailings=office.mailings,
            labels=store.labels,
            quotas=office.quotas,
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
            tokens=settings.tokens(config, office.clock, ways, ways),
            grants=office.grants,
            settings=settings.authenticator(config),
        )
        self.jmap = make_jmap(office, self.intake) if config.jmap.enabled else None
        self._poster = make_poster(config, office.webhooks, office.clock, ways, ways)
        personal = make_personal(office, self.jmap, ways, ways)
        self._doors = Doors(
            config,
            intake=self.intake,
            logins=SaslLogins(
                self.authenticator, office.entropy, discovery_url=config.discovery_url
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
            tls=current.tls,
            web=partial(
                make_web,
                office,
                self.intake,
                self.authenticator,
                self._poster,
                self.jmap,
                Surroundings(lambda: self._in_force.resolver, lambda: self.listening),
                personal,
            ),
            metrics=lambda: self.metrics.text(),
        )
        self.metrics = Metrics(
            office,
            worker=worker,
            queue=self.queue,
            links=self._maker.links,
            registries=self._doors.registries,
            resolver=lambda: self._in_force.resolver,
            addresses=lambda: self._maker.addresses,
        )
        self.figures = FigureBook(tally=self.queue.tally, ledger=store.ledger, clock=office.clock)
        self._chores = Chores()
        self._started = self._stopped = False

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
        async with Office.open(config, clock=clock, entropy=entropy, serving=True) as office:
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
    def config(self) -> Config:
        """The settings in force, but for those that need a restart."""
        return self._in_force.config

    @property
    def dmarc_reports(self) -> DmarcReports | None:
        """Who notes and sends DMARC reports."""
        return self._in_force.dmarc_reports

    @property
    def tls_reports(self) -> TlsReports | None:
        """Who sends TLS reports."""
        return self._in_force.tls_reports

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
        self._deliverer.remote = self._maker.remote(self._in_force, self.listening)
        if self._in_force.signing is not None:
            self._maker.start_signers()
        await self.office.quotas.refresh()
        await self._serve()
        self._chores.keep(self._wanted_chores())
        self._started = True

    async def stop(self, grace_seconds: float | None = None) -> None:
        """Take no more connections, let what is in flight end, cut the rest. Safe to call twice."""
        if self._stopped:
            return
        self._stopped = True
        self._chores.may_end()
        grace = self.config.server.grace_seconds if grace_seconds is None else grace_seconds
        began = time.monotonic()
        self._listeners.close()
        if self.jmap is not None:
            await self.jmap.stop()
        # Clients first: what they still hand in is accepted into the queue, durably.
        cut = await self._doors.shut_down(grace)
        if cut:
            log.warning("connections were cut", connections=cut)
        await self.queue.stop(max(0.0, grace - (time.monotonic() - began)))
        await self.book.flush()
        await self.figures.write()
        if self._maker.guards.standings is not None:
            await self.office.standing.write(self._maker.guards.standings)
        await self._chores.stop()
        await self._maker.close()

    async def reload(self, config: Config | None = None) -> None:
        """Read the certificate anew, and use `config` for new connections; none is dropped.

        Raises `CannotListen`, `TlsFilesInvalid`, `OSError` or `ValueError`, and then everything stays
        as it was.
        """
        fresh = self._maker.make(config or self.config, self._in_force)
        self._listeners.rebind(fresh.config)
        # Nothing below fails: from here on the new settings are in force.
        waiting = needing_restart(self.office.config, fresh.config)  # with what it was started by
        if waiting:
            log.warning("some changes come into force only with a restart", settings=waiting)
        self._in_force = fresh
        self._maker.ways.use(fresh.resolver, fresh.network)
        self._deliverer.remote = self._maker.remote(fresh, self.listening)
        self.intake.policy, self.intake.settings = fresh.policy, fresh.intake
        self.intake.signing = fresh.signing
        self.office.quotas.configure(settings.quotas(fresh.config))
        self._doors.configure(fresh.config, fresh.tls)
        await self._serve()
        if self._started:
            self._chores.keep(self._wanted_chores())

    async def failure(self) -> BaseException:
        """Wait until a part fails that must not fail, and return why."""
        return await asyncio.shield(self._chores.failed)

    async def _serve(self) -> None:
        tls = self._in_force.tls
        context = tls.context if tls else None
        await self._listeners.serve(
            self._doors.factories,
            context,
            self.config.listen.backlog,
            self.config.limits.tls_handshake_seconds,
        )

    def _wanted_chores(self) -> Iterator[Chore]:
        """What is done beside the mail, by the settings in force; some of it by one process alone."""
        config = self.config
        yield Chore("queue", None, self.queue.run)
        yield Chore("logins", None, self.book.run)
        yield Chore("live", None, self.metrics.live.run)
        yield Chore("quotas", None, self.office.quotas.run)
        yield Chore("figures", None, self.figures.run)
        yield Chore("standings", config.abuse.standing_write_seconds, self._write_standings)
        if config.tls.watch_seconds:
            yield Chore("watch certificate", config.tls.watch_seconds, self._watch_certificate)
        if config.content.place is not ContentPlace.FILE:
            yield Chore("contents", None, self._move_contents)
        if config.storage.url:
            yield Chore("nodes", None, self._count_nodes)
        if self._worker != 0:
            return
        if self.dmarc_reports is not None:  # of what this machine saw
            yield Chore("dmarc reports", self.dmarc_reports, self.dmarc_reports.run)
        if self.tls_reports is not None:
            yield self._alone("tls reports", self.tls_reports, self.tls_reports.run)
        yield self._alone("webhooks", None, self._tell_webhooks)
        if config.trust.sign:
            yield Chore("keys", config.trust.key_check_seconds, self._watch_keys)
        if config.log.mail or config.telemetry.endpoint:
            told = (config.log.mail, config.telemetry)
            yield self._alone("follow", told, make_follower(self.office, config).run)
        if config.storage.retain_seconds:
            yield self._alone("prune", None, self._prune)
        if config.tls.acme is not AcmeMode.OFF:
            renewal = Renewal(config, self.office.clock)
            yield Chore("renew certificate", (config.acme, config.tls.acme), renewal.run)

    def _alone(
        self, name: str, settings: object, work: Callable[[], Coroutine[object, object, None]]
    ) -> Chore:
        """What one node of all does."""
        return Chore(name, settings, partial(alone, self.store.duties, name, work))

    async def _count_nodes(self) -> None:
        """Know how many nodes share what limits allow."""
        while True:
            try:
                self._maker.guards.share(await self.store.duties.nodes())
            except StorageError as error:
                log.warning("nobody can say how many nodes there are", error=str(error))
            await asyncio.sleep(EVERY_SECONDS)

    async def _watch_certificate(self) -> None:
        """Use a certificate that was renewed, by whomever; no connection is dropped."""
        watch = FileWatch(self.config.certificate_files)
        while True:
            await asyncio.sleep(self.config.tls.watch_seconds or 60.0)
            tls = self._in_force.tls
            if tls is None or not watch.changed(self.config.certificate_files):
                continue
            try:
                tls.reload()
            except TlsFilesInvalid as error:
                # Perhaps half of a pair that is being replaced: then there is another change.
                log.warning("certificate not reloaded; the earlier one stays", error=str(error))
                continue
            await self._serve()
            log.info("certificate reloaded")

    async def _sign_own(self, message: bytes) -> bytes:
        signing = self._in_force.signing
        return (
            b""
            if signing is None
            else await signing.sign_whole(message, self.config.server.hostname)
        )

    async def _move_contents(self) -> None:
        await run_large(self.store, first=self._worker == 0)

    async def _tell_webhooks(self) -> None:
        await run_webhooks(self.config, self.store, self.office.clock, self._poster)

    async def _watch_keys(self) -> None:
        every = self.config.trust.key_check_seconds
        await self.office.keys.watch(lambda: self._in_force.resolver, every)

    async def _write_standings(self) -> None:
        """Write, now and then, what was judged of sending domains."""
        while True:
            await asyncio.sleep(self.config.abuse.standing_write_seconds)
            if self._maker.guards.standings is not None:
                await self.office.standing.write(self._maker.guards.standings)

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
