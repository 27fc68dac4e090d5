"""A message: envelope, content and origin."""

from enum import Enum

from msgspec import Struct

from postroad.model.envelope import Envelope
from postroad.model.label import Label


class ServerKind(Enum):
    """By which door a message came in."""

    SUBMISSION = "submission"
    MX = "mx"
    LMTP = "lmtp"
    LOCAL = "local"  # the sendmail command
    API = "api"  # by HTTP
    DSN = "dsn"  # made by our own queue


class ContentRef(Struct, frozen=True, array_like=True):
    """Which content, and its size in octets as stored (CRLF line ends).

    `plain` vouches that it can be sent by SMTP as it is, unread: it was seen to hold neither a bare CR
    or LF nor a line that begins with a dot. Of what is not plain nothing is known.
    """

    id: int
    size: int
    plain: bool = False


class Staged(Struct, frozen=True):
    """Content about to be committed with the changes that first refer to it.

    `data` is the content itself where it is to be stored inline, or None where the content store
    already holds it durably under `ref.id`; `begins` is then where it begins in what the store has,
    `place` the store's word for where that is, and `digest` the SHA-256 of the content.
    """

    ref: ContentRef
    data: bytes | None
    begins: int = 0
    place: str = "file"
    digest: bytes | None = None


class Origin(Struct, frozen=True, omit_defaults=True):
    """Where a message came from: by which server, from whom, and how well that was secured.

    `client` is the peer's IP address, `helo` the name it gave, `protocol` the RFC 3848 word
    (``ESMTPSA``), `tls` the version and cipher or None, `account` the authenticated account's address.
    """

    server: ServerKind
    client: str = ""
    helo: str = ""
    protocol: str = ""
    tls: str | None = None
    account: str | None = None


class Findings(Struct, frozen=True, omit_defaults=True):
    """What checks found of the sender of a message from outside, for when it is passed on.

    It is kept as data, beside the bytes, where no stranger can write. `results` is the value of our
    Authentication-Results (RFC 8601); `sender_passed`: SPF passed for the envelope's sender.
    """

    results: str = ""
    sender_passed: bool = False


DEFAULT_STREAM = "default"
"""The kind of outgoing mail that all is of which no stream claims, and all mail that is not outgoing."""


class Message(Struct, frozen=True, omit_defaults=True):
    """An accepted message.

    `id` is the queue id; `accepted_at` is in seconds since 1970; `message_id` is the header's
    Message-ID with its angle brackets, or ``""``; `about` is the id of the message that a DSN tells of;
    `stream` is the kind of outgoing mail that it belongs to; `findings` are
    there where mail from outside is passed on. `label` is there where it came by the HTTP API.
    It was asked for not before `release_at`, and is given up at `expires_at` (seconds since 1970; 0: at
    once, and when others are).
    """

    id: int
    envelope: Envelope
    content: ContentRef
    origin: Origin
    accepted_at: float
    message_id: str = ""
    about: int | None = None
    stream: str = DEFAULT_STREAM
    findings: Findings | None = None
    label: Label | None = None
    release_at: float = 0.0
    expires_at: float = 0.0
