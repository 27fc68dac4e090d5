"""The server's side of each mechanism.

An exchange takes the client's messages one by one (`Mechanism.step`); the first may be missing (None),
for a client that sends none with its command. A step that raises `SaslMalformed` ends it.
"""

import hmac
from collections.abc import Callable, Sequence

from postroad.model import ScramKeys
from postroad.wire.sasl import bearer, scram
from postroad.wire.sasl.steps import (
    Challenge,
    Failed,
    KeysWanted,
    PasswordGiven,
    Proven,
    SaslMalformed,
    Step,
    TokenGiven,
)

PLUS = "SCRAM-SHA-256-PLUS"
MECHANISMS = (PLUS, "SCRAM-SHA-256", "PLAIN", "LOGIN", "OAUTHBEARER", "XOAUTH2")
"""All that we know, the best first."""


class Mechanism:
    """One exchange."""

    def step(self, response: bytes | None) -> Step:
        """Take a message of the client. Raises `SaslMalformed`."""
        raise NotImplementedError


class PlainServer(Mechanism):
    """RFC 4616."""

    def step(self, response: bytes | None) -> Step:
        """Take ``[authzid] NUL authcid NUL passwd`` (RFC 4616 §2)."""
        if response is None:
            return Challenge(b"")
        parts = _text(response).split("\0")
        if len(parts) != 3 or not parts[1] or not parts[2]:
            raise SaslMalformed("PLAIN takes an identity, a user name and a password")
        return PasswordGiven(*parts)


class LoginServer(Mechanism):
    """LOGIN, which no RFC describes: the user name, then the password."""

    def __init__(self) -> None:
        self._username: str | None = None

    def step(self, response: bytes | None) -> Step:
        """Take the name (clients may send it at once), then the password."""
        if response is None:
            return Challenge(b"Username:")
        text = _text(response)
        if "\0" in text:
            raise SaslMalformed("there is no NUL in a name or password")
        if self._username is None:
            self._username = text
            return Challenge(b"Password:")
        return PasswordGiven("", self._username, text)


class BearerServer(Mechanism):
    """OAUTHBEARER (RFC 7628) or XOAUTH2: a token of somebody whom we trust to know the user."""

    def __init__(self, read: Callable[[bytes], TokenGiven]) -> None:
        self._read = read
        self._denied = False

    def step(self, response: bytes | None) -> Step:
        """Take the token; after `deny`, whatever the client says to that."""
        if self._denied:
            return Failed()
        return Challenge(b"") if response is None else self._read(response)

    def deny(self, document: bytes) -> Challenge:
        """The token is no good: send this JSON document (RFC 7628 §3.2.2), the client says a last word,
        and the exchange has failed.
        """
        self._denied = True
        return Challenge(document)


class ScramServer(Mechanism):
    """SCRAM-SHA-256, and with `plus` SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677).

    `binding` is the channel's binding of type `tls-server-end-point`, None where there is none.
    `plus_offered`: the client was offered PLUS, so one that says it was not has been lied to.
    """

    def __init__(self, *, plus: bool, plus_offered: bool, binding: bytes | None) -> None:
        self._plus = plus
        self._plus_offered = plus_offered
        self._binding = binding
        self._first: scram.ClientFirst | None = None
        self._server_first = ""
        self._keys: Sequence[ScramKeys] = ()
        self._nonce = ""
        self._fits = False
        self._proven: int | None = None

    def step(self, response: bytes | None) -> Step:
        """Take the client's messages in turn; `KeysWanted` is answered by `offer`."""
        if response is None and self._first is None:
            return Challenge(b"")
        message = response or b""
        if self._first is None:
            return self._begin(scram.read_client_first(message))
        if self._proven is not None:
            # RFC 5802 has the server speak last; SMTP and POP3 have the client confirm.
            return Proven(self._proven)
        if not self._nonce:
            raise SaslMalformed("SCRAM goes on only after its first message was answered")
        return self._prove(self._first, scram.read_client_final(message))

    def offer(self, keys: Sequence[ScramKeys], nonce: str, *, real: bool = True) -> Challenge:
        """Answer `KeysWanted` with the keys of all passwords of the user, at least one, of one salt
        and count; `real` False: they are made up, so that nobody learns that there is no such user.

        `nonce` is fresh and random, printable and without a comma.
        """
        first = self._first
        assert first is not None, "the client has not yet named itself"
        self._keys = keys
        self._fits = real
        self._nonce = first.nonce + nonce
        salt, iterations = keys[0].salt, keys[0].iterations
        self._server_first = f"r={self._nonce},s={scram.encode(salt)},i={iterations}"
        return Challenge(self._server_first.encode())

    def _begin(self, first: scram.ClientFirst) -> Step:
        if (first.binding is not None) is not self._plus:
            raise SaslMalformed("channel binding is for SCRAM-SHA-256-PLUS, and only for that")
        if first.binding is not None and (first.binding != scram.END_POINT or not self._binding):
            raise SaslMalformed(f"the channel binding here is {scram.END_POINT}")
        if first.could_bind and self._plus_offered:
            # RFC 5802 §6: somebody between us has removed the offer.
            raise SaslMalformed("SCRAM-SHA-256-PLUS is offered; somebody hides that from you")
        self._first = first
        return KeysWanted(first.authorization_id, first.username)

    def _prove(self, first: scram.ClientFirst, final: scram.ClientFinal) -> Step:
        if not hmac.compare_digest(final.nonce.encode(), self._nonce.encode()):
            raise SaslMalformed("the nonce in the second SCRAM message is not that of the first")
        binding = self._binding if self._plus else b""
        assert binding is not None, "without a binding PLUS ends at its first message"
        bound = hmac.compare_digest(final.bound, first.gs2.encode() + binding)
        said = f"{first.bare},{self._server_first},{final.unproven}"
        # All are tried, and all of it is done for made-up keys: time tells nothing.
        fitting = [
            which
            for which, keys in enumerate(self._keys)
            if scram.is_proof(keys, final.proof, said)
        ]
        if not (fitting and bound and self._fits):
            return Failed()
        self._proven = fitting[0]
        signature = scram.server_signature(self._keys[self._proven], said)
        return Challenge(f"v={scram.encode(signature)}".encode())


def make_server(
    mechanism: str, *, plus_offered: bool = False, binding: bytes | None = None
) -> Mechanism:
    """Return a new exchange of one of `MECHANISMS`; the rest is for SCRAM, see `ScramServer`."""
    match mechanism:
        case "PLAIN":
            return PlainServer()
        case "LOGIN":
            return LoginServer()
        case "OAUTHBEARER":
            return BearerServer(bearer.read_oauthbearer)
        case "XOAUTH2":
            return BearerServer(bearer.read_xoauth2)
        case "SCRAM-SHA-256" | "SCRAM-SHA-256-PLUS":
            return ScramServer(plus=mechanism == PLUS, plus_offered=plus_offered, binding=binding)
    raise ValueError(f"there is no mechanism {mechanism}")


def _text(response: bytes) -> str:
    try:
        return response.decode()
    except UnicodeDecodeError:
        raise SaslMalformed("this is not UTF-8") from None
