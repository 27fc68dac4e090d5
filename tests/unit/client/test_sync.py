"""The client without asyncio, against a running server, over links that fail."""

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import TypeVar

import httpx
import pytest

from postroad.client import (
    Attachment,
    Backoff,
    Busy,
    Client,
    Conflict,
    ConnectionLost,
    InvalidRequest,
    Message,
    NotAllowed,
    NotFound,
    Person,
    Search,
    Unreadable,
)
from postroad.model import ApiScope
from tests.unit.web.site import Site, running

T = TypeVar("T")

QUICK = Backoff(first_seconds=0.01)
HELLO = Message(from_="ann@here.test", to="bob@here.test", subject="Hello", text="Hi")


class Link(httpx.BaseTransport):
    """Goes to the server, and spoils the first answers: each fault says how."""

    def __init__(self, *faults: Callable[[], httpx.Response], reach: bool = True) -> None:
        self._inner = httpx.HTTPTransport()
        self._faults: Iterator[Callable[[], httpx.Response]] = iter(faults)
        self._reach = reach
        self.keys: list[str | None] = []

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.keys.append(request.headers.get("idempotency-key"))
        fault = next(self._faults, None)
        if fault is None:
            return self._inner.handle_request(request)
        if self._reach:
            answer = self._inner.handle_request(request)
            answer.read()
            answer.close()
        return fault()

    def close(self) -> None:
        self._inner.close()


def cut() -> httpx.Response:
    raise httpx.ReadError("cut off")


def unreachable() -> httpx.Response:
    raise httpx.ConnectError("refused")


def answer(status: int, **headers: str) -> Callable[[], httpx.Response]:
    return lambda: httpx.Response(
        status, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


async def at(site: Site, act: Callable[[Client], T], link: Link | None = None) -> T:
    """Do something with a client, in a thread."""

    def run() -> T:
        with httpx.Client(transport=link or Link()) as http:
            with Client(site.url, site.token, backoff=QUICK, http=http) as client:
                return act(client)

    return await asyncio.to_thread(run)


async def test_a_message_with_everything_is_sent_and_read(tmp_path: Path) -> None:
    message = Message(
        from_=Person("ann@here.test", "Ann"),
        to=["Bob <bob@here.test>"],
        bcc=[Person("ann@here.test")],
        subject="Grüße",
        text="Hi",
        html="<p>Hi</p>",
        attachments=[Attachment(b"\0\xff", "a.bin")],
        headers={"X-Order": "17"},
        tags=["order"],
        metadata={"customer": "17"},
        ttl=3600,
    )
    async with running(tmp_path) as site:
        receipt = await at(site, lambda client: client.send(message))
        assert receipt.durability == "fsync"
        assert receipt.accepted_at.tzinfo is not None
        traced = await at(site, lambda client: client.get(receipt.id))
        assert (traced.sender, traced.subject) == ("ann@here.test", "Grüße")
        assert traced.metadata == {"customer": "17"}
        assert {each.recipient for each in traced.deliveries} == {"bob@here.test", "ann@here.test"}
        assert traced.journey[0].what == "accepted"


@pytest.mark.parametrize("fault", [cut, answer(503), answer(429, retry_after="0"), answer(502)])
async def test_what_was_lost_is_asked_again_and_sent_once(
    tmp_path: Path, fault: Callable[[], httpx.Response]
) -> None:
    async with running(tmp_path) as site:
        link = Link(fault, fault)
        receipt = await at(site, lambda client: client.send(HELLO), link)
        assert len(link.keys) == 3
        assert len(set(link.keys)) == 1
        assert link.keys[0]
        found = await at(site, lambda client: list(client.find()))
        assert [each.id for each in found] == [receipt.id]


async def test_after_all_attempts_the_key_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        link = Link(*[cut] * 5)
        with pytest.raises(ConnectionLost) as lost:
            await at(site, lambda client: client.send(HELLO), link)
        assert len(link.keys) == 5
        assert lost.value.key == link.keys[0]
        receipt = await at(site, lambda client: client.send(HELLO, key=lost.value.key))
        found = await at(site, lambda client: list(client.find()))
        assert [each.id for each in found] == [receipt.id]


async def test_steering_is_not_asked_again_unless_it_never_arrived(tmp_path: Path) -> None:
    later = Message(
        from_="ann@here.test",
        to="bob@here.test",
        text="Hi",
        send_at=datetime.now(UTC) + timedelta(days=1),
    )
    async with running(tmp_path) as site:
        id_ = (await at(site, lambda client: client.send(later))).id
        again = datetime.now(UTC) + timedelta(days=2)
        moved = await at(
            site, lambda client: client.reschedule(id_, again), Link(unreachable, reach=False)
        )
        due_at = moved.message.deliveries[0].due_at
        assert due_at is not None
        assert abs(due_at - again) < timedelta(seconds=1)
        assert (await at(site, lambda client: client.hold(id_))).changed == 1
        assert (await at(site, lambda client: client.release(id_))).changed == 1
        assert (await at(site, lambda client: client.reschedule(id_, again))).changed == 1
        link = Link(cut)
        with pytest.raises(ConnectionLost):
            await at(site, lambda client: client.cancel(id_), link)
        assert len(link.keys) == 1
        with pytest.raises(Conflict) as late:
            await at(site, lambda client: client.cancel(id_))
        assert late.value.kind == "too-late"


async def test_what_the_server_refuses_names_the_field(tmp_path: Path) -> None:
    wrong = Message(from_="ann@here.test", to=["bob@here.test", "bob@"], text="Hi")
    another = Message(from_="ann@here.test", to="bob@here.test", text="another")
    foreign = Message(from_="ann@else.test", to="bob@here.test", text="Hi")
    async with running(tmp_path) as site:
        with pytest.raises(InvalidRequest) as invalid:
            await at(site, lambda client: client.send(wrong))
        assert invalid.value.fields == ("to[1]",)
        assert (invalid.value.status, invalid.value.kind) == (400, "invalid")
        with pytest.raises(NotAllowed) as forbidden:
            await at(site, lambda client: client.send(foreign))
        assert forbidden.value.fields == ("from",)
        with pytest.raises(NotFound):
            await at(site, lambda client: client.get("nothing/../here"))
        await at(site, lambda client: client.send(HELLO, key="k"))
        with pytest.raises(Conflict) as used:
            await at(site, lambda client: client.send(another, key="k"))
        assert used.value.kind == "idempotency-key"


async def test_a_key_that_may_only_read_is_told_so(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        headers = await site.key(ApiScope.READ)
        token = headers["Authorization"].removeprefix("Bearer ")

        def run() -> None:
            with Client(site.url, token) as client:
                assert list(client.find()) == []
                client.send(HELLO)

        with pytest.raises(NotAllowed):
            await asyncio.to_thread(run)


async def test_too_many_requests_wait_as_long_as_the_server_says(tmp_path: Path) -> None:
    limits = {"requests_per_second": 1, "requests_at_once": 2}
    async with running(tmp_path, http=limits) as site:
        link = Link()
        for_all = await at(site, lambda client: [client.send(HELLO).id for _ in range(3)], link)
        assert len(set(for_all)) == 3
        assert len(link.keys) == 4


async def test_pages_are_read_to_the_end_and_only_as_needed(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        items = await at(site, lambda client: client.send_batch([HELLO] * 5))
        assert [each.status for each in items] == [202] * 5
        link = Link()
        found = await at(
            site, lambda client: list(client.find(Search(subject="hello", page_size=2))), link
        )
        assert {each.id for each in found} == {each.receipt.id for each in items if each.receipt}
        assert len(found) == 5
        assert len(link.keys) == 3
        one = Link()
        await at(site, lambda client: next(client.find(Search(page_size=2))), one)
        assert len(one.keys) == 1
        nothing = Search(
            recipient="bob@here.test",
            tags=["no"],
            metadata=[("a", "b")],
            states=["held"],
            after=datetime(2020, 1, 1, tzinfo=UTC),
        )
        assert await at(site, lambda client: list(client.find(nothing))) == []


async def test_a_batch_says_what_became_of_each(tmp_path: Path) -> None:
    wrong = Message(from_="ann@here.test", to="bob@", text="Hi")
    async with running(tmp_path) as site:
        good, bad = await at(site, lambda client: client.send_batch([HELLO, wrong], key="b"))
        assert good.receipt is not None
        assert bad.problem is not None
        assert [each.field for each in bad.problem.errors] == ["to"]
        again, _ = await at(site, lambda client: client.send_batch([HELLO, wrong], key="b"))
        assert again == good


async def test_a_message_written_already_goes_as_it_is(tmp_path: Path) -> None:
    written = EmailMessage()
    written["From"], written["Subject"] = "ann@here.test", "Raw"
    written.set_content("Hi\n")
    async with running(tmp_path) as site:
        receipt = await at(
            site,
            lambda client: client.send_raw(
                written, "ann@here.test", ["bob@here.test"], tags=["raw"], ttl=60
            ),
        )
        (found,) = await at(site, lambda client: list(client.find(Search(tags=["raw"]))))
        assert (found.id, found.subject) == (receipt.id, "Raw")
        with pytest.raises(ValueError, match="too many"):
            await at(site, lambda client: client.send_raw(b"", "a@b.c", ["bob@here.test"] * 5000))


async def test_answers_of_something_else(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        for strange in (answer(200), answer(302)):
            with pytest.raises(Unreadable):
                await at(site, lambda client: client.send(HELLO), Link(strange))
        with pytest.raises(Busy) as busy:
            await at(site, lambda client: client.send(HELLO), Link(answer(503, retry_after="3600")))
        assert busy.value.retry_after == 3600


@pytest.mark.parametrize("url", ["mail.example.org", "ftp://mail.example.org", "https://"])
def test_no_address_of_a_server(url: str) -> None:
    with pytest.raises(ValueError, match="address"):
        Client(url, "key")


@pytest.mark.parametrize("token", ["", "a b", "a\r\nX: y", "ä"])
def test_no_api_key(token: str) -> None:
    with pytest.raises(ValueError, match="key"):
        Client("https://mail.example.org", token)


def test_what_cannot_be_asked_is_not() -> None:
    naive = Message(from_="a@b.c", to="d@e.f", text="Hi", send_at=datetime(2030, 1, 1))
    with Client("http://127.0.0.1:9/api/v1/", "key") as client:
        with pytest.raises(ValueError, match="idempotency key"):
            client.send(HELLO, key="a b")
        with pytest.raises(ValueError, match="zone"):
            client.send(naive)
        with pytest.raises(ValueError, match="zone"):
            client.reschedule("1", datetime(2030, 1, 1))
