"""The signed fields of a header, as the octets that are hashed."""

from collections.abc import Iterable, Mapping
from typing import Any

from postroad.message.header import Header, split_fields
from postroad.trust.dkim import canonical
from postroad.trust.dkim.canonical import Form

_NO_HEADER = Header(())


class Selection:
    """The fields of one header by name, each put into canonical form at most once."""

    __slots__ = ("_by_name", "_canonical")

    def __init__(self, header: Header) -> None:
        self._by_name: dict[str, list[bytes]] = {}
        self._canonical: dict[
            str, dict[str, list[bytes]]
        ] = {}  # by the form's word: enums hash slowly
        for field in header.fields:
            if field.name:
                self._by_name.setdefault(field.name.lower(), []).append(field.raw)

    @classmethod
    def of_octets(cls, head: bytes, wanted: Mapping[bytes, str]) -> "Selection":
        """Select from a header as it stands only fields of `wanted` names (lower case, with themselves).

        That is what `Header.parse` would find of them, for a third of the time.
        """
        selection = cls(_NO_HEADER)
        by_name = selection._by_name
        for raw in split_fields(head):
            name = wanted.get(raw.partition(b":")[0].rstrip(b" \t").lower())
            if name is not None:
                by_name.setdefault(name, []).append(raw)
        return selection

    def count(self, name: str) -> int:
        """Return how many fields have that name (lower case)."""
        return len(self._by_name.get(name, ()))

    def counts(self, names: Iterable[str]) -> tuple[int, ...]:
        """Return how many fields have each of these names (lower case)."""
        found = self._by_name
        return tuple([len(found[name]) if name in found else 0 for name in names])

    def octets_at(self, places: Iterable[tuple[str, int]], form: Form) -> bytes:
        """Return the fields at these places, each a name (lower case) and an index among its like."""
        by_name = self._by_name
        return b"".join([canonical.field(by_name[name][at], form) for name, at in places])

    def octets(self, names: Iterable[str], form: Form) -> bytes:
        """Return the fields of those names (lower case), the last of several first.

        A name more often than there are fields stands for nothing (RFC 6376 §5.4.2), so that no such
        field can be added later.
        """
        used: dict[str, int] = {}
        pieces = []
        by_name = self._by_name
        known = self._canonical.setdefault(form.value, {})
        for name in names:
            if name not in by_name:
                continue
            fields = known.get(name)
            if fields is None:
                fields = known[name] = [canonical.field(raw, form) for raw in by_name[name]]
            number = used[name] = used.get(name, 0) + 1
            if number <= len(fields):
                pieces.append(fields[-number])
        return b"".join(pieces)


def hash_own_field(hashed: Any, unsigned_field: bytes, form: Form) -> bytes:
    """Add the signature's own field, without line end (RFC 6376 §3.7); return the digest."""
    hashed.update(canonical.field(unsigned_field, form)[:-2])
    digest: bytes = hashed.digest()
    return digest
