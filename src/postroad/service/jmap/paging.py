"""Which part of the results of a query is wanted (RFC 8620 §5.5)."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from postroad.wire.jmap import Arguments, MethodError
from postroad.wire.jmap.arguments import MAX_NUMBER


class Page(Struct, frozen=True):
    """From `position`, or `offset` away from where `anchor` is; at most `limit`."""

    position: int
    anchor: str | None
    offset: int
    limit: int | None
    total: bool

    @classmethod
    def take(cls, arguments: Arguments) -> "Page":
        """Take the arguments. Raises `MethodError`."""
        position = arguments.number("position", -MAX_NUMBER)
        anchor = arguments.text("anchor")
        offset = arguments.number("anchorOffset", -MAX_NUMBER)
        limit = arguments.number("limit")
        return cls(position or 0, anchor, offset or 0, limit, arguments.flag("calculateTotal"))

    @property
    def needed(self) -> int | None:
        """How many results from the first have to be known, None where all have to."""
        if self.anchor is not None or self.position < 0 or self.limit is None:
            return None
        return self.position + self.limit

    def cut(
        self, ids: Sequence[str], most: int, total: int | None = None, skipped: int = 0
    ) -> dict[str, Any]:
        """Return the part of a response that tells of the results; `ids` begin with the first one
        but for the `skipped`, and are all where all are needed. Raises `MethodError`: no anchor.
        """
        if self.anchor is not None:
            if self.anchor not in ids:
                raise MethodError("anchorNotFound", "it is not among the results")
            position = max(0, ids.index(self.anchor) + self.offset)
        elif self.position < 0:
            position = max(0, len(ids) + self.position)
        else:
            position = self.position
        limit = most if self.limit is None else min(self.limit, most)
        found: dict[str, Any] = {
            "position": position,
            "ids": list(ids[position - skipped : position - skipped + limit]),
        }
        if self.total:
            found["total"] = len(ids) if total is None else total
        if self.limit is None or self.limit > most:
            found["limit"] = most
        return found
