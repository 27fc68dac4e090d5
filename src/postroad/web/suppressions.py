"""``/api/v1/suppressions``: who gets nothing of a stream any more, and why.

A key that is bound to domains has to do with the streams whose senders are all of these domains.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, BinaryIO, TextIO, TypeAlias, cast

from litestar import Request, delete, get, post
from litestar.datastructures import ResponseHeader
from litestar.params import JSONBody, PathParameter, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler
from msgspec import Meta, Struct

from postroad.model import (
    Address,
    ApiKey,
    ApiScope,
    InvalidAddress,
    Suppression,
    SuppressionReason,
    parse_domain,
)
from postroad.service.suppression_csv import opened
from postroad.service.suppressions import Suppressions
from postroad.web.api.moment import rfc3339
from postroad.web.explore import BASE
from postroad.web.keys import SECURITY, key_of, needs
from postroad.web.problem import Problem, invalid
from postroad.web.services import Services

PATH = f"{BASE}/suppressions"
MAX_ADDRESSES = 1_000
MAX_LIMIT = 1_000

_IN_MEMORY_OCTETS = 1024 * 1024
_TAGS = ["suppressions"]

OneStream: TypeAlias = Annotated[
    str | None, QueryParameter(max_length=32, description="Only the list of this stream.")
]


class SuppressionEntry(Struct, frozen=True):
    """An address on the list of a stream, since that time."""

    address: str
    stream: str
    reason: SuppressionReason
    evidence: str
    since: str


class SuppressionPage(Struct, frozen=True):
    """Entries by stream and address. `next` goes into `after` of the request for the next page; it is
    null with the last one.
    """

    suppressions: list[SuppressionEntry]
    next: str | None = None


class NewSuppressions(Struct, frozen=True, forbid_unknown_fields=True):
    """Addresses to put on the list of a stream. `evidence` tells why, for who asks later."""

    stream: Annotated[str, Meta(max_length=32)]
    addresses: Annotated[list[str], Meta(min_length=1, max_length=MAX_ADDRESSES)]
    evidence: Annotated[str, Meta(max_length=500)] = ""


class AddedSuppressions(Struct, frozen=True):
    """How many addresses were not on the list before."""

    added: int


class ImportedSuppressions(Struct, frozen=True):
    """How many `lines` there were, and how many addresses were not on the list before; with `dry_run`
    they still are not.
    """

    lines: int
    added: int
    dry_run: bool


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    lists = services.suppressions
    return [*_reading(lists), *_changing(lists), *_tables(lists)]


def _reading(lists: Suppressions) -> Sequence[ControllerRouterHandler]:
    @get(PATH, guards=[needs(ApiScope.READ)], security=SECURITY, tags=_TAGS)
    async def list_suppressions(
        request: Request[Any, Any, Any],
        stream: OneStream = None,
        address: Annotated[
            str | None, QueryParameter(max_length=330, description="An address, or `@domain`.")
        ] = None,
        after: Annotated[
            str | None, QueryParameter(max_length=400, description="`next` of the page before.")
        ] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT)] = 100,
    ) -> SuppressionPage:
        """List who is on the lists, with the reason and what led to it."""
        _may(lists, key_of(request), stream)
        folded = _folded(address) if address is not None else None
        found = await lists.find(stream, folded, limit + 1, after=_place(after))
        more = len(found) > limit
        entries = [_entry(each) for each in found[:limit]]
        last = found[limit - 1] if more else None
        return SuppressionPage(
            entries, f"{last.stream} {last.address.folded}" if last is not None else None
        )

    return [list_suppressions]


def _changing(lists: Suppressions) -> Sequence[ControllerRouterHandler]:
    settings = [needs(ApiScope.SETTINGS)]

    @post(PATH, guards=settings, security=SECURITY, tags=_TAGS, status_code=200)
    async def add_suppressions(
        request: Request[Any, Any, Any], data: JSONBody[NewSuppressions]
    ) -> AddedSuppressions:
        """Put addresses on the list of a stream. Those that are on it stay as they are."""
        key = key_of(request)
        _may(lists, key, data.stream)
        addresses = [_address(f"addresses[{n}]", each) for n, each in enumerate(data.addresses)]
        evidence = "".join(c if c.isprintable() else " " for c in data.evidence)
        added = await lists.add(addresses, data.stream, by=_who(key), evidence=evidence)
        return AddedSuppressions(added)

    @delete(
        f"{PATH}/{{stream:str}}/{{address:str}}", guards=settings, security=SECURITY, tags=_TAGS
    )
    async def reactivate(
        request: Request[Any, Any, Any],
        stream: Annotated[str, PathParameter(max_length=32)],
        address: Annotated[str, PathParameter(max_length=330)],
        force: Annotated[bool, QueryParameter()] = False,
    ) -> None:
        """Take an address off the list of a stream: it gets its mail again. Who complained or
        unsubscribed is taken off only with `force`.
        """
        key = key_of(request)
        _may(lists, key, stream)
        addresses = [_address("address", address)]
        if not await lists.remove(addresses, stream, by=_who(key), force=force):
            raise Problem(404, "not-found", f"{address} is not on the list of {stream}")

    return [add_suppressions, reactivate]


def _tables(lists: Suppressions) -> Sequence[ControllerRouterHandler]:
    headers = [ResponseHeader(name="Content-Disposition", value='attachment; filename="list.csv"')]

    @get(
        f"{PATH}/table",
        guards=[needs(ApiScope.READ)],
        security=SECURITY,
        tags=_TAGS,
        media_type="text/csv",
        response_headers=headers,
    )
    async def export_suppressions(
        request: Request[Any, Any, Any], stream: OneStream = None
    ) -> Stream:
        """Return the lists as a table (CSV), in the form in which they are read."""
        _may(lists, key_of(request), stream)
        if stream is not None:
            lists.stream(stream)  # while it can still be said that there is none
        return Stream(lists.write_csv(stream), media_type="text/csv")

    @post(
        f"{PATH}/table",
        guards=[needs(ApiScope.SETTINGS)],
        security=SECURITY,
        tags=_TAGS,
        status_code=200,
    )
    async def import_suppressions(
        request: Request[Any, Any, Any], dry_run: Annotated[bool, QueryParameter()] = False
    ) -> ImportedSuppressions:
        """Read a table (`text/csv`, UTF-8) with the columns address and stream; reason, evidence and
        since may follow. Where a line is wrong, it is named, and nothing is added.
        """
        key = key_of(request)
        if key.domains:
            raise Problem(403, "forbidden", "a key of some domains cannot import tables")
        if request.content_type[0] != "text/csv":
            raise Problem(415, "unsupported-media-type", "a body of text/csv is wanted")
        async with _spooled(request) as table:
            found = await lists.read_csv(table, by=_who(key), dry_run=dry_run)
        return ImportedSuppressions(found.lines, found.added, dry_run)

    return [export_suppressions, import_suppressions]


@asynccontextmanager
async def _spooled(request: Request[Any, Any, Any]) -> AsyncIterator[TextIO]:
    """The body as a file that can be read twice; the front bounds its size."""
    with SpooledTemporaryFile(_IN_MEMORY_OCTETS) as octets:
        async for piece in request.stream():
            octets.write(piece)
        with opened(cast(BinaryIO, octets)) as table:
            yield table


def _may(lists: Suppressions, key: ApiKey, stream: str | None) -> None:
    """Raises `Problem` where a key has nothing to do with a stream (None: with all of them)."""
    if not key.domains:
        return
    if stream is None:
        raise invalid("stream", "a key of some domains must name a stream of these")
    if not lists.domains_of(stream) <= set(key.domains):
        raise Problem(403, "forbidden", f"the stream {stream!r} is not of the domains of the key")


def _entry(found: Suppression) -> SuppressionEntry:
    return SuppressionEntry(
        str(found.address), found.stream, found.reason, found.evidence, rfc3339(found.since)
    )


def _address(field: str, text: str) -> Address:
    try:
        return Address.parse(text)
    except InvalidAddress as error:
        raise invalid(field, str(error)) from None


def _folded(text: str) -> str:
    if not text.startswith("@"):
        return _address("address", text).folded
    try:
        return f"@{parse_domain(text[1:])}"
    except InvalidAddress as error:
        raise invalid("address", str(error)) from None


def _place(after: str | None) -> tuple[str, str]:
    if after is None:
        return ("", "")
    stream, _, address = after.partition(" ")
    return stream, address


def _who(key: ApiKey) -> str:
    return f"API key {key.name}"
