"""Recipients who want nothing of a stream any more: what is committed then, however they say it."""

from postroad.model import (
    MAX_EVIDENCE,
    Address,
    Change,
    Suppressed,
    Suppression,
    SuppressionReason,
    Unsubscribed,
    Unsuppressed,
    format_id,
)
from postroad.ports import Clock, SuppressionStore


class Departures:
    """Says what follows from an unsubscription. Whom a complaint or an operator put on the list stays
    there for that; a bounce may be over one day, an unsubscription is not.
    """

    def __init__(self, store: SuppressionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def of(
        self, message: int, ordinal: int, stream: str, address: Address, how: str
    ) -> tuple[Change, ...]:
        """Return what to commit for an address that `message` went to; `how` is as in `Unsubscribed`.

        Nothing where that changes nothing. Raises `StorageError`.
        """
        known = await self._store.of(stream, [address])
        if any(each.reason is not SuppressionReason.HARD_BOUNCE for each in known):
            return ()
        now = self._clock.now()
        evidence = f"{format_id(message)}: unsubscribed ({how})"
        before: tuple[Change, ...] = ()
        if known:
            # Taken off for the bounce, the address would get mail that nobody wants there.
            evidence = f"{evidence}; was listed for {known[0].evidence}"
            before = (Unsuppressed(now, (address,), stream, ""),)
        evidence = evidence[:MAX_EVIDENCE]
        entry = Suppression(address, stream, SuppressionReason.UNSUBSCRIBE, evidence, now)
        return (
            Unsubscribed(now, message, ordinal, stream, how),
            *before,
            Suppressed(now, (entry,)),
        )
