"""Greylisting: who comes for the first time is asked to come again, which much junk never does.

What is remembered is a triple of client network, sender and recipient. A client network that came back
is known, and its further mail passes at once. All is in memory, of all processes of a server: a restart
asks everybody once more.
"""

from ipaddress import ip_address, ip_network

from msgspec import Struct

from postroad.model import Reply
from postroad.policy.checks.dns_lists import Listed
from postroad.policy.checks.strangers import Strangers
from postroad.policy.runner import Check, check
from postroad.policy.stages import RcptTo
from postroad.policy.verdict import ACCEPT, Accept, Defer, Verdict
from postroad.ports import Clock, Moments

_DAY = 86400.0


class GreylistSettings(Struct, frozen=True):
    """A stranger has to come again after `seconds` and before `window_seconds`, both from its first
    try; then its network is known for `known_seconds` from its last mail.
    """

    seconds: float = 300.0
    window_seconds: float = 2 * _DAY
    known_seconds: float = 36 * _DAY


class Greylist:
    """Remembers who came when: of a triple its first try, of a network until when it is known."""

    def __init__(self, settings: GreylistSettings, clock: Clock, moments: Moments) -> None:
        self.settings = self._settings = settings
        self._clock = clock
        self._moments = moments

    def wait(self, client: str, sender: str, recipient: str) -> float:
        """Return 0.0 for mail that may pass, else in how many seconds it may."""
        settings = self._settings
        now = self._clock.monotonic()
        network = network_of(client)
        if self._is_known(network, now):
            return 0.0
        wait = 0.0

        def come(first: float | None) -> float | None:
            nonlocal wait
            if first is None or now - first > settings.window_seconds:
                wait = settings.seconds
                return now
            wait = max(0.0, first + settings.seconds - now)
            return first if wait else None

        self._moments.change("greylisted", f"{network} {sender} {recipient}", come)
        if not wait:
            self._moments.change("known", network, lambda _: now + settings.known_seconds)
        return wait

    def _is_known(self, network: str, now: float) -> bool:
        known = False

        def come(until: float | None) -> float | None:
            nonlocal known
            known = until is not None and now < until
            return now + self._settings.known_seconds if known else None

        self._moments.change("known", network, come)
        return known


def greylist(memory: Greylist, strangers: Strangers) -> Check:
    """Ask strangers to come again; not those that a list of the good has (`dns_lists`)."""

    @check(stage=RcptTo, name="greylist")
    async def ask_again(stage: RcptTo) -> Verdict:
        origin = stage.origin
        if not strangers.has(origin):
            return ACCEPT
        listed = stage.fact(Listed)
        if listed is not None and listed.allowed:
            return Accept("not asked to come again: on a list of the good")
        sender = stage.envelope.sender
        wait = memory.wait(origin.client, sender.folded if sender else "", stage.recipient.folded)
        if not wait:
            return ACCEPT
        text = f"Greylisted, try again in {max(1, round(wait))} seconds"
        return Defer(Reply(451, "4.7.1", text), f"{text}: {origin.client} is new here")

    return ask_again


def network_of(client: str) -> str:
    """Return the network that a client counts as: large senders try again from a neighbour. The /24 of
    an IPv4 address, the /64 of an IPv6 address.
    """
    address = ip_address(client.partition("%")[0])
    address = getattr(address, "ipv4_mapped", None) or address
    return str(ip_network(f"{address}/{24 if address.version == 4 else 64}", strict=False))
