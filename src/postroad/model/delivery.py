"""The duty to bring one message to one recipient; the queue is the set of these."""

from enum import Enum

from msgspec import Struct

from postroad.model.address import Address
from postroad.model.envelope import Notify
from postroad.model.message import Message
from postroad.model.reply import Reply


class DeliveryState(Enum):
    """due -> leased -> due | held | one of the four ends."""

    DUE = "due"
    LEASED = "leased"
    HELD = "held"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    EXPIRED = "expired"
    DROPPED = "dropped"

    @property
    def final(self) -> bool:
        """Whether nothing more will be done."""
        return self not in _UNFINISHED


_UNFINISHED = (DeliveryState.DUE, DeliveryState.LEASED, DeliveryState.HELD)


class Delivery(Struct, frozen=True, omit_defaults=True):
    """One recipient of one message, as it stands. Its key is (`message`, `ordinal`).

    `recipient` is where it goes (after aliases); `original` is what the client said in RCPT.
    `destination` is what the queue groups by: the domain in lower case (A-labels) or, for local
    mail, ``"local"``; `mailbox` is the local mailbox's id, or None for mail that leaves. `folder` names
    another mailbox of the same account that it goes to instead; it is made when first needed.
    `due_at` is in seconds since 1970; `attempts` counts those that ended; `last` is the newest reply.
    """

    message: int
    ordinal: int
    recipient: Address
    original: Address
    destination: str
    mailbox: int | None = None
    notify: Notify = Notify.DEFAULT
    orcpt: str | None = None
    state: DeliveryState = DeliveryState.DUE
    due_at: float = 0.0
    attempts: int = 0
    delay_notified: bool = False
    last: Reply | None = None
    folder: str = ""


IN_FLIGHT = "+"  # behind the name of a node: what it has leased may be on its way at this moment


class LeasedDelivery(Struct, frozen=True):
    """What a worker gets: the message and those of its deliveries that go to one destination.

    `before` is the name under which they were leased until now, where that lease ran out.
    """

    message: Message
    deliveries: tuple[Delivery, ...]
    before: str = ""


def heir_of(before: str, node: str) -> str:
    """Return the name under which `node` leases what was leased as `before`: what may be on its way
    stays marked as such.
    """
    return node + IN_FLIGHT if before.endswith(IN_FLIGHT) else node
