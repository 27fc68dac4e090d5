"""Making the copies of a mailing: each with trace fields and a signature of its own, and stored."""

import asyncio

from postroad.message.header import header_end
from postroad.message.trace import received
from postroad.model import Envelope, Origin, Ruling, RulingKind, Staged, format_id
from postroad.ports import Clock, ContentStore
from postroad.service.mailing import Mailing
from postroad.service.recipients import Accepted
from postroad.service.signing import Signing

_AT_ONCE_OCTETS = 16 * 1024


class Press:
    """What all copies of a message have in common. `added` are fields that the client left out, `above`
    those that checks put on top; `domain` signs in place of the sender's.
    """

    def __init__(
        self,
        mailing: Mailing,
        *,
        content: ContentStore,
        signing: Signing | None,
        clock: Clock,
        origin: Origin,
        envelope: Envelope,
        hostname: str,
        domain: str,
        added: bytes,
        above: bytes,
        at: float,
    ) -> None:
        self.mailing = mailing
        self.content = content
        self.signing = signing
        self.clock = clock
        self.origin = origin
        self.envelope = envelope
        self.hostname = hostname
        self.domain = domain
        self.added = added
        self.above = above
        self.at = at

    async def stage(
        self, number: int, accepted: Accepted, place: tuple[int, int, int]
    ) -> tuple[Staged, tuple[Ruling, ...]]:
        """Return the copy that becomes the message `number`, ready to be committed, and what its journey
        says of it. `place` is which copy of how many it is, and the message that is the first.

        Raises `SigningFailed`, `StorageError`; the mailing discards what was staged.
        """
        copy, count, first = place
        to = accepted.targets[0].address
        if count == 1 and self.mailing.size <= _AT_ONCE_OCTETS:
            data = self.mailing.copy(number, to)
        else:  # milliseconds for each: others are to have their turn
            data = await asyncio.to_thread(self.mailing.copy, number, to)
        words = self.mailing.words(copy, count, format_id(first))
        rulings = [Ruling("stream", RulingKind.ACCEPT, words, self.clock.now(), 0.0)]
        above = self.above
        if self.signing is not None:
            began = self.clock.monotonic()
            end = header_end(data)
            end = end if end >= 0 else len(data)
            signing = self.signing.begin(
                self.origin, self.envelope, data[:end], self.added, self.domain
            )
            if signing is not None:
                signing.write(data[end:])
                fields, signed = await signing.finish()
                above += fields
                seconds = round(self.clock.monotonic() - began, 6)
                rulings.append(Ruling("sign", RulingKind.ACCEPT, signed, self.clock.now(), seconds))
        writer = self.mailing.staged(self.content.stage(number))
        trace = received(
            origin=self.origin,
            hostname=self.hostname,
            message=number,
            at=self.at,
            recipient=accepted.recipient.address,
        )
        writer.write(trace + self.added)
        writer.write(data)
        return await writer.finish(above), tuple(rulings)
