"""The configuration: every setting with its type, default, bounds and words; TOML and environment."""

from postroad.runtime.config.acme import AcmeSection
from postroad.runtime.config.delivery import DeliverySection, RouteRule
from postroad.runtime.config.forwarding import ForwardingSection
from postroad.runtime.config.limits import AuthSection, LimitsSection, MxSection, SubmissionSection
from postroad.runtime.config.load import ConfigInvalid, config_path, is_missing, load_config
from postroad.runtime.config.mail import Pop3Section, QueueSection, StorageSection
from postroad.runtime.config.root import Config
from postroad.runtime.config.server import (
    AcmeMode,
    ListenSection,
    LogSection,
    ServerSection,
    TlsSection,
)
from postroad.runtime.config.streams import StreamSection
from postroad.runtime.config.values import Endpoint, Peer, parse_endpoint, parse_peer

__all__ = [
    "AcmeMode",
    "AcmeSection",
    "AuthSection",
    "Config",
    "ConfigInvalid",
    "DeliverySection",
    "Endpoint",
    "ForwardingSection",
    "LimitsSection",
    "ListenSection",
    "LogSection",
    "MxSection",
    "Peer",
    "Pop3Section",
    "QueueSection",
    "RouteRule",
    "ServerSection",
    "StorageSection",
    "StreamSection",
    "SubmissionSection",
    "TlsSection",
    "config_path",
    "is_missing",
    "load_config",
    "parse_endpoint",
    "parse_peer",
]
