"""How much one account or one client may send.

A limit of N an hour lets N pass at once and then one every 3600/N seconds. It costs one look into a
table; without limits there is no check at all. Counts are in memory, of all processes of a
server; of several nodes each lets its part of a limit pass.
"""

from msgspec import Struct

from postroad.model import Origin, Reply, client_key
from postroad.policy.checks.strangers import Strangers
from postroad.policy.runner import Check, check
from postroad.policy.stages import Connected, MailFrom, RcptTo
from postroad.policy.verdict import ACCEPT, Defer, Verdict
from postroad.ports import Clock, Moments

_HOUR = 3600.0
_MINUTE = 60.0


class RateLimits(Struct, frozen=True):
    """What is allowed, 0 for anything. Who logged in is counted by account, others by client: an IPv4
    address or an IPv6 /64.
    """

    account_messages_per_hour: int = 0
    account_recipients_per_hour: int = 0
    client_messages_per_hour: int = 0
    client_recipients_per_hour: int = 0
    client_connections_per_minute: int = 0


class Rate:
    """One limit: `limit` in `seconds`, for any number of keys; `space` is its own in `moments`.

    For each key only a moment is kept: when all that passed so far is paid for (GCRA).
    """

    def __init__(
        self, limit: int, seconds: float, clock: Clock, moments: Moments, space: str
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._price = seconds / limit if limit else 0.0
        self._clock = clock
        self._moments = moments
        self._space = f"{space} {limit}"  # a limit that was changed counts anew
        self.nodes = 1

    def take(self, key: str) -> float:
        """Count one; return 0.0 where it may pass, else in how many seconds it may."""
        if not self._limit:
            return 0.0
        now = self._clock.monotonic()
        wait = 0.0
        # One of many nodes lets its part pass, and at least one in all of the time.
        price = self._price if self.nodes == 1 else min(self._price * self.nodes, self._seconds)

        def pay(before: float | None) -> float | None:
            nonlocal wait
            paid_at = (now if before is None else max(before, now)) + price
            wait = paid_at - now - self._seconds
            if wait > 1e-6:
                return before
            wait = 0.0
            return paid_at

        self._moments.change(self._space, key, pay)
        return wait


class Rates:
    """All counts, apart from the checks, which a reload makes anew."""

    def __init__(self, limits: RateLimits, clock: Clock, moments: Moments) -> None:
        def rate(limit: int, seconds: float, space: str) -> Rate:
            return Rate(limit, seconds, clock, moments, space)

        self.limits = limits
        self.connections = rate(limits.client_connections_per_minute, _MINUTE, "connections")
        self.account_messages = rate(limits.account_messages_per_hour, _HOUR, "account messages")
        self.client_messages = rate(limits.client_messages_per_hour, _HOUR, "client messages")
        self.account_recipients = rate(
            limits.account_recipients_per_hour, _HOUR, "account recipients"
        )
        self.client_recipients = rate(limits.client_recipients_per_hour, _HOUR, "client recipients")

    def share(self, nodes: int) -> None:
        """So many nodes let pass what the limits allow all of them together."""
        for each in (
            self.connections,
            self.account_messages,
            self.client_messages,
            self.account_recipients,
            self.client_recipients,
        ):
            each.nodes = nodes


def rate_checks(rates: Rates, strangers: Strangers) -> list[Check]:
    """Return the checks that the limits ask for, at most one a stage."""

    @check(stage=Connected, name="connection-rate")
    async def connections(stage: Connected) -> Verdict:
        client = stage.origin.client
        if not client or strangers.exempts(client):
            return ACCEPT
        wait = rates.connections.take(client_key(client))
        if not wait:
            return ACCEPT
        text = f"Too many connections from {client}, {_again(wait)}"
        return Defer(Reply(421, "4.7.0", text), text)

    @check(stage=MailFrom, name="message-rate")
    async def messages(stage: MailFrom) -> Verdict:
        by_account, by_client = rates.account_messages, rates.client_messages
        return _take(stage.origin, by_account, by_client, strangers, "messages")

    @check(stage=RcptTo, name="recipient-rate")
    async def recipients(stage: RcptTo) -> Verdict:
        by_account, by_client = rates.account_recipients, rates.client_recipients
        return _take(stage.origin, by_account, by_client, strangers, "recipients")

    limits = rates.limits
    wanted = (
        (connections, limits.client_connections_per_minute),
        (messages, limits.account_messages_per_hour or limits.client_messages_per_hour),
        (recipients, limits.account_recipients_per_hour or limits.client_recipients_per_hour),
    )
    return [each for each, limit in wanted if limit]


def _take(
    origin: Origin, by_account: Rate, by_client: Rate, strangers: Strangers, what: str
) -> Verdict:
    if origin.account is not None:
        wait = by_account.take(origin.account.lower())
        who = origin.account
    elif not origin.client or strangers.exempts(origin.client):
        return ACCEPT
    else:
        wait = by_client.take(client_key(origin.client))
        who = origin.client
    if not wait:
        return ACCEPT
    text = f"Too many {what} from {who}, {_again(wait)}"
    return Defer(Reply(450, "4.7.1", text), text)


def _again(seconds: float) -> str:
    return f"try again in {max(1, round(seconds))} seconds"
