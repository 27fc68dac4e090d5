"""The whole configuration, as one value."""

from pathlib import Path

from pydantic import Field, model_validator

from postroad.runtime.config.abuse import AbuseSection
from postroad.runtime.config.acme import AcmeSection
from postroad.runtime.config.bounces import BouncesSection
from postroad.runtime.config.content import ContentSection
from postroad.runtime.config.delivery import DeliverySection, Routes
from postroad.runtime.config.display import DisplaySection
from postroad.runtime.config.forwarding import ForwardingSection
from postroad.runtime.config.http import HttpSection, require_loopback
from postroad.runtime.config.jmap import JmapSection
from postroad.runtime.config.junk import JunkSection
from postroad.runtime.config.limits import AuthSection, LimitsSection, MxSection, SubmissionSection
from postroad.runtime.config.mail import Pop3Section, QueueSection, StorageSection
from postroad.runtime.config.mta_sts import MtaStsSection
from postroad.runtime.config.oauth import OauthSection
from postroad.runtime.config.policy import PolicySection
from postroad.runtime.config.quota import QuotaSection
from postroad.runtime.config.reach import ReachSection
from postroad.runtime.config.reports import DmarcReportsSection, TlsReportsSection
from postroad.runtime.config.server import (
    AcmeMode,
    ListenSection,
    LogSection,
    ServerSection,
    TelemetrySection,
    TlsSection,
)
from postroad.runtime.config.sources import Providers, SourcePools, Warmups, unknown_names
from postroad.runtime.config.streams import Streams
from postroad.runtime.config.templates import TemplatesSection
from postroad.runtime.config.trust import TrustSection
from postroad.runtime.config.vacation import VacationSection
from postroad.runtime.config.values import Section
from postroad.runtime.config.web import WebSection
from postroad.runtime.config.webhooks import WebhooksSection


class Config(Section):
    """All settings. Made by `load_config`, or by ``Config.model_validate({"server": {...}})``."""

    server: ServerSection
    listen: ListenSection = Field(default_factory=ListenSection)
    tls: TlsSection = Field(default_factory=TlsSection)
    acme: AcmeSection = Field(default_factory=AcmeSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    http: HttpSection = Field(default_factory=HttpSection)
    jmap: JmapSection = Field(default_factory=JmapSection)
    web: WebSection = Field(default_factory=WebSection)
    display: DisplaySection = Field(default_factory=DisplaySection)
    reach: ReachSection = Field(default_factory=ReachSection)
    templates: TemplatesSection = Field(default_factory=TemplatesSection)
    webhooks: WebhooksSection = Field(default_factory=WebhooksSection)
    mx: MxSection = Field(default_factory=MxSection)
    submission: SubmissionSection = Field(default_factory=SubmissionSection)
    trust: TrustSection = Field(default_factory=TrustSection)
    abuse: AbuseSection = Field(default_factory=AbuseSection)
    junk: JunkSection = Field(default_factory=JunkSection)
    vacation: VacationSection = Field(default_factory=VacationSection)
    quota: QuotaSection = Field(default_factory=QuotaSection)
    policy: PolicySection = Field(default_factory=PolicySection)
    pop3: Pop3Section = Field(default_factory=Pop3Section)
    auth: AuthSection = Field(default_factory=AuthSection)
    oauth: OauthSection = Field(default_factory=OauthSection)
    queue: QueueSection = Field(default_factory=QueueSection)
    streams: Streams = Field(
        default_factory=dict,
        description="Kinds of outgoing mail, each under a name of your choice.",
    )
    delivery: DeliverySection = Field(default_factory=DeliverySection)
    routes: Routes = Field(
        default_factory=dict,
        description="Servers for the mail of some domains; the key `*` is for all others.",
    )
    sources: SourcePools = Field(
        default_factory=dict,
        description="Pools of source addresses, each under a name of your choice; `delivery.sources` "
        "and `streams.NAME.sources` use them.",
    )
    warmups: Warmups = Field(
        default_factory=dict,
        description="Plans for new source addresses, each under a name of your choice.",
    )
    providers: Providers = Field(
        default_factory=dict,
        description="Providers of mailboxes, each under a name of your choice.",
    )
    bounces: BouncesSection = Field(default_factory=BouncesSection)
    forwarding: ForwardingSection = Field(default_factory=ForwardingSection)
    mta_sts: MtaStsSection = Field(default_factory=MtaStsSection)
    tls_reports: TlsReportsSection = Field(default_factory=TlsReportsSection)
    dmarc_reports: DmarcReportsSection = Field(default_factory=DmarcReportsSection)
    storage: StorageSection = Field(default_factory=StorageSection)
    content: ContentSection = Field(default_factory=ContentSection)
    log: LogSection = Field(default_factory=LogSection)
    telemetry: TelemetrySection = Field(default_factory=TelemetrySection)

    @model_validator(mode="after")
    def _header_fits(self) -> "Config":
        if self.limits.max_header_octets > self.limits.max_message_octets:
            raise ValueError("limits.max_header_octets is more than limits.max_message_octets")
        return self

    @model_validator(mode="after")
    def _plain_http_stays_here(self) -> "Config":
        if not self.http.plain_anywhere:
            require_loopback(self.listen.http)
        return self

    @model_validator(mode="after")
    def _pools_are_there(self) -> "Config":
        used = {"delivery.sources": self.delivery.sources}
        used |= {f"streams.{name}.sources": each.sources for name, each in self.streams.items()}
        problem = unknown_names(self.sources, self.warmups, used)
        if problem:
            raise ValueError(problem)
        return self

    @model_validator(mode="after")
    def _acme_can_work(self) -> "Config":
        mode, acme = self.tls.acme, self.acme
        if mode is AcmeMode.OFF:
            return self
        if not acme.terms_agreed:
            raise ValueError(
                f"tls.acme is on, and acme.terms_agreed is not: read the terms of {acme.directory} "
                "and set it to true"
            )
        if not self.tls.watch_seconds:
            raise ValueError("tls.watch_seconds is 0, so a renewed certificate would not be used")
        # Only here: most have no use for it, and it takes a while to load.
        from postroad.network.acme import AcmeMissing, ensure_installed

        try:
            ensure_installed()
        except AcmeMissing as error:
            raise ValueError(f"tls.acme: {error}") from None
        if mode is AcmeMode.DNS_01 and not acme.dns_command and not acme.dns_server:
            raise ValueError('tls.acme = "dns-01" needs acme.dns_command or acme.dns_server')
        wild = [name for name in acme.names if name.startswith("*.")]
        if mode is AcmeMode.HTTP_01 and wild:
            raise ValueError(f'acme.names has {wild[0]}, which needs tls.acme = "dns-01"')
        return self

    @property
    def gives_tokens(self) -> bool:
        """Whether programs can get tokens here."""
        return self.web.oauth and bool(self.listen.http or self.listen.https)

    @property
    def discovery_url(self) -> str:
        """Where programs learn who gives tokens, ``""`` where nobody does."""
        if self.oauth.discovery_url or not self.gives_tokens:
            return self.oauth.discovery_url
        base = self.jmap.url or f"https://{self.server.hostname}"
        return f"{base}/.well-known/oauth-authorization-server"

    @property
    def acme_directory(self) -> Path:
        """Where account, key and certificate of ACME are."""
        return self.server.data_dir / "acme"

    @property
    def certificate_files(self) -> tuple[Path, Path] | None:
        """Certificate and key: of ACME, both in one file (so that both change at once), or the files
        that were given. None: there is no TLS.
        """
        if self.tls.acme is not AcmeMode.OFF:
            both = self.acme_directory / "certificate.pem"
            return both, both
        if self.tls.certificate is None or self.tls.key is None:
            return None
        return self.tls.certificate, self.tls.key
