"""In which order a group's changes are applied and told in the journey: the same in every store."""

from collections.abc import Sequence

from postroad.model import Accepted, Attempted, Change, Deposited

FREQUENT = (Accepted, Attempted, Deposited)


def deposits_first(changes: Sequence[Change]) -> Sequence[Change]:
    """Return the changes with each deposit before the attempts it came with.

    A deposit asks whether its delivery ended before, so it must be applied before the attempt that
    ends the delivery; and so must it be told, for whoever applies the journey event by event.
    """
    ordered: list[Change] = []
    first_attempt = -1  # of those among frequent changes that follow each other
    moved = False
    for change in changes:
        if first_attempt >= 0 and isinstance(change, Deposited):
            ordered.insert(first_attempt, change)
            first_attempt += 1
            moved = True
            continue
        if not isinstance(change, FREQUENT):
            first_attempt = -1
        elif first_attempt < 0 and isinstance(change, Attempted):
            first_attempt = len(ordered)
        ordered.append(change)
    return ordered if moved else changes
