"""Follows the journey for one webhook: events become posts, posts are sent.

The queue is durable: one commit moves the cursor and keeps the posts that came of the events it passed;
another forgets those that the receiver took. A crash between a post and that commit sends it again under
the same id. What happened to a message is told in its order: as long as one post of a message waits,
those behind it do, too; other messages do not wait. A receiver that takes nothing is asked with one post
now and then, and no more than `max_waiting` posts are made in advance: the rest stays in the journey.
"""

import asyncio
from collections.abc import Iterable, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from postroad.model import Delivery, Group, Message, Webhook, WebhookPost, WebhookWorked
from postroad.ports import (
    Clock,
    JourneyEvent,
    JourneyStore,
    Ledger,
    QueueStore,
    StorageError,
    WebhookStore,
)
from postroad.service.webhook_events import about, body, told_of, wants
from postroad.service.webhook_post import Post

log = structlog.get_logger("postroad.webhooks")

_PAGE = 200
_MAX_FAILURE = 500
_RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0, 1800.0, 3600.0, 7200.0)
"""How long after each try the next one is; the last for all that follow."""


class WebhookSettings(Struct, frozen=True):
    """How events are told. `poll_seconds` is how often the journey is looked at; after `down_after`
    failures on end a receiver is asked every `probe_seconds` only. A post is given up `give_up_seconds`
    after it was first tried.
    """

    at_once: int = 8
    max_waiting: int = 1000
    max_dead: int = 10_000
    give_up_seconds: float = 3 * 86_400.0
    poll_seconds: float = 1.0
    down_after: int = 20
    probe_seconds: float = 60.0


class Follower:
    """Tells one webhook. `step` does what is due now."""

    def __init__(
        self,
        webhook: Webhook,
        *,
        store: WebhookStore,
        journey: JourneyStore,
        queue: QueueStore,
        ledger: Ledger,
        clock: Clock,
        post: Post,
        settings: WebhookSettings,
    ) -> None:
        self.webhook = webhook
        self._store = store
        self._journey = journey
        self._queue = queue
        self._ledger = ledger
        self._clock = clock
        self._post = post
        self._settings = settings
        self._failures = 0
        self._asked_at = self._revived_at = float("-inf")
        self._ended: set[int] = set()
        self._sending: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Tell, until cancelled."""
        try:
            while True:
                try:
                    busy = await self.step()
                except StorageError as error:  # what was not kept is done again
                    log.error("webhook waits for the store", error=str(error))
                    busy = False
                await self._pause(0.0 if busy else None)
        finally:
            for task in self._sending.values():
                task.cancel()
            await asyncio.gather(*self._sending.values(), return_exceptions=True)

    async def step(self) -> bool:
        """Make posts of a page of the journey, begin to send what is due; return whether there is more
        to do at once. Raises `StorageError`.
        """
        most, now = self._settings.max_waiting, self._clock.now()
        if self._down and now - self._asked_at < self._settings.probe_seconds:
            return False
        more = False
        if await self._count() < most:
            more = await self._read_on()
        self._ended.clear()
        waiting = await self._store.waiting(self.webhook.id, most)
        if self._down:
            waiting = await self._bury_old(waiting)
        self._send(waiting)
        return more and len(waiting) < most

    @property
    def _down(self) -> bool:
        return self._failures >= self._settings.down_after

    async def _count(self) -> int:
        waiting, _ = await self._store.count(self.webhook.id)
        return waiting

    async def settle(self) -> None:
        """Wait for what is being sent."""
        while self._sending:
            await asyncio.gather(*self._sending.values())

    async def _pause(self, seconds: float | None) -> None:
        """Wait for the next step: less where something that is being sent ends before."""
        if seconds is not None or not self._sending:
            await asyncio.sleep(self._settings.poll_seconds if seconds is None else seconds)
            return
        await asyncio.wait(
            self._sending.values(),
            timeout=self._settings.poll_seconds,
            return_when=asyncio.FIRST_COMPLETED,
        )

    async def _read_on(self) -> bool:
        """Make posts of the next events; return whether there were any events."""
        cursor = await self._store.cursor(self.webhook.id)
        if cursor is None:
            return False
        events = await self._journey.after(cursor, _PAGE)
        if not events:
            return False
        posts = await self._posts(events)
        await self._commit(posts, (), cursor=events[-1].sequence)
        return True

    async def _posts(self, events: Iterable[JourneyEvent]) -> list[WebhookPost]:
        known: dict[int, tuple[Message | None, dict[int, Delivery]]] = {}
        now = self._clock.now()
        posts = []
        for event in events:
            number = about(event.change)
            if number is None:
                continue
            if number not in known:
                message = await self._queue.message(number)
                deliveries = await self._queue.deliveries(number) if message is not None else []
                known[number] = message, {each.ordinal: each for each in deliveries}
            message, of = known[number]
            if message is None:
                continue
            for told in told_of(event.change):
                kind, ordinal, _ = told
                if wants(self.webhook, kind, message):
                    name = f"evt_{event.sequence}_{ordinal}"
                    text = body(name, event.at, told, message, of)
                    posts.append(
                        WebhookPost(
                            self.webhook.id, event.sequence, ordinal, number, kind, text, now, now
                        )
                    )
        return posts

    def _send(self, waiting: Iterable[WebhookPost]) -> None:
        """Begin with the first post of each message, where it is due and there is room."""
        now = self._clock.now()
        room = 1 if self._down else self._settings.at_once
        seen = set(self._ended)  # may have been read before their end was kept
        for post in waiting:
            if len(self._sending) >= room:
                return
            if post.message in seen:
                continue
            seen.add(post.message)
            if post.message in self._sending or not self._is_due(post, now):
                continue
            self._asked_at = now
            task = asyncio.get_running_loop().create_task(self._tell(post), name="webhook post")
            self._sending[post.message] = task

    def _is_due(self, post: WebhookPost, now: float) -> bool:
        """Whether to try it now. Where a receiver was down and is back, nothing that failed before waits
        for its own next try.
        """
        return (
            self._down or post.due_at <= now or post.due_at - _wait(post.tries) <= self._revived_at
        )

    async def _tell(self, post: WebhookPost) -> None:
        """Try one post, and keep what came of it."""
        try:
            failure = await self._post(self.webhook, post.event, post.body)
            now = self._clock.now()
            if failure:
                self._failures += 1
                await self._commit((self._tried(post, failure, now),), ())
                return
            if self._down:
                log.info("webhook is back", webhook=self.webhook.name)
                self._revived_at = now
            self._failures = 0
            await self._commit((), (post.key,))
        except StorageError as error:  # it will be told again
            log.error("webhook: what became of a post was not kept", error=str(error))
        finally:
            self._ended.add(post.message)
            self._sending.pop(post.message, None)

    def _tried(self, post: WebhookPost, failure: str, now: float) -> WebhookPost:
        """Return a post after a try that failed."""
        old = now - post.first_at >= self._settings.give_up_seconds
        if old:
            log.warning("webhook gave up", webhook=self.webhook.name, post=post.event)
        return replace(
            post,
            tries=post.tries + 1,
            failure=failure[:_MAX_FAILURE],
            due_at=now + _wait(post.tries + 1),
            dead_at=now if old else 0.0,
        )

    async def _bury_old(self, waiting: Sequence[WebhookPost]) -> list[WebhookPost]:
        """While a receiver is down few are tried, and the others get old. Return who is left."""
        now = self._clock.now()
        before = now - self._settings.give_up_seconds
        old = [
            replace(each, dead_at=now, failure=each.failure or "the receiver takes nothing")
            for each in waiting
            if each.first_at <= before
            and each.message not in self._sending
            and each.message not in self._ended
        ]
        if old:
            await self._commit(old, ())
        gone = {each.key for each in old}
        return [each for each in waiting if each.key not in gone]

    async def _commit(
        self,
        posts: Iterable[WebhookPost],
        done: tuple[tuple[int, int], ...],
        cursor: int | None = None,
    ) -> None:
        now, keep = self._clock.now(), self._settings.max_dead
        change = WebhookWorked(now, self.webhook.id, cursor, tuple(posts), done, keep)
        await self._ledger.commit(Group((change,)))


def _wait(tries: int) -> float:
    """Return the seconds from the last of so many tries to the next."""
    return _RETRY_SECONDS[min(tries, len(_RETRY_SECONDS)) - 1] if tries else 0.0
