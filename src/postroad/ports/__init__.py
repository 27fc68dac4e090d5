"""What the core needs from the world, as Protocols: stores, content, resolver, network, clock, entropy.

`storage` and `network` implement them; the simulator and the tests implement them too. Only `runtime`
and `lab` choose an implementation.
"""

from postroad.ports.api_keys import ApiKeyStore
from postroad.ports.clock import Clock, Entropy
from postroad.ports.content import MAX_ABOVE_OCTETS, ContentStore, ContentWriter
from postroad.ports.deliverer import Attempt, Deliverer, NotNow, RouteFailed, Session
from postroad.ports.directory import Directory
from postroad.ports.duties import EVERY_SECONDS, HOLD_SECONDS, Duties
from postroad.ports.emails import (
    KEEP_STATES,
    Box,
    BoxGone,
    Counts,
    Email,
    EmailBytes,
    EmailChange,
    EmailState,
    EmailStore,
    Unnoticed,
)
from postroad.ports.figures import FigurePoint, FigureStore
from postroad.ports.journey import JourneyEvent, JourneyStore
from postroad.ports.junk import JunkStore
from postroad.ports.keys import KeyStore
from postroad.ports.labels import LabelStore, MessageQuery
from postroad.ports.ledger import Conflict, KeyTaken, Ledger, StorageError, StorageFull
from postroad.ports.logins import LoginStore
from postroad.ports.mailbox import (
    AtHand,
    Entry,
    Listing,
    MailboxLocks,
    MailboxStatus,
    MailboxStore,
)
from postroad.ports.moments import Moments
from postroad.ports.network import ConnectFailed, Network, Stream, TlsFailed
from postroad.ports.owners import OwnerStore
from postroad.ports.queue import Lease, QueueFilter, QueueItem, QueueStore
from postroad.ports.resolver import Answer, AnswerStatus, Resolver
from postroad.ports.security import SecurityStore
from postroad.ports.sessions import SessionStore
from postroad.ports.signing import Signatory, SigningFailed
from postroad.ports.sources import SourceStore, Spent
from postroad.ports.standing import StandingStore
from postroad.ports.suppression import SuppressionStore
from postroad.ports.templates import Fault, Renderer, TemplateFailed, TemplateStore
from postroad.ports.tokens import TokensUnjudged, TokenVerifier
from postroad.ports.webhooks import WebhookStore

__all__ = [
    "EVERY_SECONDS",
    "HOLD_SECONDS",
    "KEEP_STATES",
    "MAX_ABOVE_OCTETS",
    "Answer",
    "AnswerStatus",
    "ApiKeyStore",
    "AtHand",
    "Attempt",
    "Box",
    "BoxGone",
    "Clock",
    "Conflict",
    "ConnectFailed",
    "ContentStore",
    "ContentWriter",
    "Counts",
    "Deliverer",
    "Directory",
    "Duties",
    "Email",
    "EmailBytes",
    "EmailChange",
    "EmailState",
    "EmailStore",
    "Entropy",
    "Entry",
    "Fault",
    "FigurePoint",
    "FigureStore",
    "JourneyEvent",
    "JourneyStore",
    "JunkStore",
    "KeyStore",
    "KeyTaken",
    "LabelStore",
    "Lease",
    "Ledger",
    "Listing",
    "LoginStore",
    "MailboxLocks",
    "MailboxStatus",
    "MailboxStore",
    "MessageQuery",
    "Moments",
    "Network",
    "NotNow",
    "OwnerStore",
    "QueueFilter",
    "QueueItem",
    "QueueStore",
    "Renderer",
    "Resolver",
    "RouteFailed",
    "SecurityStore",
    "Session",
    "SessionStore",
    "Signatory",
    "SigningFailed",
    "SourceStore",
    "Spent",
    "StandingStore",
    "StorageError",
    "StorageFull",
    "Stream",
    "SuppressionStore",
    "TemplateFailed",
    "TemplateStore",
    "TlsFailed",
    "TokenVerifier",
    "TokensUnjudged",
    "Unnoticed",
    "WebhookStore",
]
