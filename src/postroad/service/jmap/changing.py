"""What changed since a state, in portions that clients can take (RFC 8620 §5.2)."""

from collections.abc import Iterable

from msgspec import Struct


class Changed(Struct, frozen=True):
    """That something was made, was changed last, and is gone since; each a state, `gone` None where it
    is there.
    """

    id: int
    made: int
    changed: int
    gone: int | None = None


class Portion(Struct, frozen=True):
    """What a client is told; `state` is how far that goes, `more` whether there is more after it."""

    created: tuple[int, ...]
    updated: tuple[int, ...]
    destroyed: tuple[int, ...]
    state: int
    more: bool


def portion(changes: Iterable[Changed], since: int, now: int, limit: int | None) -> Portion:
    """Return at most `limit` changes after the state `since`.

    What came and went meanwhile is not told. What is cut off is told from the portion's state on: what
    was made before that and changed after it is then an update.
    """
    events: list[tuple[int, str, int]] = []
    for each in changes:
        if each.gone is not None:
            if each.made <= since < each.gone:
                events.append((each.gone, "destroyed", each.id))
        elif each.made > since:
            events.append((each.made, "created", each.id))
        elif each.changed > since:
            events.append((each.changed, "updated", each.id))
    events.sort()
    more = limit is not None and len(events) > limit
    state = now
    if more:
        assert limit is not None, "or there would not be more"
        events = events[:limit]
        state = events[-1][0]
    kinds = {
        kind: tuple(number for _, each, number in events if each == kind)
        for kind in ("created", "updated", "destroyed")
    }
    return Portion(kinds["created"], kinds["updated"], kinds["destroyed"], state, more)
