"""How much one account or one client may send.

A limit of N an hour lets N pass at once and then one every 3600/N seconds. It costs one look into a
dictionary; without limits there is no check at all. Counts are in memory and of this process alone.
"""

from collections import OrderedDict

from msgspec import Struct

from postroad.model import Origin, Reply, client_key
from postroad.policy.checks.strangers import Strangers
from postroad.policy.runner import Check, check
from postroad.policy.stages import Connected, MailFrom, RcptTo
from postroad.policy.verdict import ACCEPT, Defer, Verdict
from postroad.ports import Clock

MAX_COUNTED = 100_000
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
    """One limit: `limit` in `seconds`, for any number of keys, of which the oldest are forgotten first.

    For each key only a moment is kept: when all that passed so far is paid for (GCRA).
    """

    def __init__(self, limit: int, seconds: float, clock: Clock) -> None:
        self._limit = limit
        self._seconds = seconds
        self._price = seconds / limit if limit else 0.0
        self._clock = clock
        self._paid_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str) -> float:
        """Count one; return 0.0 where it may pass, else in how many seconds it may."""
        if not self._limit:
            return 0.0
        now = self._clock.monotonic()
        paid_at = max(self._paid_at.get(key, now), now) + self._price
        wait = paid_at - now - self._seconds
        if wait > 1e-6:
            return wait
        self._paid_at[key] = paid_at
        self._paid_at.move_to_end(key)
        if len(self._paid_at) > MAX_COUNTED:
            self._paid_at.popitem(last=False)
        return 0.0


class Rates:
    """All counts, apart from the checks, which a reload makes anew."""

    def __init__(self, limits: RateLimits, clock: Clock) -> None:
        self.limits = limits
        self.connections = Rate(limits.client_connections_per_minute, _MINUTE, clock)
        self.account_messages = Rate(limits.account_messages_per_hour, _HOUR, clock)
        self.client_messages = Rate(limits.client_messages_per_hour, _HOUR, clock)
        self.account_recipients = Rate(limits.account_recipients_per_hour, _HOUR, clock)
        self.client_recipients = Rate(limits.client_recipients_per_hour, _HOUR, clock)


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
