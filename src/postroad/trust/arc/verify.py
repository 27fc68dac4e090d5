"""Validating the chain of a message while it arrives (RFC 8617 §5.2).

The newest ARC-Message-Signature covers the message, each ARC-Seal all sets up to its own. A chain that
fails in any part fails as a whole. Nothing here raises for what a message or the DNS says.
"""

import hashlib
from enum import Enum
from hmac import compare_digest
from typing import Any

from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.ports.resolver import Resolver
from postroad.trust.arc.sets import ArcSet, read_sets
from postroad.trust.dkim import canonical
from postroad.trust.dkim.canonical import BodyHasher, Form
from postroad.trust.dkim.record import find_key, key_name, verifies
from postroad.trust.dkim.result import Refused, Result
from postroad.trust.dkim.selection import Selection, hash_own_field
from postroad.trust.dkim.signature import Signature, parse_signature
from postroad.trust.dkim.verify import check_key


class ChainStatus(Enum):
    """The chain validation status (RFC 8617 §4.4)."""

    NONE = "none"
    PASS = "pass"
    FAIL = "fail"


class Chain(Struct, frozen=True):
    """What is known of a chain.

    `sealers` are the domains of the seals, newest first; they may be believed only where the status is
    pass. `terminated`: somebody sealed the failure already, nobody is to seal any more. `temporary`: the
    status is fail only because a key could not be asked for now.
    """

    status: ChainStatus
    reason: str
    sealers: tuple[str, ...] = ()
    terminated: bool = False
    temporary: bool = False


NO_CHAIN = Chain(ChainStatus.NONE, "there is no ARC set")


class ChainVerification:
    """The chain of one message. Feed it the body, then ask for the result."""

    def __init__(self, header: Header) -> None:
        self._sets: list[ArcSet] = []
        self._signature: Signature | None = None
        self._known: Chain | None = None
        try:
            self._sets = read_sets(header)
            self._known = self._by_status()
            if self._known is None:
                newest = self._sets[-1]
                self._signature = parse_signature(
                    newest.message_signature, newest.message_tags, arc=True
                )
        except Refused as refused:
            self._known = self._failed(refused)
        self._selection = Selection(header) if self._signature else None
        self._hasher = BodyHasher({self._signature.body_kind} if self._signature else ())

    @property
    def wants_body(self) -> bool:
        """Whether the body matters; if not, it need not be fed."""
        return self._signature is not None

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next part of the body (what is behind the blank line)."""
        self._hasher.write(chunk)

    def key_names(self) -> tuple[str, ...]:
        """Return the names that `result` may look up, so that they can be asked together."""
        if self._known is not None or self._signature is None:
            return ()
        names: dict[str, None] = {}
        for selector, domain in (
            (self._signature.selector, self._signature.domain),
            *((each.seal.selector, each.seal.domain) for each in self._sets),
        ):
            try:
                names[key_name(selector, domain)] = None
            except Refused:
                continue
        return tuple(names)

    async def result(self, resolver: Resolver) -> Chain:
        """End the body; return what the chain is worth."""
        if self._known is None:
            try:
                await self._check_message(resolver)
                await self._check_seals(resolver)
            except Refused as refused:
                self._known = self._failed(refused)
            else:
                reason = f"{len(self._sets)} seals verify"
                self._known = Chain(ChainStatus.PASS, reason, self._sealers())
        return self._known

    def _by_status(self) -> Chain | None:
        """What the seals say of themselves (RFC 8617 §5.2, steps 1 to 3)."""
        if not self._sets:
            return NO_CHAIN
        for instance, each in enumerate(self._sets, 1):
            status = each.seal.status
            if status == "fail":
                reason = f"the seal i={instance} says that the chain failed"
                return Chain(ChainStatus.FAIL, reason, self._sealers(), terminated=True)
            if (status == "none") != (instance == 1):
                raise Refused(Result.FAIL, f"the seal i={instance} has cv={status}")
        return None

    async def _check_message(self, resolver: Resolver) -> None:
        signature, selection = self._signature, self._selection
        assert signature is not None
        assert selection is not None
        kind = signature.body_kind
        if not compare_digest(self._hasher.digest(kind), signature.body_hash):
            raise Refused(Result.FAIL, "the body was changed behind the newest sealer")
        if kind.length is not None and kind.length != self._hasher.length(kind.form):
            raise Refused(Result.FAIL, "the newest sealer did not sign the whole body")
        record = await find_key(signature.selector, signature.domain, resolver)
        check_key(signature, record)
        hashed = hashlib.sha256(selection.octets(signature.signed, signature.header_form))
        digest = hash_own_field(hashed, signature.unsigned_field, signature.header_form)
        if not verifies(record, signature.signature, digest):
            raise Refused(Result.FAIL, "the newest ARC-Message-Signature does not verify")

    async def _check_seals(self, resolver: Resolver) -> None:
        digests = []
        hashed = hashlib.sha256()
        for each in self._sets:
            digests.append(
                seal_digest(hashed, each.results, each.message_signature, each.seal.unsigned_field)
            )
            hashed.update(canonical.field(each.raw_seal, Form.RELAXED))
        for instance in range(len(self._sets), 0, -1):
            seal = self._sets[instance - 1].seal
            record = await find_key(seal.selector, seal.domain, resolver)
            if record.algorithm is not seal.algorithm:
                raise Refused(Result.FAIL, f"the key is not for {seal.algorithm.value}")
            if not verifies(record, seal.signature, digests[instance - 1]):
                raise Refused(Result.FAIL, f"the seal i={instance} does not verify")

    def _sealers(self) -> tuple[str, ...]:
        return tuple(each.seal.domain for each in reversed(self._sets))

    def _failed(self, refused: Refused) -> Chain:
        temporary = refused.result is Result.TEMPERROR
        return Chain(ChainStatus.FAIL, refused.reason, self._sealers(), temporary=temporary)


def seal_digest(hashed: Any, results: bytes, message_signature: bytes, unsigned: bytes) -> bytes:
    """Add a set without its seal to the earlier sets; return what its seal signs (RFC 8617 §5.1.1)."""
    hashed.update(canonical.field(results, Form.RELAXED))
    hashed.update(canonical.field(message_signature, Form.RELAXED))
    return hash_own_field(hashed.copy(), unsigned, Form.RELAXED)


async def verify(message: bytes, resolver: Resolver) -> Chain:
    """Validate the chain of a whole message."""
    end = header_end(message)
    verification = ChainVerification(Header.parse(message))
    if end >= 0 and verification.wants_body:
        verification.write(memoryview(message)[end:])
    return await verification.result(resolver)
