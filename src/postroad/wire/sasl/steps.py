"""What a server's exchange comes to after each message of the client."""

from typing import TypeAlias

from msgspec import Struct


class SaslMalformed(Exception):
    """The client broke the protocol of its mechanism: the exchange is over. The message is for it."""


class Challenge(Struct, frozen=True):
    """Send these octets, and feed the client's response to ``step``."""

    data: bytes


class PasswordGiven(Struct, frozen=True):
    """The client sent its password: the exchange is over, somebody must judge it.

    `authorization_id` is whom the client wants to act as, ``""`` where it did not say. The password is
    left out of ``repr``.
    """

    authorization_id: str
    username: str
    password: str

    def __repr__(self) -> str:
        return f"PasswordGiven({self.authorization_id!r}, {self.username!r}, '***')"


class TokenGiven(Struct, frozen=True):
    """The client sent a bearer token. If it is good the exchange is over, else see ``deny``.

    `username` is ``""`` where the client leaves it to the token. The token is left out of ``repr``.
    """

    username: str
    token: str

    def __repr__(self) -> str:
        return f"TokenGiven({self.username!r}, '***')"


class KeysWanted(Struct, frozen=True):
    """The client named itself: ``ScramServer.offer`` it the keys of its passwords, or fake ones."""

    authorization_id: str
    username: str


class Proven(Struct, frozen=True):
    """The client has one of the passwords whose keys were offered: that at `which`, from 0."""

    which: int


class Failed(Struct, frozen=True):
    """The exchange is over: the client could not prove who it is."""


Step: TypeAlias = Challenge | PasswordGiven | TokenGiven | KeysWanted | Proven | Failed
