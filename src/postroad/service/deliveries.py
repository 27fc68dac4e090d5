"""The deliveries of a message: one for each place that its recipients lead to."""

from collections.abc import Sequence

from postroad.model import JUNK, Address, Delivery, Notify, Recipient
from postroad.service.recipients import RETURNS, Accepted, Target


def deliveries_of(
    message: int, accepted: Sequence[Accepted], at: float, *, junk: bool
) -> list[Delivery]:
    """Return them, due at `at`; each place has one, however many recipients lead to it. `junk` puts what
    stays here into the mailbox Junk.
    """
    deliveries: list[Delivery] = []
    seen: set[Address] = set()
    for each in accepted:
        recipient = each.recipient
        aside = junk or each.quarantined
        for target in each.targets:
            if target.address in seen:
                continue  # two aliases, or a recipient said twice: one copy
            seen.add(target.address)
            deliveries.append(
                Delivery(
                    message=message,
                    ordinal=len(deliveries),
                    recipient=target.address,
                    original=target.original,
                    destination=target.destination,
                    mailbox=target.mailbox,
                    notify=_notify(recipient, target),
                    orcpt=recipient.orcpt,
                    due_at=at,
                    folder=JUNK if aside and target.is_local else "",
                )
            )
    return deliveries


def _notify(recipient: Recipient, target: Target) -> Notify:
    """What comes back to us may have a forged sender: of its end nobody is told but the journey."""
    if target.mailbox is None and target.destination == RETURNS:
        return Notify.NEVER
    return recipient.notify
