"""Lists of addresses in the DNS (RFC 5782): of those who send junk, and of those who do not.

All lists are asked at once, and for a bounded time. A list that does not answer, or answers outside of
127.0.0.0/8 or with an error code of its own (127.255.255.0/24), has said nothing about the client: mail
goes on, unlike where a check of ours fails. For a list is an opinion that we asked for on top; its
operator's trouble must not stop all mail, and a list that was given up must not refuse it (as happened
more than once). The journey tells which did not answer.
"""

import asyncio
from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, ip_address

from msgspec import Struct

from postroad.model import Reply
from postroad.policy.checks.strangers import Action, Strangers, act
from postroad.policy.runner import Check, check
from postroad.policy.stages import MailFrom
from postroad.policy.verdict import ACCEPT, Accept, Verdict
from postroad.ports import Answer, AnswerStatus, Resolver

_LISTED = IPv4Network("127.0.0.0/8")
_ERRORS = IPv4Network("127.255.255.0/24")


class DnsList(Struct, frozen=True):
    """A list by its zone; only answers from `first` to `last` count."""

    zone: str
    first: str = "127.0.0.1"
    last: str = "127.255.254.255"

    def counts(self, record: str) -> bool:
        """Whether an answer says that the client is listed."""
        try:
            answer = IPv4Address(record)
        except ValueError:
            return False
        inside = IPv4Address(self.first) <= answer <= IPv4Address(self.last)
        return inside and answer in _LISTED and answer not in _ERRORS


def parse_dns_list(text: str) -> DnsList:
    """Read ``zone`` or ``zone=127.0.0.2-127.0.0.11`` or ``zone=127.0.0.2``. Raises `ValueError`."""
    zone, _, answers = text.strip().partition("=")
    zone = zone.strip().strip(".").lower()
    if not zone or " " in zone or "." not in zone:
        raise ValueError(f"{text!r} names no list; write its zone, as in 'zen.spamhaus.org'")
    if not answers:
        return DnsList(zone)
    first, _, last = answers.partition("-")
    try:
        low, high = IPv4Address(first.strip()), IPv4Address((last or first).strip())
    except ValueError:
        low = high = IPv4Address(0)
    if low not in _LISTED or high not in _LISTED or low > high:
        raise ValueError(f"{text!r}: answers are addresses in 127.0.0.0/8, one or first-last")
    return DnsList(zone, str(low), str(high))


class Listed(Struct, frozen=True):
    """The fact: which lists have the client, by zone."""

    blocked: tuple[str, ...] = ()
    allowed: tuple[str, ...] = ()


def dns_lists(
    *,
    block: Sequence[DnsList],
    allow: Sequence[DnsList],
    action: Action,
    seconds: float,
    strangers: Strangers,
    resolver: Resolver,
) -> Check:
    """Ask the lists about each stranger. A client on a list of the good is not held to any other."""

    @check(stage=MailFrom, name="dns-lists")
    async def lists(stage: MailFrom) -> Verdict:
        if not strangers.has(stage.origin):
            return ACCEPT
        client = stage.origin.client
        answers = await _ask_all(resolver, client, (*allow, *block), seconds)
        allowed = _on(allow, answers)
        blocked = _on(block, answers)
        silent = tuple(each.zone for each in (*allow, *block) if not _answered(answers, each))
        words = f"no answer from {', '.join(silent)}" if silent else ""
        fact = Listed(blocked, allowed)
        if allowed:
            return Accept(_joined(f"on {', '.join(allowed)}, a list of the good", words), fact=fact)
        if not blocked:
            return Accept(words, fact=fact) if words else ACCEPT
        reason = _joined(f"{client} is on {', '.join(blocked)}", words)
        reply = Reply(554, "5.7.1", f"{client} is listed by {blocked[0]}; ask its operator why")
        return act(action, reply, reason, fact)

    return lists


def list_name(client: str, zone: str) -> str:
    """Return the name under which a list has a client: the octets backwards (RFC 5782 §2.1), or the
    nibbles of an IPv6 address (§2.4).
    """
    address = ip_address(client.partition("%")[0])
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    if isinstance(address, IPv4Address):
        return ".".join(reversed(str(address).split("."))) + f".{zone}"
    return ".".join(reversed(address.exploded.replace(":", ""))) + f".{zone}"


async def _ask_all(
    resolver: Resolver, client: str, lists: Iterable[DnsList], seconds: float
) -> dict[str, Answer]:
    """Return the answers by zone, of those lists that answered in time."""
    tasks = {
        each.zone: asyncio.ensure_future(resolver.lookup(list_name(client, each.zone), "A"))
        for each in lists
    }
    _, late = await asyncio.wait(tasks.values(), timeout=seconds)
    for task in late:
        task.cancel()
    return {zone: task.result() for zone, task in tasks.items() if task not in late}


def _answered(answers: dict[str, Answer], each: DnsList) -> bool:
    answer = answers.get(each.zone)
    if answer is None or answer.status is AnswerStatus.FAILED:
        return False
    return not any(_is_error(record) for record in answer.records)


def _is_error(record: str) -> bool:
    try:
        answer = IPv4Address(record)
    except ValueError:
        return True
    return answer in _ERRORS or answer not in _LISTED


def _on(lists: Sequence[DnsList], answers: dict[str, Answer]) -> tuple[str, ...]:
    return tuple(
        each.zone
        for each in lists
        if each.zone in answers and any(map(each.counts, answers[each.zone].records))
    )


def _joined(*words: str) -> str:
    return "; ".join(word for word in words if word)
