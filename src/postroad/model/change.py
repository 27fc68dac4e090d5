"""Every durable change of state, as a value.

`ports.Ledger.commit` applies a `Group` of these atomically and writes the journey from the same
values, so journey and state cannot disagree and the state can be rebuilt from the journey.
`at` is seconds since 1970 in each.
"""

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
from msgspec import Struct

from postroad.model.address import Address
from postroad.model.api_key import ApiKey
from postroad.model.delivery import Delivery, DeliveryState
from postroad.model.directory_change import (
    AccountAdded,
    AccountRemoved,
    AliasAdded,
    AliasRemoved,
    AppPasswordAdded,
    AppPasswordRemoved,
    DomainAdded,
    DomainRemoved,
    MailboxAdded,
    OperatorSet,
    PasswordSet,
)
from postroad.model.email_change import (
    Filed,
    Flagged,
    IdentityKept,
    IdentityRemoved,
    MailboxChanged,
    MailboxRemoved,
    Noticed,
    Submitted,
    Uploaded,
)
from postroad.model.figures import FiguresCounted
from postroad.model.label import KeptAnswer
from postroad.model.login import Login
from postroad.model.message import ContentRef, Message, Staged
from postroad.model.outcome import Outcome
from postroad.model.owner_change import OwnerChange
from postroad.model.reading import Clicked, Opened, Unsubscribed
from postroad.model.reply import Reply
from postroad.model.route import RouteTaken, Step
from postroad.model.ruling import Ruling
from postroad.model.security import StsPolicy, TlsResult
from postroad.model.session_change import (
    GrantEnded,
    GrantGiven,
    GrantTurned,
    PasskeyAdded,
    PasskeyRemoved,
    PasskeyUsed,
    SecondFactorRemoved,
    SecondFactorSet,
    SecondFactorUsed,
    SessionOpened,
    SessionsEnded,
    SessionUsed,
)
from postroad.model.standing import Judged
from postroad.model.suppression import Suppression
from postroad.model.template_change import TemplateActivated, TemplateRemoved, TemplateSaved
from postroad.model.webhook import WebhookAdded, WebhookChanged, WebhookRemoved, WebhookWorked


class Accepted(Struct, frozen=True, tag="accepted", omit_defaults=True):
    """We took responsibility for a message. Deliveries may be born leased (see `Leased`), so that the
    process that accepted them sends them without another commit. `node` and `until` tell whose lease.
    `rulings` are what checks had to say of it.
    """

    at: float
    message: Message
    deliveries: tuple[Delivery, ...]
    node: str = ""
    until: float = 0.0
    rulings: tuple[Ruling, ...] = ()


class Leased(Struct, frozen=True, tag="leased"):
    """A worker of `node` took these deliveries, until `until`. Not written to the journey: it says
    nothing about the message, and an expired lease is worth the same as none.
    """

    at: float
    node: str
    until: float
    keys: tuple[tuple[int, int], ...]


class Released(Struct, frozen=True, tag="released"):
    """A worker gave leased deliveries back untried; they are due at `due_at`. Not in the journey."""

    at: float
    due_at: float
    keys: tuple[tuple[int, int], ...]


class Result(Struct, frozen=True, array_like=True):
    """What an attempt came to for one delivery, and what follows: its new state and, if due, when.

    `delayed` is True where the delay notice was made with this result.
    """

    ordinal: int
    outcome: Outcome
    state: DeliveryState
    due_at: float = 0.0
    delayed: bool = False


class Attempted(Struct, frozen=True, tag="attempted", omit_defaults=True):
    """One SMTP transaction or local deposit, for one message and some of its deliveries.

    `started_at` and `at` (its end) are seconds since 1970; `steps` tell what happened on the way.
    """

    at: float
    message: int
    started_at: float
    results: tuple[Result, ...]
    taken: RouteTaken | None = None
    steps: tuple[Step, ...] = ()


class Deposited(Struct, frozen=True, tag="deposited"):
    """A new entry in a mailbox. The store gives it the next uid and modseq.

    The entry's bytes are `prefix` (trace header fields of final delivery, RFC 5321 §4.4) followed by
    the content; `size` is that of both together, in octets.
    """

    at: float
    message: int
    ordinal: int
    mailbox: int
    content: ContentRef
    prefix: bytes
    size: int


class PutOff(Struct, frozen=True, tag="put_off"):
    """Leased deliveries were put off untried until `due_at`, for a reason of ours (`reply`): a cap was
    reached. It is no attempt.
    """

    at: float
    due_at: float
    reply: Reply
    keys: tuple[tuple[int, int], ...]


class SourceSpent(Struct, frozen=True, tag="source_spent"):
    """So many recipients of a provider are about to be served from the source address `source`, on a
    `day` (days since 1970, UTC). A conflict where that would make more than `cap`. Old days are
    forgotten. Not in the journey, whose attempts tell each source.
    """

    at: float
    day: int
    source: str
    provider: str
    count: int
    cap: int


class Held(Struct, frozen=True, tag="held"):
    """An operator (`by`) stopped deliveries until they are released."""

    at: float
    by: str
    keys: tuple[tuple[int, int], ...]


class Retried(Struct, frozen=True, tag="retried", omit_defaults=True):
    """An operator made deliveries due now (`queue retry`, or `queue release` of held ones), or else at
    `due_at`. One that is being tried at the moment is left alone.
    """

    at: float
    by: str
    keys: tuple[tuple[int, int], ...]
    due_at: float = 0.0


class Dropped(Struct, frozen=True, tag="dropped", omit_defaults=True):
    """An operator ended deliveries without a DSN. `cancelled`: only those that are not being tried at
    the moment; the others are left alone.
    """

    at: float
    by: str
    keys: tuple[tuple[int, int], ...]
    cancelled: bool = False


class Expunged(Struct, frozen=True, tag="expunged"):
    """Entries were deleted from a mailbox by their owner."""

    at: float
    mailbox: int
    uids: tuple[int, ...]


class Moved(Struct, frozen=True, tag="moved"):
    """Entries went from a mailbox into another one of the same account, in the order of `uids`; those
    that are not there any more are passed over. The store gives each the next uid and modseq there, and
    the mailbox that it left a modseq as well (RFC 6851). `from_name` and `into_name` tell the journey,
    which has an event for each message, what they were called; `by` is who did it.
    """

    at: float
    mailbox: int
    into: int
    uids: tuple[int, ...]
    by: str
    from_name: str
    into_name: str


class LoggedIn(Struct, frozen=True, tag="logged_in"):
    """Logins, good and bad, in the order they came; `used` are app passwords (ids) that were used.

    Not written to the journey of messages but to that of logins, which keeps the newest `keep` that
    were let in and the newest `keep` that were not, and of these none that began before `since`.
    """

    at: float
    logins: tuple[Login, ...]
    used: tuple[int, ...]
    keep: int
    since: float


class DomainsJudged(Struct, frozen=True, tag="domains_judged"):
    """Mail of sending domains was judged. Not written to the journey of messages, which tells of each.

    What is `half_life_seconds` old weighs half. Of all domains, the `keep` last judged are kept.
    """

    at: float
    judged: tuple[Judged, ...]
    half_life_seconds: float
    keep: int


class JunkLearned(Struct, frozen=True, tag="junk_learned", omit_defaults=True):
    """An account's owner taught that a message is `spam`, or ham; or took that back (`undo`).

    `digest` tells the message among others: one that was learned is not learned again before that was
    taken back, and what was not learned so is not taken back; nothing changes then. Of all tokens of the
    account, the `keep_tokens` last taught are kept, and so many messages to take back as `keep_lessons`.
    Not written to the journey: tokens are words of letters.
    """

    at: float
    account: int
    digest: bytes
    spam: bool
    tokens: tuple[str, ...]
    keep_tokens: int
    keep_lessons: int
    undo: bool = False


class StsPolicyKept(Struct, frozen=True, tag="sts_policy_kept"):
    """An MTA-STS policy was fetched, in place of any earlier one of its domain. Policies that have run
    out by then are forgotten. Not in the journey: it can be fetched again.
    """

    at: float
    policy: StsPolicy


class TlsCounted(Struct, frozen=True, tag="tls_counted"):
    """A link was opened, or could not be: counted for the TLS reports of `day` (UTC, ``2026-11-25``).
    Committed with the outcome of the attempt that it was opened for, whose steps tell of it in the
    journey.
    """

    at: float
    day: str
    results: tuple[TlsResult, ...]


class TlsReported(Struct, frozen=True, tag="tls_reported"):
    """The results of a domain's day went into a report, or nobody wants them: they are forgotten."""

    at: float
    day: str
    domain: str


class Bounced(Struct, frozen=True, tag="bounced", omit_defaults=True):
    """A message that was taken elsewhere came back: a server told so later, by the message `report`.

    `failed` is False where it is only late. `ordinal` is the delivery it is about. `reply` is what the
    report quotes, None where it quotes nothing; `category` (`Category`) and `permanent` are what that
    was taken for. `reporter` is the server that reports. Nothing is noted where the message is no longer
    known.
    """

    at: float
    message: int
    ordinal: int
    report: int
    failed: bool = True
    reply: Reply | None = None
    category: str = ""
    permanent: bool = False
    reporter: str = ""


class Complained(Struct, frozen=True, tag="complained", omit_defaults=True):
    """A recipient called a message of ours spam, and the provider told so by the message `report`.
    `feedback_type` is as in RFC 5965 §7.3. Nothing is noted where the message is no longer known.
    """

    at: float
    message: int
    ordinal: int
    report: int
    feedback_type: str = ""
    reporter: str = ""


class Suppressed(Struct, frozen=True, tag="suppressed"):
    """Addresses were put on the lists of streams. An address that is on a list stays as it is there.
    `by` is who did it: an operator, or ``""`` for the server.
    """

    at: float
    suppressions: tuple[Suppression, ...]
    by: str = ""


class Unsuppressed(Struct, frozen=True, tag="unsuppressed"):
    """Addresses were taken off the list of a stream."""

    at: float
    addresses: tuple[Address, ...]
    stream: str
    by: str


class ApiKeyAdded(Struct, frozen=True, tag="api_key_added"):
    """A key of the HTTP API was made."""

    at: float
    key: ApiKey


class ApiKeyRemoved(Struct, frozen=True, tag="api_key_removed"):
    """A key of the HTTP API is no longer good."""

    at: float
    name: str


class AnswerKept(Struct, frozen=True, tag="answer_kept"):
    """A request with an idempotency key was answered, in the group that does what was asked. The group
    is refused, by `ports.KeyTaken`, where the key has an answer already. What has run out is forgotten.
    Not in the journey: it says nothing about the message.
    """

    at: float
    answer: KeptAnswer


Change: TypeAlias = (
    Accepted
    | Leased
    | Released
    | PutOff
    | SourceSpent
    | FiguresCounted
    | Attempted
    | Deposited
    | Held
    | Retried
    | Dropped
    | Expunged
    | Moved
    | Filed
    | Flagged
    | Noticed
    | MailboxAdded
    | MailboxChanged
    | MailboxRemoved
    | IdentityKept
    | IdentityRemoved
    | Uploaded
    | Submitted
    | DomainAdded
    | DomainRemoved
    | AccountAdded
    | AccountRemoved
    | PasswordSet
    | OperatorSet
    | OwnerChange
    | AppPasswordAdded
    | AppPasswordRemoved
    | LoggedIn
    | DomainsJudged
    | JunkLearned
    | AliasAdded
    | AliasRemoved
    | StsPolicyKept
    | TlsCounted
    | TlsReported
    | Bounced
    | Complained
    | Opened
    | Clicked
    | Unsubscribed
    | Suppressed
    | Unsuppressed
    | ApiKeyAdded
    | ApiKeyRemoved
    | TemplateSaved
    | TemplateActivated
    | TemplateRemoved
    | WebhookAdded
    | WebhookChanged
    | WebhookRemoved
    | WebhookWorked
    | AnswerKept
    | SessionOpened
    | SessionUsed
    | SessionsEnded
    | SecondFactorSet
    | SecondFactorUsed
    | SecondFactorRemoved
    | PasskeyAdded
    | PasskeyUsed
    | PasskeyRemoved
    | GrantGiven
    | GrantTurned
    | GrantEnded
)


class Group(Struct, frozen=True):
    """Changes that happen together or not at all, with the content that they first refer to."""

    changes: tuple[Change, ...]
    contents: tuple[Staged, ...] = ()


_encoder = msgspec.json.Encoder()
_decoder: msgspec.json.Decoder[list[Change]] = msgspec.json.Decoder(list[Change])


def encode_changes(changes: Sequence[Change]) -> bytes:
    """Return the changes as a JSON array, each tagged by ``type``, as the journey keeps them."""
    return _encoder.encode(changes)


def decode_changes(data: bytes | str) -> list[Change]:
    """Return what `encode_changes` wrote. Raises `msgspec.DecodeError`."""
    return _decoder.decode(data)
