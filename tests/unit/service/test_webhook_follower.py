"""One follower over a store in memory, its clock in our hands."""

from msgspec.structs import replace

from postroad.model import (
    Accepted,
    Address,
    ContentRef,
    Delivery,
    Dropped,
    Envelope,
    Group,
    Message,
    Origin,
    Recipient,
    ServerKind,
    Staged,
    Webhook,
    WebhookAdded,
)
from postroad.service.webhook_follower import Follower, WebhookSettings
from postroad.service.webhook_secrets import WebhookSecrets
from postroad.service.webhooks import Webhooks
from postroad.storage.memory.store import MemoryStore
from tests.unit.service.fakes import FakeClock

HOOK = Webhook(1, "shop", "https://a.example/", 900.0)
SETTINGS = WebhookSettings(max_waiting=40, give_up_seconds=1000.0)


class FakePost:
    def __init__(self) -> None:
        self.failure = ""
        self.failing: set[str] = set()
        self.told: list[str] = []
        self.asked = 0

    async def __call__(self, webhook: Webhook, event: str, text: str) -> str:
        self.asked += 1
        if self.failure or event in self.failing:
            return self.failure or "HTTP status 500"
        self.told.append(event)
        return ""


class Scene:
    def __init__(self) -> None:
        self.store = MemoryStore()
        self.clock = FakeClock()
        self.post = FakePost()
        self.follower = self.follow()

    def follow(self, settings: WebhookSettings = SETTINGS) -> Follower:
        return Follower(
            HOOK,
            store=self.store.webhooks,
            journey=self.store.journey,
            queue=self.store.queue,
            ledger=self.store.ledger,
            clock=self.clock,
            post=self.post,
            settings=settings,
        )

    async def begin(self) -> None:
        await self.store.ledger.commit(Group((WebhookAdded(900.0, HOOK),)))

    async def accept(self, number: int, server: ServerKind = ServerKind.SUBMISSION) -> None:
        ann = Address.parse("ann@a.example")
        content = ContentRef(number, 1)
        message = Message(
            number, Envelope(ann, (Recipient(ann),)), content, Origin(server), self.clock.at
        )
        delivery = Delivery(number, 0, ann, ann, "a.example")
        accepted = Accepted(self.clock.at, message, (delivery,))
        await self.store.ledger.commit(Group((accepted,), (Staged(content, b"x"),)))

    async def drop(self, number: int) -> None:
        await self.store.ledger.commit(Group((Dropped(self.clock.at, "op", ((number, 0),)),)))

    async def steps(self, count: int = 1) -> None:
        for _ in range(count):
            await self.follower.step()
            await self.follower.settle()


async def test_what_waits_behind_a_failed_post_of_its_message_and_nothing_else_does() -> None:
    scene = Scene()
    await scene.begin()
    await scene.accept(7)
    await scene.drop(7)
    await scene.accept(8)
    scene.post.failing = {"evt_2_0"}
    await scene.steps(5)
    assert scene.post.told == ["evt_4_0"]
    assert await scene.store.webhooks.count(1) == (2, 0)
    scene.post.failing = set()
    await scene.steps(2)
    assert scene.post.told == ["evt_4_0"], "5 seconds have not passed"
    scene.clock.at += 5.0
    await scene.steps(3)
    assert scene.post.told == ["evt_4_0", "evt_2_0", "evt_3_0"]
    assert await scene.store.webhooks.count(1) == (0, 0)


async def test_mail_from_outside_is_not_told_of() -> None:
    scene = Scene()
    await scene.begin()
    await scene.accept(7, ServerKind.MX)
    await scene.steps(2)
    assert scene.post.asked == 0
    assert await scene.store.webhooks.cursor(1) == 2


async def test_a_receiver_that_is_down_is_asked_seldom_and_then_gets_everything() -> None:
    scene = Scene()
    await scene.begin()
    for number in range(100, 200):
        await scene.accept(number)
    scene.post.failure = "connection refused"
    await scene.steps(10)
    asked = scene.post.asked
    assert 20 <= asked < 30
    waiting, _ = await scene.store.webhooks.count(1)
    assert waiting < 300, "the rest stays in the journey"
    await scene.steps(10)
    assert scene.post.asked == asked
    scene.clock.at += 60.0
    await scene.steps(5)
    assert scene.post.asked == asked + 1
    scene.post.failure = ""
    scene.clock.at += 60.0
    await scene.steps(60)
    assert sorted(scene.post.told, key=lambda each: int(each.split("_")[1])) == [
        f"evt_{number}_0" for number in range(2, 102)
    ]


async def test_what_is_given_up_can_be_sent_again() -> None:
    scene = Scene()
    await scene.begin()
    await scene.accept(7)
    scene.post.failure = "HTTP status 500"
    for _ in range(12):
        await scene.steps()
        scene.clock.at += 600.0
    assert await scene.store.webhooks.count(1) == (0, 1)
    desk = Webhooks(
        ledger=scene.store.ledger,
        store=scene.store.webhooks,
        clock=scene.clock,
        entropy=None,  # type: ignore[arg-type]
        secrets=WebhookSecrets(b"root"),
        streams=("default",),
    )
    (dead,) = await desk.dead("shop")
    assert (dead.event, dead.failure) == ("evt_2_0", "HTTP status 500")
    scene.post.failure = ""
    assert await desk.replay("shop", ["evt_2_0"]) == 1
    await scene.steps(2)
    assert scene.post.told == ["evt_2_0"]
    assert await scene.store.webhooks.count(1) == (0, 0)


async def test_a_new_follower_goes_on_where_the_last_one_was() -> None:
    scene = Scene()
    await scene.begin()
    await scene.accept(7)
    await scene.steps(2)
    await scene.accept(8)
    scene.follower = scene.follow(replace(SETTINGS, at_once=1))
    await scene.steps(2)
    assert scene.post.told == ["evt_2_0", "evt_3_0"]


async def test_while_a_receiver_is_down_what_gets_old_is_given_up_untried() -> None:
    scene = Scene()
    await scene.begin()
    for number in range(100, 130):
        await scene.accept(number)
    scene.post.failure = "connection refused"
    await scene.steps(8)
    scene.clock.at += 1001.0
    await scene.steps(2)
    waiting, dead = await scene.store.webhooks.count(1)
    assert (waiting, dead) == (0, 30)
