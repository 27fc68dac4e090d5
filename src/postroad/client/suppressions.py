"""Suppressions: who gets nothing of a stream any more, and the calls about them."""

from collections.abc import Sequence
from datetime import datetime
from urllib.parse import urlencode

from msgspec import Struct

from postroad.client import call
from postroad.client.call import Call, given, part, reader

_PATH = "/suppressions"
_TABLE = f"{_PATH}/table"


class Suppression(Struct, frozen=True):
    """An address on the list of a stream: `reason` is hard-bounce, complaint, unsubscribe or manual."""

    address: str
    stream: str
    reason: str
    evidence: str
    since: datetime


class SuppressionPage(Struct, frozen=True):
    """Entries, and where the next page begins."""

    suppressions: list[Suppression]
    next: str | None = None


class Added(Struct, frozen=True):
    """How many addresses were not on the list before."""

    added: int


class Imported(Struct, frozen=True):
    """How many `lines` a table had, and how many addresses were not on the list before."""

    lines: int
    added: int
    dry_run: bool


def page(
    stream: str | None, address: str | None, after: str | None, limit: int
) -> Call[SuppressionPage]:
    """One page of entries."""
    return call.get(
        _PATH, SuppressionPage, stream=stream, address=address, after=after, limit=str(limit)
    )


def add(stream: str, addresses: Sequence[str], evidence: str) -> Call[Added]:
    """Put addresses on a list."""
    asked = {"stream": stream, "addresses": addresses, "evidence": evidence}
    return call.post(_PATH, Added, asked, repeatable=True)


def remove(stream: str, address: str, force: bool) -> Call[None]:
    """Take an address off a list."""
    return call.delete(f"{_PATH}/{part(stream)}/{part(address)}", force="true" if force else None)


def export(stream: str | None) -> Call[bytes]:
    """The lists as a table."""
    query = urlencode(given(stream=stream))
    return Call(method="GET", path=_TABLE, read=bytes, repeatable=True, query=query)


def import_(table: bytes, dry_run: bool) -> Call[Imported]:
    """Read a table."""
    return Call(
        method="POST",
        path=_TABLE,
        read=reader(Imported),
        repeatable=True,
        query="dry_run=true" if dry_run else "",
        body=table,
        media_type="text/csv",
    )
