"""The whole configuration, as one value."""

from pydantic import Field, model_validator

from postroad.runtime.config.abuse import AbuseSection
from postroad.runtime.config.delivery import DeliverySection, Routes
from postroad.runtime.config.limits import AuthSection, LimitsSection, MxSection, SubmissionSection
from postroad.runtime.config.mail import Pop3Section, QueueSection, StorageSection
from postroad.runtime.config.mta_sts import MtaStsSection
from postroad.runtime.config.oauth import OauthSection
from postroad.runtime.config.policy import PolicySection
from postroad.runtime.config.reports import TlsReportsSection
from postroad.runtime.config.server import ListenSection, LogSection, ServerSection, TlsSection
from postroad.runtime.config.streams import Streams
from postroad.runtime.config.trust import TrustSection
from postroad.runtime.config.values import Section


class Config(Section):
    """All settings. Made by `load_config`, or by ``Config.model_validate({"server": {...}})``."""

    server: ServerSection
    listen: ListenSection = Field(default_factory=ListenSection)
    tls: TlsSection = Field(default_factory=TlsSection)
    limits: LimitsSection = Field(default_factory=LimitsSection)
    mx: MxSection = Field(default_factory=MxSection)
    submission: SubmissionSection = Field(default_factory=SubmissionSection)
    trust: TrustSection = Field(default_factory=TrustSection)
    abuse: AbuseSection = Field(default_factory=AbuseSection)
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
    mta_sts: MtaStsSection = Field(default_factory=MtaStsSection)
    tls_reports: TlsReportsSection = Field(default_factory=TlsReportsSection)
    storage: StorageSection = Field(default_factory=StorageSection)
    log: LogSection = Field(default_factory=LogSection)

    @model_validator(mode="after")
    def _header_fits(self) -> "Config":
        if self.limits.max_header_octets > self.limits.max_message_octets:
            raise ValueError("limits.max_header_octets is more than limits.max_message_octets")
        return self
