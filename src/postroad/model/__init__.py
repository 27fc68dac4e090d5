"""Values that mean the same everywhere: pure, frozen, without I/O, importing no other room.

`Address`, `Envelope`, `Reply`, `Outcome` are the words of the field (RFC 5321, RFC 5598); `change`
holds every durable change of state, of which the journey is made. Import from here:
``from postroad.model import Address``.
"""

from postroad.model.account import JUNK, Account, Alias, Domain, Mailbox, uid_validity
from postroad.model.address import Address, InvalidAddress, domain_to_ascii, parse_domain
from postroad.model.change import (
    Accepted,
    AccountAdded,
    AccountRemoved,
    AliasAdded,
    AliasRemoved,
    Attempted,
    Change,
    Deposited,
    DomainAdded,
    DomainRemoved,
    Dropped,
    Expunged,
    Group,
    Held,
    Leased,
    MailboxAdded,
    PasswordSet,
    Released,
    Result,
    Retried,
    decode_change,
    encode_change,
)
from postroad.model.delivery import Delivery, DeliveryState, LeasedDelivery
from postroad.model.envelope import Body, Envelope, Notify, Recipient, Ret
from postroad.model.ids import InvalidId, format_id, parse_id
from postroad.model.message import ContentRef, Message, Origin, ServerKind, Staged
from postroad.model.outcome import (
    Delivered,
    Outcome,
    PermanentFailure,
    TemporaryFailure,
    Unknown,
    outcome_of,
)
from postroad.model.reply import InvalidReply, Reply
from postroad.model.route import Host, Route, RouteKind, RouteTaken, Step, TlsPolicy
from postroad.model.ruling import Ruling, RulingKind
from postroad.model.signing import KeyState, StoredKey

__all__ = [
    "JUNK",
    "Accepted",
    "Account",
    "AccountAdded",
    "AccountRemoved",
    "Address",
    "Alias",
    "AliasAdded",
    "AliasRemoved",
    "Attempted",
    "Body",
    "Change",
    "ContentRef",
    "Delivered",
    "Delivery",
    "DeliveryState",
    "Deposited",
    "Domain",
    "DomainAdded",
    "DomainRemoved",
    "Dropped",
    "Envelope",
    "Expunged",
    "Group",
    "Held",
    "Host",
    "InvalidAddress",
    "InvalidId",
    "InvalidReply",
    "KeyState",
    "Leased",
    "LeasedDelivery",
    "Mailbox",
    "MailboxAdded",
    "Message",
    "Notify",
    "Origin",
    "Outcome",
    "PasswordSet",
    "PermanentFailure",
    "Recipient",
    "Released",
    "Reply",
    "Result",
    "Ret",
    "Retried",
    "Route",
    "RouteKind",
    "RouteTaken",
    "Ruling",
    "RulingKind",
    "ServerKind",
    "Staged",
    "Step",
    "StoredKey",
    "TemporaryFailure",
    "TlsPolicy",
    "Unknown",
    "decode_change",
    "domain_to_ascii",
    "encode_change",
    "format_id",
    "outcome_of",
    "parse_domain",
    "parse_id",
    "uid_validity",
]
