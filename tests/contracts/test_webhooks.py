"""Webhooks: their settings, their place in the journey, and what waits for them."""

import pytest
from msgspec.structs import replace

from postroad.model import (
    Webhook,
    WebhookAdded,
    WebhookChanged,
    WebhookKind,
    WebhookPost,
    WebhookRemoved,
    WebhookWorked,
)
from postroad.ports import Conflict
from tests.contracts.stores import Store, commit

SHOP = Webhook(1, "shop", "https://a.example/", 50.0, (WebhookKind.BOUNCED,), ("news",))


def post(sequence: int, ordinal: int = 0, dead_at: float = 0.0) -> WebhookPost:
    return WebhookPost(
        1, sequence, ordinal, 7, WebhookKind.BOUNCED, "{}", 60.0, 61.0, dead_at=dead_at
    )


def worked(*posts: WebhookPost, cursor: int | None = None, **more: object) -> WebhookWorked:
    done = more.get("done", ())
    assert isinstance(done, tuple)
    return WebhookWorked(60.0, 1, cursor, posts, done, 2)


async def test_webhooks_are_added_changed_and_removed(store: Store) -> None:
    await commit(store, WebhookAdded(50.0, SHOP))
    with pytest.raises(Conflict, match="webhook 'shop' already"):
        await commit(store, WebhookAdded(51.0, replace(SHOP, id=2)))
    with pytest.raises(Conflict, match="already"):
        await commit(store, WebhookAdded(51.0, replace(SHOP, name="till")))
    changed = replace(SHOP, generation=2, previous_until=99.0)
    await commit(store, WebhookChanged(52.0, changed))
    assert await store.webhooks.all() == [changed]
    with pytest.raises(Conflict, match="no webhook 'till'"):
        await commit(store, WebhookChanged(53.0, replace(SHOP, name="till")))
    await commit(store, worked(post(1)))
    await commit(store, WebhookRemoved(54.0, "shop"))
    with pytest.raises(Conflict, match="no webhook 'shop'"):
        await commit(store, WebhookRemoved(55.0, "shop"))
    assert await store.webhooks.all() == []
    assert await store.webhooks.cursor(1) is None
    assert await store.webhooks.count(1) == (0, 0)
    told = [event.change for event in await store.journey.after(0)]
    assert told == [
        WebhookAdded(50.0, SHOP),
        WebhookChanged(52.0, changed),
        WebhookRemoved(54.0, "shop"),
    ]


async def test_a_webhook_begins_where_the_journey_ends(store: Store) -> None:
    other = replace(SHOP, id=2, name="first")
    await commit(store, WebhookAdded(50.0, other))
    await commit(store, WebhookAdded(51.0, SHOP))
    assert await store.webhooks.cursor(2) == 0
    assert await store.webhooks.cursor(1) == 1


async def test_posts_wait_are_done_or_die(store: Store) -> None:
    await commit(store, WebhookAdded(50.0, SHOP))
    await commit(store, worked(post(3), post(2, 1), post(2), cursor=9))
    assert await store.webhooks.cursor(1) == 9
    assert await store.webhooks.waiting(1, 9) == [post(2), post(2, 1), post(3)]
    assert await store.webhooks.waiting(1, 1) == [post(2)]
    await commit(store, worked(post(3, dead_at=70.0), done=((2, 0),)))
    assert await store.webhooks.cursor(1) == 9
    assert await store.webhooks.waiting(1, 9) == [post(2, 1)]
    assert await store.webhooks.dead(1, 9) == [post(3, dead_at=70.0)]
    assert await store.webhooks.count(1) == (1, 1)
    await commit(store, worked(post(3)))
    assert await store.webhooks.count(1) == (2, 0)


async def test_the_newest_of_the_dead_are_kept(store: Store) -> None:
    await commit(store, WebhookAdded(50.0, SHOP))
    await commit(store, worked(*(post(number, dead_at=70.0) for number in (5, 6, 7, 8))))
    assert [each.sequence for each in await store.webhooks.dead(1, 9)] == [7, 8]


async def test_work_for_a_webhook_that_is_gone_is_nothing(store: Store) -> None:
    await commit(store, worked(post(1), cursor=4))
    assert await store.webhooks.count(1) == (0, 0)
    assert await store.webhooks.cursor(1) is None
