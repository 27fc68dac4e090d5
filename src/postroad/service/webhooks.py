"""Webhooks: made, tested, given new secrets, removed; posts that were given up, and sent again."""

import asyncio
from collections.abc import Callable, Iterable, Sequence

import structlog
from msgspec import Struct
from msgspec.structs import replace

from postroad.model import (
    Group,
    Webhook,
    WebhookAdded,
    WebhookChanged,
    WebhookKind,
    WebhookPost,
    WebhookRemoved,
    WebhookWorked,
    parse_domain,
)
from postroad.ports import Clock, Entropy, Ledger, StorageError, WebhookStore
from postroad.service.errors import Refused
from postroad.service.webhook_events import as_json
from postroad.service.webhook_follower import Follower
from postroad.service.webhook_post import Post
from postroad.service.webhook_secrets import WebhookSecrets
from postroad.wire.http import parse_https

log = structlog.get_logger("postroad.webhooks")

MAX_WEBHOOKS = 100
MAX_NAME = 64
OVERLAP_SECONDS = 86_400.0
"""How long the old secret is good beside a new one, unless told otherwise."""

_REPLAY_PAGE = 1000
_MOST = 1_000_000  # as many as `webhooks.max_dead` may be


class NoWebhook(Refused):
    """There is no such webhook."""


class WebhookShown(Struct, frozen=True):
    """A webhook, up to where its journey was read, how many posts wait and how many were given up."""

    webhook: Webhook
    cursor: int
    waiting: int
    dead: int


class Webhooks:
    """What operators do with webhooks. `streams` are those that there are."""

    def __init__(
        self,
        *,
        ledger: Ledger,
        store: WebhookStore,
        clock: Clock,
        entropy: Entropy,
        secrets: WebhookSecrets,
        streams: Iterable[str],
    ) -> None:
        self._ledger = ledger
        self._store = store
        self._clock = clock
        self._entropy = entropy
        self.secrets = secrets
        self.streams = frozenset(streams)

    async def add(
        self,
        name: str,
        url: str,
        *,
        kinds: Sequence[WebhookKind] = (),
        streams: Sequence[str] = (),
        domains: Sequence[str] = (),
    ) -> tuple[Webhook, str]:
        """Make a webhook; return it and its secret. Raises `Refused`, `InvalidAddress`
        (a domain) and `Conflict`."""
        name = name.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable() or "/" in name:
            raise Refused(f"a name has 1 to {MAX_NAME} printable characters, and no slash")
        if len(await self._store.all()) >= MAX_WEBHOOKS:
            raise Refused(f"there are {MAX_WEBHOOKS} webhooks already, and may be no more")
        for stream in streams:
            if stream not in self.streams:
                known = ", ".join(sorted(self.streams))
                raise Refused(f"there is no stream {stream!r}; those that there are: {known}")
        now = self._clock.now()
        hook = Webhook(
            id=self._entropy.id(),
            name=name,
            url=_checked(url),
            created_at=now,
            kinds=tuple(dict.fromkeys(kinds)),
            streams=tuple(dict.fromkeys(streams)),
            domains=tuple(dict.fromkeys(map(parse_domain, domains))),
        )
        await self._ledger.commit(Group((WebhookAdded(now, hook),)))
        return hook, self.secrets.of(hook)

    async def all(self) -> list[WebhookShown]:
        """Return all webhooks, by name."""
        return [await self._shown(hook) for hook in await self._store.all()]

    async def get(self, name: str) -> WebhookShown:
        """Return one. Raises `Refused`."""
        return await self._shown(await self._get(name))

    async def rotate(self, name: str, overlap_seconds: float = OVERLAP_SECONDS) -> str:
        """Return a new secret; the old one is good for `overlap_seconds` more. Raises `Refused`."""
        hook, now = await self._get(name), self._clock.now()
        if overlap_seconds < 0:
            raise Refused("the old secret cannot end before now")
        new = replace(hook, generation=hook.generation + 1, previous_until=now + overlap_seconds)
        await self._ledger.commit(Group((WebhookChanged(now, new),)))
        return self.secrets.of(new)

    async def remove(self, name: str) -> None:
        """Remove one with all that waits for it. Raises `Conflict` where there is none."""
        await self._ledger.commit(Group((WebhookRemoved(self._clock.now(), name),)))

    async def test(self, name: str, post: Post) -> str:
        """Post an event of the type ``test``; return why that failed, or ``""``. Raises `Refused`."""
        hook, now = await self._get(name), self._clock.now()
        event = f"evt_test_{self._entropy.id()}"
        return await post(hook, event, as_json(event, "test", now, {"webhook": hook.name}))

    async def dead(self, name: str, limit: int = 100) -> list[WebhookPost]:
        """Return posts that were given up, the oldest first. Raises `Refused`."""
        return await self._store.dead((await self._get(name)).id, limit)

    async def replay(self, name: str, events: Sequence[str] = ()) -> int:
        """Send posts again that were given up: those of these ids, or all; return how many. Raises
        `Refused`, also for an event that is not among them.
        """
        hook, now = await self._get(name), self._clock.now()
        found = await self._store.dead(hook.id, _MOST)
        if events:
            unknown = set(events) - {each.event for each in found}
            if unknown:
                raise Refused(f"{sorted(unknown)[0]!r} was not given up by {name!r}")
            found = [each for each in found if each.event in events]
        again = [
            replace(each, dead_at=0.0, first_at=now, due_at=now, tries=0, failure="")
            for each in found
        ]
        for first in range(0, len(again), _REPLAY_PAGE):
            part = tuple(again[first : first + _REPLAY_PAGE])
            change = WebhookWorked(now, hook.id, None, part, (), _MOST)
            await self._ledger.commit(Group((change,)))
        return len(again)

    async def _get(self, name: str) -> Webhook:
        for hook in await self._store.all():
            if hook.name == name:
                return hook
        raise NoWebhook(f"There is no webhook {name!r}. See: postroad webhook list")

    async def _shown(self, hook: Webhook) -> WebhookShown:
        waiting, dead = await self._store.count(hook.id)
        return WebhookShown(hook, await self._store.cursor(hook.id) or 0, waiting, dead)


def _checked(url: str) -> str:
    try:
        return str(parse_https(url))
    except ValueError as error:
        raise Refused(str(error)) from None


async def follow_all(
    store: WebhookStore, follow: Callable[[Webhook], Follower], poll_seconds: float
) -> None:
    """Run a follower for each webhook there is, until cancelled. Without any, this is all that happens:
    a look at an empty table now and then.
    """
    running: dict[Webhook, asyncio.Task[None]] = {}
    try:
        while True:
            try:
                wanted = await store.all()
            except StorageError as error:
                log.error("webhooks cannot be read", error=str(error))
                await asyncio.sleep(poll_seconds)
                continue
            gone = [running.pop(hook) for hook in list(running) if hook not in wanted]
            for task in gone:
                task.cancel()
            await asyncio.gather(*gone, return_exceptions=True)
            for hook in wanted:
                if hook not in running:
                    work = follow(hook).run()
                    running[hook] = asyncio.get_running_loop().create_task(
                        work, name=f"webhook {hook.name}"
                    )
            for task in running.values():
                if task.done():
                    task.result()
            await asyncio.sleep(poll_seconds)
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)
