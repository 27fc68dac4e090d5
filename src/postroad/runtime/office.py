"""The stores and the use cases on them, without servers: what the commands of an operator need.

An office may be opened on a data directory while a server runs on it; the server sees what changes.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cached_property

from postroad.delivery.above import ContentAbove
from postroad.delivery.forward import Forwarding, Seal
from postroad.delivery.return_path import ReturningToUs
from postroad.mailbox.junk import JunkFilter
from postroad.mailbox.quota import Quotas
from postroad.message.bounce.classify import Classification, Classifier
from postroad.model import DEFAULT_STREAM, Address, Reply
from postroad.network import SystemClock, SystemEntropy
from postroad.ports import Clock, Deliverer, Directory, Entropy, LoginStore
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.large import join_large
from postroad.runtime.rendering.compose import make_renderer, make_templates
from postroad.runtime.replies import make_classifier
from postroad.runtime.rewriting import (
    make_link_tokens,
    make_return_paths,
    make_srs,
    return_bases,
)
from postroad.runtime.stores import Store, open_store
from postroad.runtime.webhooks import make_webhooks
from postroad.service.accounts import Accounts
from postroad.service.api_keys import ApiKeys
from postroad.service.app_passwords import AppPasswords
from postroad.service.departures import Departures
from postroad.service.desk import QueueDesk
from postroad.service.domains import Aliases, Domains
from postroad.service.figures import Figures
from postroad.service.grants import Grants
from postroad.service.history import History
from postroad.service.journeys import Journeys
from postroad.service.junk import JunkDesk
from postroad.service.keys import Keys
from postroad.service.mail import Mail
from postroad.service.mailing import Mailings
from postroad.service.passwords import Passwords
from postroad.service.quotas import QuotaDesk
from postroad.service.recipients import Recipients
from postroad.service.reports import Reports
from postroad.service.returns import ReturnAddresses
from postroad.service.second_factors import SecondFactors
from postroad.service.sessions import Sessions
from postroad.service.standing import StandingDesk
from postroad.service.suppressions import Suppressions
from postroad.service.why import Why
from postroad.storage.keys import FileKeys
from postroad.trust.srs import SrsInvalid


class Office:
    """An open store with the services on it."""

    def __init__(self, config: Config, store: Store, clock: Clock, entropy: Entropy) -> None:
        self.config = config
        self.store = store
        self.clock = clock
        self.entropy = entropy
        self.passwords = Passwords()
        ledger, directory = store.ledger, store.directory
        self.directory: Directory = directory
        self.accounts = Accounts(
            ledger=ledger,
            directory=directory,
            clock=clock,
            entropy=entropy,
            passwords=self.passwords,
            secret=store.secret,
        )
        self.app_passwords = AppPasswords(
            ledger=ledger,
            directory=directory,
            clock=clock,
            entropy=entropy,
            passwords=self.passwords,
            secret=store.secret,
        )
        self.api_keys = ApiKeys(
            ledger=ledger,
            store=store.api_keys,
            directory=directory,
            clock=clock,
            entropy=entropy,
        )
        self.sessions = Sessions(
            ledger=ledger,
            store=store.sessions,
            directory=directory,
            clock=clock,
            entropy=entropy,
            settings=settings.sessions(config),
        )
        self.grants: Grants | None = None
        if config.web.oauth:
            self.grants = Grants(
                ledger=ledger,
                store=store.sessions,
                directory=directory,
                clock=clock,
                entropy=entropy,
                secret=store.secret,
                settings=settings.grants(config),
            )
        self.second_factors = SecondFactors(
            ledger=ledger,
            store=store.sessions,
            clock=clock,
            entropy=entropy,
            issuer=config.server.hostname,
        )
        self.renderer = make_renderer(config)
        self.templates = make_templates(
            config, ledger=ledger, store=store.templates, clock=clock, renderer=self.renderer
        )
        self.webhooks = make_webhooks(config, store, clock, entropy)
        self.logins: LoginStore = store.logins
        self.standing = StandingDesk(ledger=ledger, store=store.standing, clock=clock)
        self.suppressions = Suppressions(
            ledger=ledger,
            store=store.suppressions,
            clock=clock,
            known={
                name: section.domains
                for name, section in config.streams.items()
                if section.keeps_list
            },
        )
        self.domains = Domains(ledger=ledger, directory=directory, clock=clock)
        self.key_store = FileKeys(config.server.data_dir / "keys")
        self.keys = Keys(
            store=self.key_store,
            directory=directory,
            clock=clock,
            wait_seconds=config.trust.key_wait_seconds,
        )
        self.aliases = Aliases(ledger=ledger, directory=directory, clock=clock)
        self.desk = QueueDesk(store=store.queue, journey=store.journey, ledger=ledger, clock=clock)
        self.why = Why(
            store=store.queue,
            journey=store.journey,
            suppressions=store.suppressions,
            clock=clock,
            classify=self.classify,
            lists=[name for name, section in config.streams.items() if section.keeps_list],
            pools={
                DEFAULT_STREAM: config.delivery.sources,
                **{
                    name: section.sources or config.delivery.sources
                    for name, section in config.streams.items()
                },
            },
        )
        self.figures = Figures(store=store.figures, clock=clock)
        self.history = History(journey=store.journey)
        self.journeys = Journeys(journey=store.journey, queue=store.queue, classify=self.classify)
        self.reports = Reports(
            directory=directory, mailboxes=store.mailboxes, content=store.content
        )
        junk = settings.junk(config)
        self.junk = JunkDesk(
            ledger=ledger,
            directory=directory,
            mailboxes=store.mailboxes,
            content=store.content,
            store=store.junk,
            clock=clock,
            settings=junk,
        )
        self.junk_filter: JunkFilter | None = None
        if config.junk.learn:
            self.junk_filter = JunkFilter(store=store.junk, content=store.content, settings=junk)
        self.quotas = Quotas(
            owners=store.owners,
            mailboxes=store.mailboxes,
            clock=clock,
            settings=settings.quotas(config),
        )
        self.quota_desk = QuotaDesk(
            ledger=ledger,
            directory=directory,
            owners=store.owners,
            quotas=self.quotas,
            clock=clock,
        )
        self.mail = Mail(
            ledger=ledger,
            directory=directory,
            mailboxes=store.mailboxes,
            content=store.content,
            clock=clock,
            entropy=entropy,
            lessons=self.junk if config.junk.learn else None,
        )
        self._srs = make_srs(config)
        self.return_paths = make_return_paths(config, store.secret)
        self.departures = Departures(store.suppressions, clock)
        self.link_tokens = make_link_tokens(store.secret)
        links = settings.stream_links(config)
        self.mailings: Mailings | None = None
        if links:
            self.mailings = Mailings(
                links,
                tokens=self.link_tokens,
                paths=self.return_paths,
                clock=clock,
                max_octets=config.limits.max_copies_octets,
            )
        self.return_addresses = ReturnAddresses(
            self.return_paths,
            clock,
            bases=[address.folded for address in return_bases(config).values()],
            leaving=[
                each.unsubscribe_base.folded
                for each in links.values()
                if each.unsubscribe_base is not None
            ],
            complaints=config.bounces.complaints,
        )
        self.recipients = Recipients(
            directory,
            hostname=config.server.hostname,
            monotonic=clock.monotonic,
            way_back=self._way_back if self._srs is not None else None,
            returns=self.return_addresses.look if self.return_addresses else None,
        )

    def forwarding(
        self,
        deliverer: Deliverer,
        seal: Seal | None = None,
        contents: ContentAbove | None = None,
        domain: str = "",
    ) -> Deliverer:
        """Return a deliverer that passes others' mail on under a sender of ours, and sends ours under
        return paths, where that is wanted.
        """
        bases = return_bases(self.config)
        if bases:
            deliverer = ReturningToUs(deliverer, self.return_paths, bases, self.clock)
        if self._srs is None:
            return deliverer
        return Forwarding(deliverer, self._srs, self._is_ours, self.clock, seal, contents, domain)

    def classify(self, reply: Reply, host: str = "") -> Classification:
        """Return what a reply of the server `host` means. Raises `OSError` and `RulesInvalid` where the
        files of `bounces.rules` cannot be used.
        """
        return self._classifier.classify(reply, host)

    def load_rules(self) -> None:
        """Read the rules of `classify` now. Raises as that."""
        assert self._classifier.rules

    @cached_property
    def _classifier(self) -> Classifier:
        return make_classifier(self.config)  # when first needed: reading rules takes a while

    async def _is_ours(self, domain: str) -> bool:
        return await self.directory.domain(domain) is not None

    async def _way_back(self, local_part: str) -> Address:
        assert self._srs is not None, "given only where it is there"
        now = self.clock.now()
        kept = self._srs.kept(local_part, now)
        if kept is None:
            return self._srs.back(local_part, now)
        message = await self.store.queue.message(kept)
        if message is None or message.envelope.sender is None:
            raise SrsInvalid("the mail that it was made for is not kept any more")
        return message.envelope.sender

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        config: Config,
        *,
        clock: Clock | None = None,
        entropy: Entropy | None = None,
        serving: bool = False,
    ) -> AsyncIterator["Office"]:
        """Open the store of `config` (made where it is missing), for a server with `serving`.

        Raises `StorageError`.
        """
        store = await open_store(config, serving=serving)
        join_large(store)
        try:
            clock = clock or SystemClock()
            # Not the node's name: a command and a server that make ids at the same moment must differ.
            office = cls(config, store, clock, entropy or SystemEntropy())
            try:
                yield office
            finally:
                office.passwords.close()
                await office.renderer.close()
        finally:
            await store.close()
