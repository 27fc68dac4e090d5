"""Who the client is by its own word (HELO) and by the DNS (FCrDNS: its address has a name that leads
back to it).

A HELO name is never refused because it does not lead to the client's address: RFC 5321 §4.1.4 forbids
that. It is refused, if so configured, where it cannot be a name at all, or is ours.
"""

import re
from collections.abc import Collection
from enum import Enum
from ipaddress import ip_address

from msgspec import Struct

from postroad.model import Reply
from postroad.policy.checks.answers import answers_to
from postroad.policy.checks.strangers import Action, Strangers, act
from postroad.policy.runner import Check, check
from postroad.policy.stages import MailFrom
from postroad.policy.verdict import ACCEPT, Accept, Defer, Verdict
from postroad.ports import AnswerStatus, Resolver

MAX_NAMES = 5
_LABELS = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?:\.(?!-)[a-z0-9_-]{1,63})+\.?", re.IGNORECASE)


def helo_check(action: Action, own_names: Collection[str], strangers: Strangers) -> Check:
    """Look at the name that a client gives itself. `own_names` are ours, in lower case."""

    @check(stage=MailFrom, name="helo")
    async def helo(stage: MailFrom) -> Verdict:
        if not strangers.has(stage.origin):
            return ACCEPT
        problem = helo_problem(stage.origin.helo, stage.origin.client, own_names)
        if not problem:
            return ACCEPT
        reply = Reply(550, "5.7.1", f"Your HELO name {problem}")
        return act(action, reply, f"HELO {stage.origin.helo!r} {problem}")

    return helo


def helo_problem(name: str, client: str, own_names: Collection[str]) -> str:
    """Return what is wrong with a HELO name, ``""`` if nothing is."""
    lower = name.lower().rstrip(".")
    if lower in own_names:
        return "is the name of this server"
    if name.startswith("[") and name.endswith("]"):
        text = name[1:-1]
        text = text[5:] if text.lower().startswith("ipv6:") else text
        try:
            same = ip_address(text) == ip_address(client.partition("%")[0])
        except ValueError:
            return "is no address, though in brackets"
        return "" if same else "is an address, and not yours"
    try:
        ip_address(name)
    except ValueError:
        pass
    else:
        return "is an address without brackets"  # RFC 5321 §4.1.3
    if not name.isascii():
        return ""  # with SMTPUTF8 names may be written so
    return "" if _LABELS.fullmatch(name) else "is no full host name"


class Standing(Enum):
    """What the DNS says about a client's address."""

    CONFIRMED = "confirmed"
    NAMELESS = "has no name"
    UNCONFIRMED = "has a name that does not lead back to it"
    UNKNOWN = "cannot be looked up now"


class ClientName(Struct, frozen=True):
    """The fact: the confirmed name, or the first that is not, or ``""``."""

    name: str
    standing: Standing


def reverse_dns_check(
    action: Action, strangers: Strangers, resolver: Resolver, seconds: float = 5.0
) -> Check:
    """Look up the client's name and whether it leads back (FCrDNS). Where the DNS does not answer, a
    client that might have to be rejected is deferred.
    """

    @check(stage=MailFrom, name="reverse-dns")
    async def reverse_dns(stage: MailFrom) -> Verdict:
        if not strangers.has(stage.origin):
            return ACCEPT
        client = stage.origin.client
        found = await client_name(client, resolver, seconds)
        words = f"{client} {found.standing.value}"
        if found.standing is Standing.CONFIRMED:
            return Accept(f"{client} is {found.name}", fact=found)
        if found.standing is Standing.UNKNOWN:
            if action is Action.REJECT:
                reply = Reply(450, "4.7.25", f"Your address {words}, try again later")
                return Defer(reply, words, found)
            return Accept(words, fact=found)
        # RFC 7372 §3.3
        return act(action, Reply(550, "5.7.25", f"Your address {words}"), words, found)

    return reverse_dns


def confirmed_name(fact: ClientName | None) -> str:
    """Return the name to call a client by, ``""`` where none leads back to it: rules trust names, and
    anybody can have his address called whatever he likes.
    """
    return fact.name if fact is not None and fact.standing is Standing.CONFIRMED else ""


async def client_name(client: str, resolver: Resolver, seconds: float) -> ClientName:
    """Return the name of a client's address, and whether it leads back to it.

    Each of the two steps is waited for `seconds`; what has no answer then is unknown.
    """
    address = ip_address(client.partition("%")[0])
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    pointer = (address.reverse_pointer, "PTR")
    answer = await (await answers_to([pointer], resolver, seconds)).lookup(*pointer)
    if answer.status is AnswerStatus.FAILED:
        return ClientName("", Standing.UNKNOWN)
    if not answer.records:
        return ClientName("", Standing.NAMELESS)
    unknown = False
    rdtype = "A" if address.version == 4 else "AAAA"
    names = answer.records[:MAX_NAMES]
    forwards = await answers_to([(name, rdtype) for name in names], resolver, seconds)
    for name in names:
        forward = await forwards.lookup(name, rdtype)
        unknown = unknown or forward.status is AnswerStatus.FAILED
        if any(ip_address(record) == address for record in forward.records):
            return ClientName(name, Standing.CONFIRMED)
    standing = Standing.UNKNOWN if unknown else Standing.UNCONFIRMED
    return ClientName(answer.records[0], standing)
