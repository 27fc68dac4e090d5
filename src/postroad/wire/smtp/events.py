"""What a machine tells its driver.

A server event says by its base class whether it waits for an answer (`Question`) or only informs
(`Notice`). Client events inform. All are frozen and hold no reference to the machine.
"""

from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from postroad.model import Envelope, Recipient, Reply


class Question(Struct, frozen=True):
    """A server event that waits for ``reply()``; no other event comes before that."""


class Notice(Struct, frozen=True):
    """An event that waits for nothing."""


# Server


class Opened(Question, frozen=True):
    """The connection is open: reply 220, 554 (no service) or 421 (not now). RFC 5321 §3.1."""


class Hello(Question, frozen=True):
    """EHLO, LHLO (`extended`) or HELO. Reply 250 with one line; the machine adds the extensions."""

    name: str
    extended: bool


class Mail(Question, frozen=True):
    """MAIL. `envelope` has no recipients yet. RFC 5321 §4.1.1.2."""

    envelope: Envelope


class Rcpt(Question, frozen=True):
    """RCPT. RFC 5321 §4.1.1.3."""

    recipient: Recipient


class DataBegin(Question, frozen=True):
    """DATA, or the first BDAT (`chunking`) of a transaction that has a recipient.

    Reply 354 to go on (nothing is written for BDAT), or 4xx or 5xx to refuse the message.
    """

    chunking: bool


class DataChunk(Notice, frozen=True):
    """A piece of the message, without dot-stuffing, any size, never empty."""

    data: bytes


class DataEnd(Question, frozen=True):
    """The message is complete: `octets` of it were handed out. 250 takes responsibility.

    `plain` is said of what can be sent on unread, `ContentRef.plain`.
    """

    octets: int
    plain: bool = False


class DataAborted(Notice, frozen=True):
    """The machine refuses the body with `reply`, which it sends itself where the body ends.

    What was handed out of this message must be discarded; no `DataEnd` follows.
    """

    reply: Reply


class Auth(Question, frozen=True):
    """The client wants to log in (RFC 4954): reply 235, 535 or 454, or `challenge` it.

    `initial` is the first message of a SASL exchange, None where the client waits for a challenge. It
    is left out of ``repr``.
    """

    mechanism: str
    initial: bytes | None

    def __repr__(self) -> str:
        return f"Auth({self.mechanism!r}, '***')"


class AuthResponse(Question, frozen=True):
    """What the client says to a challenge; reply as to `Auth`. An exchange that the client gives up
    ends without an event.
    """

    response: bytes

    def __repr__(self) -> str:
        return "AuthResponse('***')"


class StartTls(Question, frozen=True):
    """STARTTLS (RFC 3207): after 220 do the handshake, then call ``tls_started``."""


class Verify(Question, frozen=True):
    """VRFY (RFC 5321 §3.5.3): reply 252 unless there is a reason to say more."""

    argument: str


class Reset(Notice, frozen=True):
    """The transaction was given up: RSET, EHLO or HELO in its midst."""


class Closed(Notice, frozen=True):
    """Nothing more will come; send what is there and close. An unfinished message is to be discarded.

    `reason` is for the log: ``"quit"``, ``"eof"``, ``"timeout"``, ``"too many errors"`` …
    """

    reason: str


ServerEvent: TypeAlias = (
    Opened
    | Hello
    | Mail
    | Rcpt
    | DataBegin
    | DataChunk
    | DataEnd
    | DataAborted
    | Auth
    | AuthResponse
    | StartTls
    | Verify
    | Reset
    | Closed
)


# Client


class Phase(Enum):
    """How far a client had come when the connection was lost."""

    GREETING = "greeting"
    HELLO = "hello"
    TLS = "tls"
    AUTH = "auth"
    IDLE = "idle"
    ENVELOPE = "envelope"  # MAIL, RCPT or DATA
    BODY = "body"  # the final dot was not yet taken for sending
    END = "end"  # the final dot was taken for sending and not answered: the outcome is unknown
    QUIT = "quit"


class Greeting(Notice, frozen=True):
    """The server's first words: 220, 554 or 421. RFC 5321 §3.1."""

    reply: Reply


class HelloDone(Notice, frozen=True):
    """The answer to EHLO, LHLO or (after EHLO was refused) HELO."""

    reply: Reply


class TlsReady(Notice, frozen=True):
    """220 to STARTTLS and not a byte behind it: do the handshake, then call ``tls_started``."""

    reply: Reply


class TlsRefused(Notice, frozen=True):
    """STARTTLS was refused; the dialogue may go on in plain text if policy allows it."""

    reply: Reply


class AuthDone(Notice, frozen=True):
    """The answer to AUTH: 235, or a refusal."""

    reply: Reply


class MailDone(Notice, frozen=True):
    """The answer to MAIL."""

    reply: Reply


class RcptDone(Notice, frozen=True):
    """The answer to RCPT of the recipient at `index` of those given to ``mail()``."""

    index: int
    reply: Reply


class DataReady(Notice, frozen=True):
    """At least one recipient was accepted and the server waits for the body."""


class TransactionFailed(Notice, frozen=True):
    """No message can be sent: MAIL, every RCPT or DATA was refused, the last time with `reply`."""

    reply: Reply


class EndDone(Notice, frozen=True):
    """The answer to the message. With LMTP one comes for each accepted recipient, with its `index`."""

    reply: Reply
    index: int | None = None


class ResetDone(Notice, frozen=True):
    """The answer to RSET."""

    reply: Reply


class QuitDone(Notice, frozen=True):
    """The answer to QUIT: close."""

    reply: Reply


class Lost(Notice, frozen=True):
    """The peer closed, was too slow or broke the protocol; `reason` says which. Close.

    In `Phase.END` the outcome of the message whose final dot was sent is unknown; a transaction that
    was pipelined behind it was not sent.
    """

    phase: Phase
    reason: str


ClientEvent: TypeAlias = (
    Greeting
    | HelloDone
    | TlsReady
    | TlsRefused
    | AuthDone
    | MailDone
    | RcptDone
    | DataReady
    | TransactionFailed
    | EndDone
    | ResetDone
    | QuitDone
    | Lost
)
