"""What stands behind each port: services made from the configuration, and made anew by a reload.

A connection looks its service up when it begins; so those that are open go on as they began, and new
ones follow the new settings.
"""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING

from postroad.model import ServerKind
from postroad.network import ServerTls
from postroad.network.acme import ChallengeDirectory
from postroad.runtime import settings
from postroad.runtime.config import Config
from postroad.runtime.config.server import TCP_SERVICES
from postroad.runtime.listeners import ACME, LOCAL, ProtocolFactory
from postroad.runtime.metrics.text import CONTENT_TYPE
from postroad.runtime.own_policy import own_policy
from postroad.servers.challenge import ChallengeConnection
from postroad.servers.metrics import MetricsConnection
from postroad.servers.pop3 import POP3Connection, POP3Service
from postroad.servers.registry import Registry
from postroad.servers.smtp import SMTPConnection, SMTPService
from postroad.servers.sts import StsConnection
from postroad.service.intake import Intake
from postroad.service.login import SaslLogins
from postroad.service.maildrops import Maildrops

if TYPE_CHECKING:
    from postroad.web.connection import HttpServer

WEB_SERVICES = ("http", "https")

_SMTP_KINDS = {
    "mx": ServerKind.MX,
    "submission": ServerKind.SUBMISSION,
    "submissions": ServerKind.SUBMISSION,
    LOCAL: ServerKind.LOCAL,
}


class Doors:
    """Makes connections for all services of a process."""

    def __init__(
        self,
        config: Config,
        *,
        intake: Intake,
        logins: SaslLogins,
        maildrops: Maildrops,
        tls: ServerTls | None,
        web: "Callable[[], HttpServer] | None" = None,
        metrics: Callable[[], Awaitable[str]] | None = None,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._intake = intake
        self._logins = logins
        self._maildrops = maildrops
        self._make_web = web
        self._web: HttpServer | None = None
        self._metrics = metrics
        self.registries = {name: Registry() for name in (*TCP_SERVICES, LOCAL)}
        self._smtp: dict[str, SMTPService] = {}
        self._challenges = ChallengeDirectory(settings.challenge_directory(config))
        self.configure(config, tls)

    def configure(self, config: Config, tls: ServerTls | None) -> None:
        """Use these settings for connections from now on."""
        context: Callable[[], ssl.SSLContext] | None = None
        if tls is not None:
            current = tls
            context = lambda: current.context  # noqa: E731
        binding = None if tls is None else tls.binding
        limits = settings.smtp_limits(config)
        for name, kind in _SMTP_KINDS.items():
            self._smtp[name] = SMTPService(
                kind=kind,
                machine=settings.smtp_machine(config, kind, tls=tls is not None, binding=binding),
                intake=self._intake,
                logins=self._logins,
                policy=self._intake.policy.of(kind),
                tls=context,
                binding=binding,
                limits=limits,
                check_sender=config.submission.check_sender,
            )
        self._pop3 = POP3Service(
            machine=settings.pop3_machine(config, tls=tls is not None, binding=binding),
            logins=self._logins,
            maildrops=self._maildrops,
            tls=context,
            binding=binding,
            login_failure_seconds=config.limits.login_failure_seconds,
        )
        self._policy = own_policy(config)
        self._offers_web = any(config.listen.services[name] for name in WEB_SERVICES)
        for registry in self.registries.values():
            registry.max_connections = config.limits.max_connections
            registry.max_per_client = config.limits.max_connections_per_client
            registry.handshake_seconds = config.limits.tls_handshake_seconds

    @property
    def factories(self) -> dict[str, ProtocolFactory]:
        """What makes a connection, by service."""
        made: dict[str, ProtocolFactory] = {name: self._smtp_factory(name) for name in _SMTP_KINDS}
        made |= {name: self._pop3_factory(name) for name in ("pop3", "pop3s")}
        made[ACME] = lambda: ChallengeConnection(
            self._challenges.get, self.registries[ACME], self._loop
        )
        made["mta_sts"] = lambda: StsConnection(
            lambda _: self._policy, self.registries["mta_sts"], self._loop
        )
        if (text := self._metrics) is not None:
            made["metrics"] = lambda: MetricsConnection(
                text, CONTENT_TYPE, self.registries["metrics"], self._loop
            )
        if self._web is None and self._make_web is not None and self._offers_web:
            self._web = self._make_web()  # late: much is loaded for it
        if (server := self._web) is not None:
            for name in WEB_SERVICES:
                made[name] = partial(server.connection, self.registries[name])
        return made

    async def shut_down(self, grace_seconds: float) -> int:
        """End all connections in order; return how many had to be cut."""
        cut = await asyncio.gather(
            *(registry.shut_down(grace_seconds) for registry in self.registries.values())
        )
        if self._web is not None:
            await self._web.close(min(1.0, grace_seconds))
        return sum(cut)

    def _smtp_factory(self, name: str) -> ProtocolFactory:
        registry = self.registries[name]
        return lambda: SMTPConnection(self._smtp[name], registry, self._loop)

    def _pop3_factory(self, name: str) -> ProtocolFactory:
        registry = self.registries[name]
        return lambda: POP3Connection(self._pop3, registry, self._loop)
