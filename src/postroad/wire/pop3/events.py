"""What the POP3 machine tells its driver.

A `Question` waits: no other event comes before it is answered by the method that it names. A `Notice`
waits for nothing. All are frozen and hold no reference to the machine.
"""

from collections.abc import Sequence
from typing import TypeAlias

from msgspec import Struct


class Question(Struct, frozen=True):
    """An event that waits for its answer."""


class Notice(Struct, frozen=True):
    """An event that waits for nothing."""


class Opened(Question, frozen=True):
    """The connection is open: `POP3Server.welcome` or `POP3Server.refuse`."""


class Login(Question, frozen=True):
    """The client wants to log in: `POP3Server.logged_in` or `POP3Server.refuse`.

    `mechanism` is ``"USER"`` or a SASL mechanism. The password is left out of ``repr``.
    """

    mechanism: str
    username: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.mechanism!r}, {self.username!r}, '***')"


class StartTls(Question, frozen=True):
    """STLS (RFC 2595 §4): `POP3Server.start_tls`, send, do the handshake, then
    `POP3Server.tls_started`.
    """


class Retrieve(Question, frozen=True):
    """RETR, or TOP where `top_lines` is not None, of the message at `index` (from 0) of the listing.

    Hand all of it to `POP3Server.supply`, or feed it to `POP3Server.body` as it is stored and call
    `POP3Server.end_body`; or `POP3Server.refuse`.
    """

    index: int
    top_lines: int | None = None


class Commit(Question, frozen=True):
    """QUIT: remove the messages at `deleted` (indexes, ascending, may be none) and let go of the
    maildrop, then `POP3Server.committed` or `POP3Server.refuse`.
    """

    deleted: Sequence[int]


class Closed(Notice, frozen=True):
    """Nothing more will come; send what is there and close. Without a `Commit` nothing is removed.

    `reason` is for the log: ``"quit"``, ``"eof"``, ``"timeout"``, ``"too many errors"`` …
    """

    reason: str


ServerEvent: TypeAlias = Opened | Login | StartTls | Retrieve | Commit | Closed
