"""How safe the way to a recipient is, asked while a message is being written. Nothing is sent, nobody is
connected to; the DNS and policies of the domain are looked at as delivery would, and remembered.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from enum import Enum

from msgspec import Struct

from postroad.delivery.demand import Demand
from postroad.model import Address, InvalidAddress, LinkPolicy, Reply, RouteKind
from postroad.ports import Clock, RouteFailed
from postroad.service.recipients import Recipients, Target

_MAX_KNOWN = 10_000


class Safety(Enum):
    """The safest first; of several ways the least safe counts."""

    LOCAL = "local"  # stays on this server
    DANE = "dane"  # encrypted, to a server that DNSSEC vouches for
    VERIFIED = "verified"  # encrypted, to a server with a certificate that fits (MTA-STS, settings)
    ENCRYPTED = "encrypted"  # encrypted in any case, to a server that proves nothing
    OPPORTUNISTIC = "opportunistic"  # encrypted where their server offers it
    CLEAR = "clear"  # not encrypted
    UNKNOWN = "unknown"  # nothing was found out in time
    UNREACHABLE = "unreachable"  # there is no such place, or no way there


class Reached(Struct, frozen=True):
    """One recipient: how safe the way is, and that in words."""

    address: str
    safety: Safety
    words: str


class ReachSettings(Struct, frozen=True):
    """At most `max_recipients` in one question, answered within `total_seconds`; what was found is
    remembered for `remember_seconds`.
    """

    max_recipients: int = 100
    total_seconds: float = 8.0
    remember_seconds: float = 300.0
    at_once: int = 16


class Ways(Struct, frozen=True):
    """What is asked: the route's kind and the demands of links to its hosts, for a destination.
    Raises `RouteFailed`.
    """

    of: Callable[[str], Awaitable[tuple[RouteKind, Sequence[Demand]]]]


_WORDS = {
    Safety.LOCAL: "Stays on this server.",
    Safety.DANE: "Encrypted, to a server whose name DNSSEC vouches for (DANE).",
    Safety.VERIFIED: "Encrypted, to a server that proves who it is.",
    Safety.ENCRYPTED: "Encrypted, though their server does not prove who it is.",
    Safety.OPPORTUNISTIC: "Encrypted if their server offers it; somebody in between could prevent that.",
    Safety.CLEAR: "Not encrypted on its way: others could read it.",
    Safety.UNKNOWN: "How safe the way is could not be found out now.",
    Safety.UNREACHABLE: "There is no way to this address.",
}
_SAFETIES = {
    LinkPolicy.NONE: Safety.CLEAR,
    LinkPolicy.OPPORTUNISTIC: Safety.OPPORTUNISTIC,
    LinkPolicy.STS_TESTING: Safety.OPPORTUNISTIC,
    LinkPolicy.ENCRYPTED: Safety.ENCRYPTED,
    LinkPolicy.VERIFIED: Safety.VERIFIED,
    LinkPolicy.STS_ENFORCE: Safety.VERIFIED,
    LinkPolicy.DANE: Safety.DANE,
}
_ORDER = list(Safety)


class Reach:
    """Tells how safe ways are."""

    def __init__(
        self, recipients: Recipients, ways: Ways, clock: Clock, settings: ReachSettings
    ) -> None:
        self._recipients = recipients
        self._ways = ways
        self._clock = clock
        self.settings = settings
        self._known: dict[str, tuple[float, Safety]] = {}
        self._asking = asyncio.Semaphore(settings.at_once)

    async def of(self, addresses: Sequence[str]) -> list[Reached]:
        """Return what is found of each, in their order; there are at most `max_recipients`.

        Raises `StorageError`.
        """
        return list(await asyncio.gather(*[self._one(each) for each in addresses]))

    async def _one(self, text: str) -> Reached:
        try:
            address = Address.parse(text)
        except InvalidAddress as error:
            return Reached(text, Safety.UNREACHABLE, f"{error}.")
        try:
            async with asyncio.timeout(self.settings.total_seconds):
                found = await self._recipients.resolve(address)
                if isinstance(found, Reply):
                    return Reached(text, Safety.UNREACHABLE, found.text)
                safeties = [await self._target(each) for each in found]
        except TimeoutError:
            safeties = [Safety.UNKNOWN]
        worst = max(safeties, key=_ORDER.index, default=Safety.UNKNOWN)
        return Reached(text, worst, _WORDS[worst])

    async def _target(self, target: Target) -> Safety:
        if target.is_ours:
            return Safety.LOCAL
        domain, now = target.destination, self._clock.now()
        known = self._known.get(domain)
        if known is not None and now < known[0] <= now + self.settings.remember_seconds:
            return known[1]
        async with self._asking:
            safety = await self._ask(domain)
        if safety is not Safety.UNKNOWN:
            if len(self._known) >= _MAX_KNOWN:
                del self._known[next(iter(self._known))]
            self._known[domain] = (now + self.settings.remember_seconds, safety)
        return safety

    async def _ask(self, domain: str) -> Safety:
        try:
            kind, demands = await self._ways.of(domain)
        except RouteFailed as error:
            return Safety.UNREACHABLE if error.reply.permanent else Safety.UNKNOWN
        usable = [each for each in demands if each.refusal is None]
        if not usable:
            return Safety.UNKNOWN
        if kind is RouteKind.LMTP and all(each.policy is LinkPolicy.NONE for each in usable):
            return Safety.LOCAL  # a mailbox of ours behind another program
        return max((_SAFETIES[each.policy] for each in usable), key=_ORDER.index)
