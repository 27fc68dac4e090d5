"""Sealing what we pass on (RFC 8617 §5.1), so that who gets it can believe what we saw.

The fields are of one set: what we found (ARC-Authentication-Results), the message as we pass it on
(ARC-Message-Signature), and all sets so far (ARC-Seal).
"""

import hashlib
from binascii import b2a_base64
from collections.abc import Generator
from typing import Protocol

from postroad.message.header import Header, header_end
from postroad.trust.arc.sets import MAX_SETS, highest_instance, read_sets
from postroad.trust.arc.verify import Chain, ChainStatus, seal_digest
from postroad.trust.dkim import canonical
from postroad.trust.dkim.canonical import BodyHasher, BodyKind, Form
from postroad.trust.dkim.keys import SigningKey
from postroad.trust.dkim.result import Refused
from postroad.trust.dkim.selection import Selection, hash_own_field
from postroad.trust.dkim.sign import (
    MAX_OF_A_NAME,
    folded_base64,
    folded_names,
    signed_names,
)
from postroad.trust.dkim.signature import Algorithm

_BODY = BodyKind(Form.RELAXED)


class NamedKey(Protocol):
    """What a seal says of the key that made it."""

    @property
    def domain(self) -> str: ...  # noqa: D102
    @property
    def selector(self) -> str: ...  # noqa: D102
    @property
    def algorithm(self) -> Algorithm: ...  # noqa: D102


class Sealer:
    """Seals messages with one key."""

    def __init__(self, key: SigningKey | NamedKey) -> None:
        self.key = key

    def body_hasher(self) -> BodyHasher:
        """Return what to feed the body of one message to, for `seal`."""
        return BodyHasher((_BODY,))

    def seal(
        self, header: Header, body: BodyHasher, results: bytes, chain: Chain, now: float
    ) -> bytes:
        """Return the fields to put on top of the header, `b""` where the chain must not grow.

        `header` is that of the message as it is passed on, `chain` what it was found to be when it came,
        `results` our findings as `postroad.trust.results.results_value` writes them. The key must be a
        `SigningKey`.
        """
        assert isinstance(self.key, SigningKey), "else somebody else signs: see seal_steps"
        steps = self.seal_steps(header, body, results, chain, now)
        try:
            digest = next(steps)
            while True:
                digest = steps.send(self.key.sign(digest))
        except StopIteration as stop:
            fields: bytes = stop.value
            return fields

    def seal_steps(
        self, header: Header, body: BodyHasher, results: bytes, chain: Chain, now: float
    ) -> Generator[bytes, bytes, bytes]:
        """Seal as `seal` does, with signatures made elsewhere: yields a SHA-256, takes its signature."""
        instance = highest_instance(header) + 1
        if chain.terminated or instance > MAX_SETS:
            return b""
        found = b"ARC-Authentication-Results: i=%d; %b\r\n" % (instance, results)
        message_signature = yield from self._sign_message(header, body, instance, int(now))
        seal = (
            f"ARC-Seal: i={instance}; a={self.key.algorithm.value}; cv={chain.status.value};"
            f"\r\n\td={self.key.domain}; s={self.key.selector}; t={int(now)};\r\n\tb="
        ).encode()
        hashed = hashlib.sha256()
        if chain.status is ChainStatus.PASS:
            # A chain that failed is not sealed: the new set stands alone (RFC 8617 §5.1.2).
            hashed.update(_earlier(header))
        signature = yield seal_digest(hashed, found, message_signature, seal)
        return seal + folded_base64(signature) + message_signature + found

    def _sign_message(
        self, header: Header, body: BodyHasher, instance: int, time: int
    ) -> Generator[bytes, bytes, bytes]:
        selection = Selection(header)
        names = signed_names(selection)
        # RFC 8617 §4.1.2: no fields that other hops change, and all DKIM signatures
        names.extend(["dkim-signature"] * min(selection.count("dkim-signature"), MAX_OF_A_NAME))
        body_hash = b2a_base64(body.digest(_BODY), newline=False).decode("ascii")
        unsigned = (
            f"ARC-Message-Signature: i={instance}; a={self.key.algorithm.value}; c=relaxed/relaxed;"
            f"\r\n\td={self.key.domain}; s={self.key.selector}; t={time};"
            f"\r\n\tbh={body_hash};\r\n\th={folded_names(names)};\r\n\tb="
        ).encode()
        hashed = hashlib.sha256(selection.octets(names, Form.RELAXED))
        digest = hash_own_field(hashed, unsigned, Form.RELAXED)
        signature = yield digest
        return unsigned + folded_base64(signature)


def _earlier(header: Header) -> bytes:
    try:
        sets = read_sets(header)
    except Refused:
        return b""
    return b"".join(
        canonical.field(raw, Form.RELAXED)
        for each in sets
        for raw in (each.results, each.message_signature, each.raw_seal)
    )


def seal(message: bytes, key: SigningKey, results: bytes, chain: Chain, now: float) -> bytes:
    """Return the fields to put on top of a whole message."""
    sealer = Sealer(key)
    body = sealer.body_hasher()
    end = header_end(message)
    if end >= 0:
        body.write(memoryview(message)[end:])
    return sealer.seal(Header.parse(message), body, results, chain, now)
