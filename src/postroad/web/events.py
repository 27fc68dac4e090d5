"""States of an account, told as they change, as server-sent events (RFC 8620 §7.3)."""

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

import msgspec
from litestar.types import Receive, Send
from msgspec import Struct

from postroad.model import Account
from postroad.service.jmap import Jmap
from postroad.web.problem import Problem
from postroad.wire.jmap import MethodError

MIN_PING_SECONDS = 5
MAX_PING_SECONDS = 900


class EventsWanted(Struct, frozen=True):
    """`types` None: all. `ping` is in seconds, 0 for none. `last` is the state that the client knows."""

    types: frozenset[str] | None
    close_after_state: bool
    ping: int
    last: str

    @classmethod
    def parse(cls, scope: Mapping[str, Any]) -> "EventsWanted":
        """Read the query. Raises `Problem`."""
        query = parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        types = query.get("types", ["*"])[0]
        after = query.get("closeafter", ["no"])[0]
        ping = query.get("ping", ["0"])[0]
        if after not in ("no", "state") or not (
            ping.isascii() and ping.isdigit() and len(ping) < 9
        ):
            raise Problem(400, "invalid", "closeafter is no or state, and ping a number of seconds")
        last = next((v for name, v in scope["headers"] if name == b"last-event-id"), b"")
        seconds = int(ping) and min(MAX_PING_SECONDS, max(MIN_PING_SECONDS, int(ping)))
        return cls(
            None if types == "*" else frozenset(types.split(",")),
            after == "state",
            seconds,
            last.decode("latin-1"),
        )


class Events:
    """One stream of events."""

    def __init__(
        self, jmap: Jmap, account: Account, number: str, wanted: EventsWanted, look_seconds: float
    ) -> None:
        self._jmap = jmap
        self._account = account
        self._number = number
        self._wanted = wanted
        self._look_seconds = look_seconds

    async def run(self, receive: Receive, send: Send) -> None:
        """Send events until the client goes, or has what it waits for."""
        headers = [
            (b"content-type", b"text/event-stream"),
            (b"cache-control", b"no-store"),
            (b"x-accel-buffering", b"no"),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b": here\n\n", "more_body": True})
        tasks = [
            asyncio.create_task(work)
            for work in (_until_gone(receive), self._tell(send), self._ping(send))
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _tell(self, send: Send) -> None:
        with contextlib.suppress(MethodError):
            now = await self._jmap.states(self._account)
            if (
                self._wanted.last
                and self._wanted.last != _id_of(now)
                and await self._one(send, now)
            ):
                return
        async for states in self._jmap.watch(self._account, self._look_seconds):
            if await self._one(send, states):
                return

    async def _one(self, send: Send, states: Mapping[str, str]) -> bool:
        """Tell; return whether that was all."""
        types = self._wanted.types
        changed = {name: each for name, each in states.items() if types is None or name in types}
        if not changed:
            return False
        data = msgspec.json.encode({"@type": "StateChange", "changed": {self._number: changed}})
        event = b"event: state\nid: %s\ndata: %s\n\n" % (_id_of(states).encode(), data)
        await send({"type": "http.response.body", "body": event, "more_body": True})
        return self._wanted.close_after_state

    async def _ping(self, send: Send) -> None:
        seconds = self._wanted.ping
        if not seconds:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(seconds)
            event = b'event: ping\ndata: {"interval": %d}\n\n' % seconds
            await send({"type": "http.response.body", "body": event, "more_body": True})


def _id_of(states: Mapping[str, str]) -> str:
    return "-".join(sorted(set(states.values())))


async def _until_gone(receive: Receive) -> None:
    """Return when the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass
