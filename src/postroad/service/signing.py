"""Signing what is sent from here, while it comes in: the queue holds the final bytes (RFC 6376 §5).

The domain of the envelope's sender signs, which a client that logged in cannot choose freely: no user of
one domain can have another domain sign, whatever the From says; nor the domain above, whose key would
prove any author of it. For programs of this machine it is the domain of the author, or the nearest above
it that has keys.
"""

from collections.abc import Hashable

import structlog

from postroad.message.header import Header
from postroad.message.newfield import fields_of
from postroad.model import KeyState, ServerKind, StoredKey
from postroad.policy import ACCEPT, Accept, Check, MessageBegun, MessageReceived, Verdict, check
from postroad.ports import Clock, KeyStore, StorageError
from postroad.service.errors import Refused
from postroad.service.keys import signing_key
from postroad.trust.dkim import Algorithm, Signer, SigningKey, sign
from postroad.trust.dmarc import author_of

log = structlog.get_logger("postroad.signing")

REREAD_SECONDS = 1.0
_SENDING = (ServerKind.SUBMISSION, ServerKind.LOCAL)


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
        self._loaded: dict[tuple[str, str], SigningKey] = {}
        self._signers: dict[str, Signer | None] = {}

    def signer(self, domain: str) -> Signer | None:
        """Return who signs for a domain, itself or the nearest above that has keys; None: nobody."""
        self._refresh()
        if domain not in self._signers:
            if len(self._signers) > 10_000:
                self._signers.clear()
            self._signers[domain] = self._find(domain) if self._stored else None
        return self._signers[domain]

    def own_signer(self, domain: str) -> Signer | None:
        """Return who signs for a domain by its own keys; None: nobody."""
        found = self.signer(domain)
        return found if found is not None and found.keys[0].domain == domain else None

    @property
    def empty(self) -> bool:
        """Whether there is no key at all, so that nothing has to be found out about a message."""
        self._refresh()
        return not self._stored

    def sign_whole(self, message: bytes, domain: str, *, own: bool = False) -> bytes:
        """Return the fields to put on top of a whole message of our own, ``b""`` where nobody signs;
        with `own` as for a user of the domain.
        """
        signer = self.own_signer(domain) if own else self.signer(domain)
        return sign(message, signer.keys, self._clock.now()) if signer else b""

    def sealing_key(self, domain: str) -> SigningKey | None:
        """Return the key that seals for a domain: RSA if there is one, which every verifier knows."""
        signer = self.signer(domain)
        if signer is None:
            return None
        rsa = (key for key in signer.keys if key.algorithm is Algorithm.RSA_SHA256)
        return next(rsa, signer.keys[0])

    def _find(self, domain: str) -> Signer | None:
        now = self._clock.now()
        name = domain
        while "." in name:
            keys = [
                each
                for each in self._stored
                if each.domain == name and each.state(now) is KeyState.SIGNING
            ]
            if keys:
                return Signer([self._load(each) for each in keys])
            name = name.partition(".")[2]
        return None

    def _load(self, key: StoredKey) -> SigningKey:
        name = (key.domain, key.selector)
        if name not in self._loaded:
            self._loaded[name] = signing_key(key)
        return self._loaded[name]

    def _refresh(self) -> None:
        now = self._clock.monotonic()
        if now < self._look_again_at and self._changes == self._store.changes:
            return
        self._look_again_at = now + REREAD_SECONDS
        self._changes = self._store.changes
        self._signers.clear()  # a key may have come of age
        try:
            generation = self._store.generation()
            if generation != self._generation:
                stored = self._store.all()
                for key in stored:
                    signing_key(key)
                self._stored, self._loaded = stored, {}
                self._generation = generation
        except (StorageError, Refused) as error:
            log.error("keys cannot be read; those known before sign on", error=str(error))


class SigningReader:
    """Hashes the body of one message for who signs it."""

    def __init__(self, signer: Signer, header: Header) -> None:
        self.signer = signer
        self.header = header
        self.body = signer.body_hasher()
        self.write = self.body.write


def sign_mail(ring: KeyRing, clock: Clock) -> Check:
    """Sign mail of our users, behind all other checks (RFC 6409 §8.5 lets a submission server)."""

    def read(begun: MessageBegun) -> SigningReader | None:
        if ring.empty:
            return None
        header = Header.parse(begun.added + begun.head)
        signer = _signer(ring, begun, header)
        return SigningReader(signer, header) if signer else None

    @check(stage=MessageReceived, name="sign", reads=read, servers=_SENDING)
    async def sign_it(stage: MessageReceived) -> Verdict:
        reader = stage.reading(SigningReader)
        if reader is None:
            return ACCEPT
        fields = reader.signer.sign(reader.header, reader.body, clock.now())
        if not fields:
            return Accept("not signed: there is no From")
        names = ", ".join(f"{key.selector} of {key.domain}" for key in reader.signer.keys)
        return Accept(f"signed by {names}", fields_of(fields))

    return sign_it


def _signer(ring: KeyRing, begun: MessageBegun, header: Header) -> Signer | None:
    sender = begun.envelope.sender
    domains = [] if sender is None else [sender.domain]
    if begun.origin.server is not ServerKind.LOCAL:
        return ring.own_signer(domains[0]) if domains else None
    author = author_of(header)
    if author.problem is None and len(author.domains) == 1:
        # Who is on this machine may send in any name of ours.
        domains.insert(0, author.domains[0])
    for domain in domains:
        signer = ring.signer(domain)
        if signer is not None:
            return signer
    return None
