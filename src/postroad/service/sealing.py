"""Seals mail that we pass on (ARC, RFC 8617 §5.1): what we found when it came stays provable after us.

Our findings come with the message as data (`Message.findings`): no header is asked, in which a stranger
could have written. Without findings there is nothing to seal. A seal is a help to others and no check:
where it cannot be made, the mail goes on without.
"""

from collections.abc import Callable

import structlog
from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.model import KeySet, Message, format_id
from postroad.ports import (
    Clock,
    ContentStore,
    Resolver,
    Signatory,
    SigningFailed,
    StorageError,
)
from postroad.trust.arc import ChainVerification, Sealer
from postroad.trust.dkim import Algorithm

log = structlog.get_logger("postroad.sealing")

_PIECE_OCTETS = 256 * 1024
_MAX_HEADER_OCTETS = 1024 * 1024


class SealingKey(Struct, frozen=True):
    """What a seal says of the key that made it."""

    domain: str
    selector: str
    algorithm: Algorithm


class ForwardSealer:
    """Makes seals. `key_of` gives the key that signs for a domain, None where there is none; `signatory`
    signs with it.
    """

    def __init__(
        self,
        *,
        content: ContentStore,
        resolver: Resolver,
        clock: Clock,
        key_of: Callable[[str], KeySet | None],
        signatory: Signatory,
    ) -> None:
        self._content = content
        self._resolver = resolver
        self._clock = clock
        self._key_of = key_of
        self._signatory = signatory

    async def seal(self, message: Message, domain: str) -> bytes:
        """Return the fields to put on top of a message that `domain` passes on; ``b""``: none."""
        key = self._key_of(domain)
        if key is None or message.findings is None:
            return b""
        try:
            return await self._seal(message, message.findings.results.encode(), key)
        except StorageError as error:
            # Sending it will meet the same error, and defer.
            log.warning("not sealed", id=format_id(message.id), error=str(error))
            return b""
        except SigningFailed as error:
            log.warning("not sealed", id=format_id(message.id), error=str(error))
            return b""

    async def _seal(self, message: Message, results: bytes, keys: KeySet) -> bytes:
        ref = message.content
        head = b""
        end = -1
        while end < 0 and len(head) < min(ref.size, _MAX_HEADER_OCTETS):
            piece = await self._content.read(ref, len(head), _PIECE_OCTETS)
            if not piece:
                break
            head += piece
            end = header_end(head)
        if end < 0:
            return b""
        header = Header.parse(head)
        key = keys.keys[0]
        sealer = Sealer(SealingKey(key.domain, key.selector, Algorithm(key.algorithm)))
        body, chain = sealer.body_hasher(), ChainVerification(header)
        offset, piece = len(head), head[end:]
        while True:
            body.write(piece)
            chain.write(piece)
            if offset >= ref.size:
                break
            piece = await self._content.read(ref, offset, _PIECE_OCTETS)
            if not piece:
                raise StorageError(f"it ends after {offset} of {ref.size} octets")
            offset += len(piece)
        found = await chain.result(self._resolver)
        if found.temporary:
            return b""  # a seal would make a failure of the DNS last
        steps = sealer.seal_steps(header, body, results, found, self._clock.now())
        try:
            digest = next(steps)
            while True:
                digest = steps.send(await self._signatory.sign_digest(keys, digest))
        except StopIteration as stop:
            fields: bytes = stop.value
            return fields
