"""Where links lead: to their target and nowhere else, noted within bounds, and leaving is one click."""

import asyncio

import pytest

from postroad.model import (
    Accepted,
    Address,
    Attempted,
    Change,
    Clicked,
    ContentRef,
    Delivered,
    Delivery,
    DeliveryState,
    Envelope,
    Group,
    Message,
    Opened,
    Origin,
    Recipient,
    Reply,
    Result,
    ServerKind,
    Staged,
    SuppressionReason,
    Unsubscribed,
)
from postroad.ports import StorageError
from postroad.service.departures import Departures
from postroad.service.landing import AGAIN_SECONDS, MAX_AT_ONCE, MAX_NOTED, Landing
from postroad.service.mailing import StreamLinks
from postroad.service.web import WebAnswer, WebRequest
from postroad.storage.memory import MemoryStore
from postroad.trust.link_token import ClickLink, LinkTokens, OpenLink, UnsubscribeLink

NOW = 1_795_600_000.0
BOB = Address("bob", "there.test")
TOKENS = LinkTokens(b"l" * 32)
NEWS = StreamLinks("news", "news.us.test", None, "go.us.test", opens=True, clicks=True)
TARGET = "https://shop.test/?a=1&b=%20"
PERSON = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"
FORM = "application/x-www-form-urlencoded"


class Clock:
    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> float:
        return self.at

    def monotonic(self) -> float:
        return self.at

    async def sleep(self, seconds: float) -> None: ...


class Scene:
    """A store with a message that was delivered a minute ago."""

    def __init__(self) -> None:
        self.store = store = MemoryStore()
        self.clock = Clock()
        self.landing = Landing(
            {"news": NEWS},
            tokens=TOKENS,
            departures=Departures(store.suppressions, self.clock),
            journey=store.journey,
            ledger=store.ledger,
            clock=self.clock,
        )

    @classmethod
    async def made(cls) -> "Scene":
        scene = cls()
        ref = ContentRef(7, 5)
        envelope = Envelope(Address("news", "us.test"), (Recipient(BOB),))
        message = Message(
            7, envelope, ref, Origin(ServerKind.SUBMISSION), NOW - 90, "<7@x>", stream="news"
        )
        delivery = Delivery(7, 0, BOB, BOB, BOB.domain)
        await scene.store.ledger.commit(
            Group((Accepted(NOW - 90, message, (delivery,)),), (Staged(ref, b"x" * 5),))
        )
        result = Result(0, Delivered(Reply(250, "2.0.0", "Ok")), DeliveryState.DELIVERED)
        await scene.store.ledger.commit(Group((Attempted(NOW - 60, 7, NOW - 61, (result,)),)))
        return scene

    async def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes = b"",
        kind: str = FORM,
        agent: str = PERSON,
    ) -> WebAnswer:
        return await self.landing.answer(WebRequest(method, path, "go.us.test", kind, agent, body))

    async def noted(self) -> list[Change]:
        events = await self.store.journey.events(7)
        kinds = (Opened, Clicked, Unsubscribed)
        return [each.change for each in events if isinstance(each.change, kinds)]

    async def left(self) -> bool:
        found = await self.store.suppressions.of("news", [BOB])
        return [each.reason for each in found] == [SuppressionReason.UNSUBSCRIBE]


CLICK = TOKENS.make(ClickLink(7, 0, TARGET), NOW)
OPEN = TOKENS.make(OpenLink(7, 0), NOW)
LEAVE = TOKENS.make(UnsubscribeLink(7, "news", BOB))


async def test_a_click_leads_on_and_is_noted() -> None:
    scene = await Scene.made()
    answer = await scene.ask(CLICK)
    assert (answer.status, answer.headers["Location"]) == (302, TARGET)
    assert await scene.noted() == [Clicked(NOW, 7, 0, TARGET)]


async def test_an_open_is_a_picture_and_is_noted() -> None:
    scene = await Scene.made()
    answer = await scene.ask(OPEN, agent="Mozilla/5.0 (via ggpht.com GoogleImageProxy)")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "image/gif"
    assert answer.body.startswith(b"GIF89a")
    assert await scene.noted() == [Opened(NOW, 7, 0, "Gmail's image proxy")]


async def test_to_look_is_not_to_follow() -> None:
    scene = await Scene.made()
    assert (await scene.ask(CLICK, "HEAD")).status == 302
    assert (await scene.ask(OPEN, "HEAD")).status == 200
    for path in (CLICK, OPEN):
        answer = await scene.ask(path, "POST")
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")
    assert await scene.noted() == []


@pytest.mark.parametrize(
    "path",
    [
        CLICK[:-1] + ("A" if CLICK[-1] != "A" else "B"),
        CLICK.rpartition("/")[0] + "/aHR0cHM6Ly9ldmlsLnRlc3Qv",
        CLICK + "/",
        "/c//aHR0cHM6Ly9ldmlsLnRlc3Qv",
        "/c/https://evil.test/",
        "/",
        "/u/",
        "//evil.test/",
        "/../" + CLICK,
    ],
)
async def test_forged_links_lead_nowhere(path: str) -> None:
    scene = await Scene.made()
    for method in ("GET", "POST", "HEAD"):
        answer = await scene.ask(path, method, b"List-Unsubscribe=One-Click")
        assert answer.status == 404
        assert "Location" not in answer.headers
    assert await scene.noted() == []
    assert not await scene.left()


async def test_old_links_lead_nowhere() -> None:
    scene = await Scene.made()
    scene.clock.at += 2 * 86_400
    for path in (CLICK, OPEN):
        answer = await scene.ask(path)
        assert answer.status == 410
        assert "Location" not in answer.headers


async def test_to_see_the_page_changes_nothing() -> None:
    scene = await Scene.made()
    for method in ("GET", "HEAD"):
        answer = await scene.ask(LEAVE, method)
        assert answer.status == 200
        assert b"bob@there.test" in answer.body
    assert (await scene.ask(LEAVE, "DELETE")).status == 405
    assert not await scene.left()
    assert await scene.noted() == []


BOUNDARY = "multipart/form-data; boundary=x"
PARTS = (
    b'--x\r\nContent-Disposition: form-data; name="List-Unsubscribe"\r\n\r\nOne-Click\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("kind", "body", "how"),
    [
        (FORM, b"List-Unsubscribe=One-Click", "one-click"),
        (f"{FORM}; charset=utf-8", b"List-Unsubscribe=One-Click&x=1", "one-click"),
        (BOUNDARY, PARTS, "one-click"),
        (FORM, b"List-Unsubscribe=Page", "page"),
    ],
)
async def test_one_click_and_it_is_done_once(kind: str, body: bytes, how: str) -> None:
    scene = await Scene.made()
    answers = await asyncio.gather(*(scene.ask(LEAVE, "POST", body, kind) for _ in range(5)))
    assert {each.status for each in answers} == {200}
    assert await scene.left()
    assert await scene.noted() == [Unsubscribed(NOW, 7, 0, "news", how)]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (FORM, b""),
        (FORM, b"List-Unsubscribe=no"),
        (FORM, b"x=One-Click"),
        (FORM, b"a=1&" * 100 + b"List-Unsubscribe=One-Click"),
        (FORM, b"List-Unsubscribe=One-Click&x=" + b"x" * 100_000),
        ("text/plain", b"List-Unsubscribe=One-Click"),
        ("", b"List-Unsubscribe=One-Click"),
        (BOUNDARY, PARTS.replace(b"One-Click", b"No")),
        (BOUNDARY, PARTS.replace(b"List-Unsubscribe", b"x")),
        (FORM, b"\xff\xfe%00%ff"),
    ],
)
async def test_other_posts_are_no_wish_to_leave(kind: str, body: bytes) -> None:
    scene = await Scene.made()
    assert (await scene.ask(LEAVE, "POST", body, kind)).status == 400
    assert not await scene.left()


async def test_leaving_outlives_the_message() -> None:
    scene = Scene()  # nothing is stored of the message any more
    scene.clock.at += 4000 * 86_400
    assert (await scene.ask(LEAVE, "POST", b"List-Unsubscribe=One-Click")).status == 200
    assert await scene.left()
    assert (await scene.ask(OPEN)).status == 410


async def test_what_is_noted_is_bounded() -> None:
    scene = await Scene.made()
    for _ in range(3):
        await scene.ask(OPEN)
    assert len(await scene.noted()) == 1
    for _ in range(MAX_NOTED + 5):
        scene.clock.at += AGAIN_SECONDS + 1
        assert (await scene.ask(OPEN)).status == 200
    assert len(await scene.noted()) == MAX_NOTED
    # Clicks are counted for themselves.
    await scene.ask(CLICK)
    assert len(await scene.noted()) == MAX_NOTED + 1


async def test_of_a_message_that_is_forgotten_nothing_is_noted() -> None:
    scene = Scene()
    assert (await scene.ask(CLICK)).status == 302
    assert await scene.store.journey.after(0) == []


class Broken:
    async def commit(self, group: Group) -> None:
        raise StorageError("disk full")


async def test_links_lead_on_where_nothing_can_be_stored() -> None:
    scene = await Scene.made()
    scene.landing._ledger = Broken()
    assert (await scene.ask(CLICK)).headers["Location"] == TARGET
    assert (await scene.ask(OPEN)).status == 200
    answer = await scene.ask(LEAVE, "POST", b"List-Unsubscribe=One-Click")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "60")
    assert not await scene.left()


class Slow:
    def __init__(self) -> None:
        self.go = asyncio.Event()
        self.count = 0

    async def commit(self, group: Group) -> None:
        self.count += 1
        await self.go.wait()


async def test_no_more_than_so_many_wait_for_the_store() -> None:
    scene = await Scene.made()
    scene.landing._ledger = slow = Slow()
    links = [
        TOKENS.make(ClickLink(7, 0, f"https://shop.test/{n}"), NOW) for n in range(MAX_AT_ONCE + 20)
    ]
    tasks = [asyncio.create_task(scene.ask(each)) for each in links]
    while not slow.count:
        await asyncio.sleep(0)
    done, waiting = await asyncio.wait(tasks, timeout=0.1)
    assert len(done) == 20
    assert slow.count == len(waiting) == MAX_AT_ONCE
    slow.go.set()
    assert {(await each).status for each in tasks} == {302}


async def test_robots_are_asked_to_stay_away() -> None:
    answer = await (await Scene.made()).ask("/robots.txt")
    assert answer.body == b"User-agent: *\nDisallow: /\n"


def test_its_hosts_are_those_of_the_streams() -> None:
    assert Scene().landing.hosts == {"news.us.test", "go.us.test"}


async def test_nobody_waits_long_for_the_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("postroad.service.landing.MAX_SECONDS", 0.01)
    scene = await Scene.made()
    scene.landing._ledger = Slow()
    assert (await scene.ask(CLICK)).headers["Location"] == TARGET
