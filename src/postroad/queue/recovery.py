"""After a crash: what this node had in hand, and what may have come of it.

A delivery to another server may have been under way, and its message is over there, with an answer that
nobody heard: that is an unknown outcome as any other (RFC 1047), told in the journey, and the policy of
its stream holds. Of what went to mailboxes here nothing happened, since a deposit and its record are
one commit.

The same is true of what another node had in hand whose lease ran out: `taken_over`.

Streams that hold what is unknown would hold all that waited in memory, too. So their attempts are marked
before they begin (`in_flight`), at the price of a commit; what is not marked is due.
"""

import structlog

from postroad.model import (
    IN_FLIGHT,
    Attempted,
    Change,
    DeliveryState,
    Group,
    LeasedDelivery,
    Released,
    Reply,
    Result,
    Unknown,
)
from postroad.ports import Clock, Ledger, QueueStore
from postroad.queue.inventory import Inventory
from postroad.queue.settings import QueueSettings, UnknownPolicy

log = structlog.get_logger("postroad.queue")

_DIED = Unknown(Reply(451, "4.3.0", "This server died while it had the message in hand"))
_LEFT = Unknown(
    Reply(451, "4.3.0", "The server that had the message in hand was not heard of again")
)
_AT_ONCE = 500


async def recover(
    *,
    store: QueueStore,
    ledger: Ledger,
    clock: Clock,
    settings: QueueSettings,
) -> int:
    """Settle what an earlier life of this node, and of those whose leases it inherits, had leased.

    Returns how many outcomes are unknown. Raises `StorageError`; what was not settled then is settled
    by the next call.
    """
    mine = [
        name for name in await store.nodes() if _is_ours(name.removesuffix(IN_FLIGHT), settings)
    ]
    found = await store.leased_by(mine) if mine else []  # nothing, where the last life ended well
    unknown = 0
    for start in range(0, len(found), _AT_ONCE):
        now = clock.now()
        changes: list[Change] = []
        free: list[tuple[int, int]] = []
        for node, leased in found[start : start + _AT_ONCE]:
            if _may_be_sent(leased, settings, marked=node.endswith(IN_FLIGHT)):
                changes.append(_unknown(leased, settings, now, _DIED))
                unknown += len(leased.deliveries)
            else:
                free += [(each.message, each.ordinal) for each in leased.deliveries]
        if free:
            changes.append(Released(now, now, tuple(free)))
        await ledger.commit(Group(tuple(changes)))
    if unknown:
        log.warning("deliveries were in hand when the server died", unknown=unknown)
    return unknown


def taken_over(
    leased: LeasedDelivery, inventory: Inventory, settings: QueueSettings, now: float
) -> Attempted | None:
    """Return what is to be told of deliveries that were leased just now, and that somebody else had in
    hand; None where they may be tried: what they had was not begun, or is here.
    """
    node = leased.before
    if not node or (without_flight(node) == settings.node and inventory.holds(leased)):
        return None
    marked = node.endswith(IN_FLIGHT)
    if node == settings.node or not _may_be_sent(leased, settings, marked=marked):
        return None  # of what was ours it is known that no attempt had begun
    return _unknown(leased, settings, now, _LEFT)


def in_flight(node: str) -> str:
    """Return under which name deliveries are leased whose attempt has begun, where that is marked."""
    return f"{node}{IN_FLIGHT}"


def without_flight(node: str) -> str:
    """Return the name of the process whose name, or `in_flight` name, it is."""
    return node.removesuffix(IN_FLIGHT)


def _is_ours(node: str, settings: QueueSettings) -> bool:
    inherits = settings.inherits
    return node == settings.node or (inherits is not None and inherits(node))


def _may_be_sent(leased: LeasedDelivery, settings: QueueSettings, *, marked: bool) -> bool:
    if all(each.mailbox is not None for each in leased.deliveries):
        return False
    return marked or settings.unknown_of(leased.message.stream) is not UnknownPolicy.HOLD


def _unknown(
    leased: LeasedDelivery, settings: QueueSettings, now: float, outcome: Unknown
) -> Attempted:
    held = settings.unknown_of(leased.message.stream) is UnknownPolicy.HOLD
    state = DeliveryState.HELD if held else DeliveryState.DUE
    results = tuple(Result(each.ordinal, outcome, state, now) for each in leased.deliveries)
    return Attempted(now, leased.message.id, now, results)
