"""`ports.WebhookStore` in memory, and how its changes are applied."""

from typing import TYPE_CHECKING, Any

from postroad.model import (
    Webhook,
    WebhookAdded,
    WebhookChanged,
    WebhookPost,
    WebhookRemoved,
    WebhookWorked,
)
from postroad.storage.conflicts import no_webhook, webhook_exists
from postroad.storage.memory.state import State

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


class MemoryWebhooks:
    """See `ports.WebhookStore`."""

    def __init__(self, state: State) -> None:
        self._state = state

    async def all(self) -> list[Webhook]:
        """Return all webhooks, by name."""
        return [hook for _, hook in sorted(self._state.webhooks.items())]

    async def cursor(self, webhook: int) -> int | None:
        """Return up to where in the journey its posts were made."""
        return self._state.webhook_cursors.get(webhook)

    async def waiting(self, webhook: int, limit: int) -> list[WebhookPost]:
        """Return posts that are not given up."""
        return [each for each in _of(self._state, webhook) if not each.dead_at][:limit]

    async def dead(self, webhook: int, limit: int) -> list[WebhookPost]:
        """Return posts that were given up."""
        return [each for each in _of(self._state, webhook) if each.dead_at][:limit]

    async def count(self, webhook: int) -> tuple[int, int]:
        """Return how many posts wait, and how many were given up."""
        found = _of(self._state, webhook)
        dead = sum(1 for each in found if each.dead_at)
        return len(found) - dead, dead


def _of(state: State, webhook: int) -> list[WebhookPost]:
    found = [each for each in state.webhook_posts.values() if each.webhook == webhook]
    return sorted(found, key=lambda each: each.key)


def _added(do: "Application", change: WebhookAdded) -> None:
    hook, state = change.webhook, do.state
    if hook.name in state.webhooks or any(hook.id == e.id for e in state.webhooks.values()):
        raise webhook_exists(hook.name)
    do.undo.put(state.webhooks, hook.name, hook)
    do.undo.put(state.webhook_cursors, hook.id, max(state.journey, default=0))
    do.note(change)


def _changed(do: "Application", change: WebhookChanged) -> None:
    hook, state = change.webhook, do.state
    if hook.name not in state.webhooks or state.webhooks[hook.name].id != hook.id:
        raise no_webhook(hook.name)
    do.undo.put(state.webhooks, hook.name, hook)
    do.note(change)


def _removed(do: "Application", change: WebhookRemoved) -> None:
    hook = do.state.webhooks.get(change.name)
    if hook is None:
        raise no_webhook(change.name)
    do.undo.delete(do.state.webhooks, change.name)
    do.undo.delete(do.state.webhook_cursors, hook.id)
    for post in _of(do.state, hook.id):
        do.undo.delete(do.state.webhook_posts, (hook.id, *post.key))
    do.note(change)


def _worked(do: "Application", change: WebhookWorked) -> None:
    state, hook = do.state, change.webhook
    if hook not in state.webhook_cursors:
        return
    if change.cursor is not None:
        do.undo.put(state.webhook_cursors, hook, change.cursor)
    for post in change.posts:
        do.undo.put(state.webhook_posts, (hook, *post.key), post)
    for key in change.done:
        do.undo.delete(state.webhook_posts, (hook, *key))
    if not any(post.dead_at for post in change.posts):
        return
    dead = [each for each in _of(state, hook) if each.dead_at]
    for post in dead[: max(0, len(dead) - change.keep_dead)]:
        do.undo.delete(state.webhook_posts, (hook, *post.key))


APPLY: dict[type, Any] = {
    WebhookAdded: _added,
    WebhookChanged: _changed,
    WebhookRemoved: _removed,
    WebhookWorked: _worked,
}
