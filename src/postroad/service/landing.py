"""Where the links in our mail lead: unsubscribing, opens and clicks, noted with their message.

A link leads to its signed target whatever else fails, and to nothing else: no request says where. To
show the page where one unsubscribes changes nothing, since programs follow links, too; only a POST does,
from the page or as RFC 8058 §3.1 has mail programs send it. What is noted is bounded: of one delivery
at most `MAX_NOTED` of a kind, not the same twice within `AGAIN_SECONDS`, no more than `MAX_AT_ONCE` at a
time; and nobody waits longer for it than `MAX_SECONDS`.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeAlias
from urllib.parse import parse_qs

import structlog

from postroad.model import (
    Attempted,
    Clicked,
    Delivered,
    Group,
    Opened,
    Unknown,
    format_id,
)
from postroad.ports import Clock, JourneyEvent, JourneyStore, Ledger, StorageError
from postroad.service import pages
from postroad.service.departures import Departures
from postroad.service.mailing import StreamLinks
from postroad.service.reader import machine_of
from postroad.service.web import WebAnswer, WebRequest
from postroad.trust.link_token import (
    ClickLink,
    LinkExpired,
    LinkInvalid,
    LinkTokens,
    OpenLink,
    UnsubscribeLink,
)

log = structlog.get_logger("postroad.landing")

MAX_NOTED = 20
AGAIN_SECONDS = 30.0
MAX_AT_ONCE = 50
MAX_SECONDS = 2.0
MAX_BODY_OCTETS = 16 * 1024
"""Of a request's body no more is wanted; a server refuses what is longer."""

_REMEMBERED = 10_000
_PICTURE = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_NO_STORE = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow"}
_OF_PICTURE = {
    **_NO_STORE,
    "Content-Type": "image/gif",
    "Cross-Origin-Resource-Policy": "cross-origin",  # it is shown in pages of web mail
}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")

_Track: TypeAlias = OpenLink | ClickLink


class Landing:
    """Answers requests at the host names of `streams`."""

    def __init__(
        self,
        streams: Mapping[str, StreamLinks],
        *,
        tokens: LinkTokens,
        departures: Departures,
        journey: JourneyStore,
        ledger: Ledger,
        clock: Clock,
    ) -> None:
        self._tokens = tokens
        self._departures = departures
        self._journey = journey
        self._ledger = ledger
        self._clock = clock
        self.hosts = frozenset(name for each in streams.values() for name in each.domains)
        self._seen: OrderedDict[_Track, float] = OrderedDict()
        self._noting = 0
        self._leaving = asyncio.Lock()

    async def answer(self, request: WebRequest) -> WebAnswer:
        """Return the answer to a request at one of `hosts`."""
        if request.path == "/robots.txt":
            plain = {**_NO_STORE, "Content-Type": "text/plain"}
            return WebAnswer(200, plain, b"User-agent: *\nDisallow: /\n")
        try:
            link = self._tokens.read(request.path, self._clock.now())
        except LinkExpired:
            return pages.no_such_link(expired=True)
        except LinkInvalid:
            return pages.no_such_link()
        if isinstance(link, UnsubscribeLink):
            return await self._leave(link, request)
        if request.method not in ("GET", "HEAD"):
            return pages.not_that_way("GET, HEAD")
        if request.method == "GET":
            await self._note(link, request.agent)
        if isinstance(link, ClickLink):
            headers = {**_NO_STORE, "Location": link.target, "Referrer-Policy": "no-referrer"}
            return WebAnswer(302, headers)
        return WebAnswer(200, _OF_PICTURE, _PICTURE)

    async def _leave(self, link: UnsubscribeLink, request: WebRequest) -> WebAnswer:
        address, stream = str(link.address), link.stream
        if request.method in ("GET", "HEAD"):
            return pages.ask_to_leave(address, stream)
        if request.method != "POST":
            return pages.not_that_way("GET, HEAD, POST")
        how = _wish(request)
        if how is None:
            return pages.not_understood()
        try:
            async with self._leaving:  # mail programs like to post twice
                # Each copy of a mailing has one delivery, the first.
                changes = await self._departures.of(link.message, 0, link.stream, link.address, how)
                if changes:
                    await self._ledger.commit(Group(changes))
        except StorageError as error:
            log.error("an unsubscription cannot be stored", error=str(error))
            return pages.not_now()
        if changes:
            log.info("unsubscribed", id=format_id(link.message), stream=stream, how=how)
        return pages.has_left(address, stream)

    async def _note(self, link: _Track, agent: str) -> None:
        """Note it in the journey, if it is to be; what fails is told to the log alone."""
        if self._noting >= MAX_AT_ONCE or not self._is_new(link):
            return
        self._noting += 1
        try:
            async with asyncio.timeout(MAX_SECONDS):
                change = await self._to_note(link, agent)
                if change is not None:
                    await self._ledger.commit(Group((change,)))
        except TimeoutError:
            log.warning("what a recipient did was not noted in time", id=format_id(link.message))
        except StorageError as error:
            log.error("what a recipient did cannot be noted", error=str(error))
        finally:
            self._noting -= 1

    async def _to_note(self, link: _Track, agent: str) -> Opened | Clicked | None:
        events = await self._journey.events(link.message)
        kind = Opened if isinstance(link, OpenLink) else Clicked
        count = sum(
            isinstance(each.change, kind) and each.change.ordinal == link.ordinal for each in events
        )
        if not events or count >= MAX_NOTED:
            return None
        now = self._clock.now()
        machine = machine_of(agent, _since_delivery(events, link.ordinal, now))
        if isinstance(link, ClickLink):
            return Clicked(now, link.message, link.ordinal, link.target, machine)
        return Opened(now, link.message, link.ordinal, machine)

    def _is_new(self, link: _Track) -> bool:
        now = self._clock.monotonic()
        before = self._seen.get(link)
        if before is not None and now - before < AGAIN_SECONDS:
            return False
        self._seen[link] = now
        self._seen.move_to_end(link)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return True


def _wish(request: WebRequest) -> str | None:
    """Return how somebody unsubscribes by a POST: ``"one-click"`` (RFC 8058 §3.1), ``"page"``; None
    where it is neither.
    """
    kind = request.content_type.partition(";")[0].strip().lower()
    if kind not in _FORMS or len(request.body) > MAX_BODY_OCTETS:
        return None
    text = request.body.decode("utf-8", "replace")
    if kind == "multipart/form-data":
        if 'name="List-Unsubscribe"' not in text.replace("name=List-", 'name="List-'):
            return None
        lines = [line.strip() for line in text.splitlines()]
        return "one-click" if "One-Click" in lines else None
    try:
        values = parse_qs(text, max_num_fields=20).get("List-Unsubscribe", [])
    except ValueError:
        return None
    if "One-Click" in values:
        return "one-click"
    return "page" if "Page" in values else None


def _since_delivery(events: list[JourneyEvent], ordinal: int, now: float) -> float | None:
    """Return how long ago the delivery was made, None where it was not yet."""
    for event in events:
        change = event.change
        if isinstance(change, Attempted):
            for result in change.results:
                if result.ordinal == ordinal and isinstance(result.outcome, Delivered | Unknown):
                    return now - change.at
    return None
