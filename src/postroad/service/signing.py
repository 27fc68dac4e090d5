"""Signing what is sent from here, while it comes in: the queue holds the final bytes (RFC 6376 §5).

The domain of the envelope's sender signs, which a client that logged in cannot choose freely: no user of
one domain can have another domain sign, whatever the From says; nor the domain above, whose key would
prove any author of it. For programs of this machine it is the domain of the author, or the nearest above
it that has keys.
"""

import itertools
from collections.abc import Hashable

import structlog

from postroad.message.header import Header, header_end
from postroad.model import Envelope, KeySet, KeyState, Origin, ServerKind, StoredKey
from postroad.ports import Clock, KeyStore, Signatory, SigningFailed, StorageError
from postroad.service.errors import Refused
from postroad.service.keys import signing_key
from postroad.service.signatory import SignsHere
from postroad.trust.dkim import Algorithm, BodyHasher, BodyKind, Form
from postroad.trust.dmarc import author_of

log = structlog.get_logger("postroad.signing")

REREAD_SECONDS = 1.0
KEPT_OCTETS = 128 * 1024
"""A body up to that is kept while it comes; copying it costs less than to hash it in the event loop."""

_SENDING = (ServerKind.SUBMISSION, ServerKind.LOCAL, ServerKind.API)
_RELAXED = BodyKind(Form.RELAXED)
_MAX_DOMAINS = 10_000
_numbers = itertools.count(1)


class KeyRing:
    """The keys that sign now, by domain; other processes' changes show after `REREAD_SECONDS`.

    Where keys cannot be read, those known before go on.
    """

    def __init__(self, store: KeyStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._generation: Hashable = None
        self._changes = -1
        self._look_again_at = float("-inf")
        self._stored: list[StoredKey] = []
        self._sets: dict[tuple[tuple[str, str], ...], KeySet] = {}
        self._by_domain: dict[str, KeySet | None] = {}

    def keys(self, domain: str) -> KeySet | None:
        """Return who signs for a domain, itself or the nearest above that has keys; None: nobody."""
        self._refresh()
        if domain not in self._by_domain:
            if len(self._by_domain) > _MAX_DOMAINS:
                self._by_domain.clear()
            self._by_domain[domain] = self._find(domain) if self._stored else None
        return self._by_domain[domain]

    def own_keys(self, domain: str) -> KeySet | None:
        """Return the domain's own keys if it has some that sign; None: nobody signs."""
        found = self.keys(domain)
        return found if found is not None and found.keys[0].domain == domain else None

    @property
    def empty(self) -> bool:
        """Whether there is no key at all, so that nothing has to be found out about a message."""
        self._refresh()
        return not self._stored

    def sealing_key(self, domain: str) -> KeySet | None:
        """Return the key that seals for a domain: RSA if there is one, which every verifier knows."""
        found = self.keys(domain)
        if found is None:
            return None
        rsa = (key for key in found.keys if key.algorithm == Algorithm.RSA_SHA256.value)
        return self._set((next(rsa, found.keys[0]),))

    def _find(self, domain: str) -> KeySet | None:
        now = self._clock.now()
        name = domain
        while "." in name:
            keys = tuple(
                each
                for each in self._stored
                if each.domain == name and each.state(now) is KeyState.SIGNING
            )
            if keys:
                return self._set(keys)
            name = name.partition(".")[2]
        return None

    def _set(self, keys: tuple[StoredKey, ...]) -> KeySet:
        """The same keys are the same set while nothing is changed: who signs need load them once."""
        names = tuple((key.domain, key.selector) for key in keys)
        if names not in self._sets:
            words = ", ".join(f"{key.selector} of {key.domain}" for key in keys)
            self._sets[names] = KeySet(next(_numbers), keys, f"signed by {words}")
        return self._sets[names]

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if now < self._look_again_at and self._changes == self._store.changes:
            return
        self._look_again_at = now + REREAD_SECONDS
        self._changes = self._store.changes
        self._by_domain.clear()  # a key may have come of age
        try:
            generation = self._store.generation()
            if generation != self._generation:
                stored = self._store.all()
                for key in stored:
                    signing_key(key)
                self._stored, self._sets = stored, {}
                self._generation = generation
        except (StorageError, Refused) as error:
            log.error("keys cannot be read; those known before sign on", error=str(error))


class Signing:
    """Signs what our users send, behind all checks (RFC 6409 §8.5), and what we send ourselves."""

    def __init__(self, ring: KeyRing, signatory: Signatory, clock: Clock) -> None:
        self.ring = ring
        self._signatory = signatory
        self._clock = clock

    def begin(
        self, origin: Origin, envelope: Envelope, head: bytes, added: bytes, domain: str = ""
    ) -> "SigningMessage | None":
        """Return what is to read the body of a message whose header is known, None where nobody signs.

        `head` is as received, `added` what we put on top of it. `domain` signs in place of the sender's;
        without a key of that one, which somebody asked for, nothing leaves.
        """
        if origin.server not in _SENDING:
            return None
        try:
            if domain:
                return self._as(domain, added + head)
            keys = self._keys(origin, envelope, head)
        except Exception:
            log.exception("it cannot be found out who signs; the message will be deferred")
            return SigningMessage(None, self._signatory, self._clock, b"")
        if keys is None:
            return None
        return SigningMessage(keys, self._signatory, self._clock, added + head)

    def _as(self, domain: str, head: bytes) -> "SigningMessage":
        keys = self.ring.own_keys(domain)
        if keys is None:
            log.error(
                "no key signs for the domain of a stream; its mail is deferred", domain=domain
            )
        return SigningMessage(keys, self._signatory, self._clock, head)

    async def sign_whole(self, message: bytes, domain: str, *, own: bool = False) -> bytes:
        """Return the fields to put on top of a whole message of our own, ``b""`` where nobody signs;
        with `own` as for a user of the domain.

        Where the signatory fails, it is signed here: there is nobody who could send it again.
        """
        keys = self.ring.own_keys(domain) if own else self.ring.keys(domain)
        if keys is None:
            return b""
        end = header_end(message)
        end = end if end >= 0 else len(message)
        head, body, now = message[:end], message[end:], self._clock.now()
        try:
            return await self._signatory.sign(keys, now, head, body)
        except SigningFailed as error:
            log.warning("signed by the server itself", error=str(error))
            return await SignsHere().sign(keys, now, head, body)

    def _keys(self, origin: Origin, envelope: Envelope, head: bytes) -> KeySet | None:
        sender = envelope.sender
        if origin.server is not ServerKind.LOCAL:
            return self.ring.own_keys(sender.domain) if sender is not None else None
        if self.ring.empty:
            return None
        # Who is on this machine may send in any name of ours.
        author = author_of(Header.parse(head))
        if author.problem is None and len(author.domains) == 1:
            keys = self.ring.keys(author.domains[0])
            if keys is not None:
                return keys
        return self.ring.keys(sender.domain) if sender is not None else None


class SigningMessage:
    """One message that is to be signed. Feed it the body, then `finish`.

    A short body is kept and goes to the signatory as it is; a long one is hashed while it comes.
    """

    __slots__ = ("_clock", "_hasher", "_head", "_keys", "_octets", "_pieces", "_signatory")

    def __init__(
        self, keys: KeySet | None, signatory: Signatory, clock: Clock, head: bytes
    ) -> None:
        self._keys = keys
        self._signatory = signatory
        self._clock = clock
        self._head = head
        self._pieces: list[bytes] = []
        self._octets = 0
        self._hasher: BodyHasher | None = None

    def write(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        if self._hasher is not None:
            self._hasher.write(chunk)
            return
        self._pieces.append(chunk)
        self._octets += len(chunk)
        if self._octets > KEPT_OCTETS:
            self._hasher = BodyHasher((_RELAXED,))
            for piece in self._pieces:
                self._hasher.write(piece)
            self._pieces.clear()

    async def finish(self) -> tuple[bytes, str]:
        """Return the fields to put on top, and what to say of it in the journey.

        Raises `SigningFailed`.
        """
        keys = self._keys
        if keys is None:
            raise SigningFailed("there is no key, or it cannot be found out who signs")
        now = self._clock.now()
        if self._hasher is not None:
            digest = self._hasher.digest(_RELAXED)
            fields = await self._signatory.sign(keys, now, self._head, digest, hashed=True)
        else:
            pieces = self._pieces
            body = pieces[0] if len(pieces) == 1 else b"".join(pieces)
            fields = await self._signatory.sign(keys, now, self._head, body)
        return fields, keys.words if fields else "not signed: there is no From"
