"""Suspected mail that an alias leads to another place: what we pass on is our word for it.

So it is put aside here, in Junk, for whoever has a mailbox here, and no copy goes on. A recipient
who has none would be left with nothing, while the sender believes that the mail arrived: then it is
refused, by 550 5.7.1, for all its recipients where DATA is answered, which has one answer for all.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import Origin, Reply, Ruling, RulingKind, ServerKind
from postroad.policy import NOTHING, Decision
from postroad.service.recipients import Accepted

_FROM_OUTSIDE = (ServerKind.MX, ServerKind.LMTP)
_MAX_TOLD = 10


class Aside(Struct, frozen=True):
    """What is left to be delivered, and which addresses elsewhere are concerned; `passed_on`: they
    get the mail all the same.
    """

    accepted: Sequence[Accepted]
    elsewhere: tuple[str, ...] = ()
    passed_on: bool = False

    def told(self, at: float) -> Decision:
        """What the journey says of it."""
        if not self.elsewhere:
            return NOTHING
        done = "passed on all the same" if self.passed_on else "not passed on"
        reason = f"suspected, {done}: {', '.join(self.elsewhere[:_MAX_TOLD])}"
        ruling = Ruling("forwarding", RulingKind.ACCEPT, reason, at, 0.0)
        return Decision(rulings=(ruling,))


def refusal_of(accepted: Accepted, origin: Origin, *, pass_on: bool) -> Reply | None:
    """Return the reply for a recipient of suspected mail who has no mailbox here, None for others."""
    if pass_on or not accepted.quarantined or origin.server not in _FROM_OUTSIDE:
        return None
    if not all(target.is_passed_on for target in accepted.targets):
        return None
    return Reply(550, "5.7.1", "This message is suspected, and is not passed on to other places")


def put_aside(
    accepted: Sequence[Accepted], quarantined: bool, origin: Origin, *, pass_on: bool
) -> Aside | Reply:
    """Return who gets suspected mail, or the reply that refuses it. `quarantined`: the verdict holds
    for all, whatever was said of each.
    """
    if origin.server not in _FROM_OUTSIDE:
        return Aside(accepted)
    kept: list[Accepted] = []
    elsewhere: list[str] = []
    for each in accepted:
        suspected = replace(each, quarantined=quarantined or each.quarantined)
        refusal = refusal_of(suspected, origin, pass_on=pass_on)
        if refusal is not None:
            return refusal
        if suspected.quarantined:
            elsewhere += [str(one.address) for one in each.targets if one.is_passed_on]
            if not pass_on:
                here = tuple(one for one in each.targets if not one.is_passed_on)
                suspected = replace(suspected, targets=here)
        kept.append(suspected)
    return Aside(kept, tuple(elsewhere), pass_on)
