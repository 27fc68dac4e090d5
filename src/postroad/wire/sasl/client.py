"""The client's side: what to say to a server that asks who we are.

`SaslClient.first` goes with the command, or in answer to an empty challenge; `answer` takes each
challenge. A server that does not prove to know our password, where the mechanism lets it, is refused.
"""

from collections.abc import Collection

from postroad.wire.sasl import scram
from postroad.wire.sasl.steps import SaslMalformed

MAX_ITERATIONS = 1_000_000
"""A server that asks for more hashing than this wants to keep us busy."""


class SaslClient:
    """One exchange. `mechanism` is its name."""

    mechanism: str
    first: bytes | None
    """The initial response; None where the server has to speak first."""
    satisfied = True
    """Whether the server proved all that the mechanism lets it prove; before that, do not trust it."""

    def answer(self, challenge: bytes) -> bytes | None:
        """Return the response to a challenge; None: the server says what it must not say, give up."""
        raise NotImplementedError


class PlainClient(SaslClient):
    """RFC 4616 §2."""

    mechanism = "PLAIN"

    def __init__(self, username: str, password: str) -> None:
        self.first = f"\0{username}\0{password}".encode()

    def answer(self, challenge: bytes) -> bytes | None:
        """There is nothing to add."""
        return None


class LoginClient(SaslClient):
    """LOGIN: the name, then the password, whatever the prompts say."""

    mechanism = "LOGIN"
    first = None

    def __init__(self, username: str, password: str) -> None:
        self._answers = [username.encode(), password.encode()]

    def answer(self, challenge: bytes) -> bytes | None:
        """Return name and password, in turn."""
        return self._answers.pop(0) if self._answers else None


class ScramClient(SaslClient):
    """SCRAM-SHA-256; with `binding` (tls-server-end-point) SCRAM-SHA-256-PLUS. RFC 5802 §5."""

    def __init__(
        self, username: str, password: str, nonce: str, *, binding: bytes | None = None
    ) -> None:
        self.mechanism = "SCRAM-SHA-256" if binding is None else "SCRAM-SHA-256-PLUS"
        self._password = password
        self._nonce = nonce
        self._gs2 = "n,," if binding is None else f"p={scram.END_POINT},,"
        self._binding = binding or b""
        self._bare = f"n={scram.encode_name(username)},r={nonce}"
        self._expected: bytes | None = None
        self._over = False
        self.satisfied = False
        self.first = (self._gs2 + self._bare).encode()

    def answer(self, challenge: bytes) -> bytes | None:
        """Return the proof, then (if the server proved itself too) the empty last word."""
        if self._over:
            return None
        try:
            if self._expected is None:
                return self._prove(challenge)
            self._over = True
            self.satisfied = challenge == b"v=" + scram.encode(self._expected).encode()
            return b"" if self.satisfied else None
        except SaslMalformed:
            return None

    def _prove(self, challenge: bytes) -> bytes | None:
        first = scram.read_server_first(challenge)
        if not first.nonce.startswith(self._nonce) or first.nonce == self._nonce:
            return None
        if first.iterations > MAX_ITERATIONS:
            return None
        bound = scram.encode(self._gs2.encode() + self._binding)
        unproven = f"c={bound},r={first.nonce}"
        said = f"{self._bare},{challenge.decode()},{unproven}"
        proof, self._expected = scram.prove(self._password, first.salt, first.iterations, said)
        return f"{unproven},p={scram.encode(proof)}".encode()


def make_client(
    offered: Collection[str], username: str, password: str, nonce: str
) -> SaslClient | None:
    """Return the best exchange that the server offers and a password will do for; None: there is none.

    `nonce` is fresh and random, printable, without a comma.
    """
    if "SCRAM-SHA-256" in offered:
        return ScramClient(username, password, nonce)
    if "PLAIN" in offered:
        return PlainClient(username, password)
    if "LOGIN" in offered:
        return LoginClient(username, password)
    return None
