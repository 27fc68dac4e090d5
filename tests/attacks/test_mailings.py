"""Mail with links under attack: what is hostile in it, around it, and at the links themselves."""

import asyncio
import base64
import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest

from postroad.model import Address, Unsubscribed
from postroad.runtime.compose import System
from postroad.trust.link_token import ClickLink, LinkTokens, UnsubscribeLink
from tests.attacks.serving import BOB, PASSWORD, connected, inbox, queued, serving

STREAM = {
    "senders": [BOB],
    "kind": "broadcast",
    "unsubscribe_domain": "leave.us.test",
    "track_opens": True,
    "track_clicks": True,
    "tracking_domain": "go.us.test",
}
HTML = b"Subject: x\r\nContent-Type: text/html\r\n\r\n"
GO, LEAVE = {"Host": "go.us.test"}, {"Host": "leave.us.test"}


@contextlib.asynccontextmanager
async def sending(tmp_path: Path, **limits: Any) -> AsyncIterator[System]:
    async with serving(
        tmp_path,
        streams={"news": STREAM},
        limits={"tarpit_seconds": 0.01, **limits},
        listen={"http": ["127.0.0.1:0"]},
        submission={"auth_without_tls": True},
    ) as system:
        yield system


async def submit(system: System, data: bytes, to: Sequence[str] = (BOB,), sender: str = BOB) -> str:
    """Hand a message in as bob; return the last reply."""
    login = base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode()
    async with connected(system, "submission") as client:
        commands = ["EHLO client.test", f"AUTH PLAIN {login}", f"MAIL FROM:<{sender}>"]
        for line in (*commands, *(f"RCPT TO:<{each}>" for each in to), "DATA"):
            reply = await client.ask(line)
            assert reply[0] in "23", reply
        client.send(data + b"\r\n.\r\n")
        return await client.reply(60)


def http(system: System) -> httpx.AsyncClient:
    host, port = system.listening["http"][0]
    return httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=30)


async def test_copies_that_take_too_much_room_are_refused(tmp_path: Path) -> None:
    async with sending(tmp_path, max_copies_octets=100_000) as system:
        body = HTML + b"<p>lorem</p>\r\n" * 3_000
        to = [f"a{n}@far.test" for n in range(3)]
        reply = await submit(system, body, to)
        assert reply.startswith("552 5.3.4 Each recipient gets an own copy, and 3 copies have more")
        assert await queued(system) == 0
        assert (await submit(system, body, to[:1])).startswith("250 ")
        # More than even one copy may have is not even kept.
        assert (await submit(system, HTML + b"<p>lorem</p>\r\n" * 20_000)).startswith("552 5.3.4")
        assert not [path for path in tmp_path.glob("data/content/*/*") if path.is_file()]


async def test_many_recipients_are_all_or_none(tmp_path: Path) -> None:
    async with sending(tmp_path) as system:
        to = [f"a{n}@far.test" for n in range(200)]
        reply = await submit(system, HTML + b"<a href=https://shop.test/>x</a>\r\n", to)
        assert " and 199 more" in reply
        assert await queued(system) == 200


@pytest.mark.parametrize(
    "body",
    [
        b'<a href="https://a.test/\r\nBcc: x">x</a>',
        b'<a href="https://a.test/&#13;&#10;Set-Cookie:x">x</a>',
        b"<a href='https://a.test/\"><script>'>x</a>",
        b"<a " * 50_000,
        b'<a href="' * 50_000,
        b"<!--" * 50_000,
        b"\x00<a href=https://a.test/>\xff\xfe</a>",
    ],
)
async def test_hostile_html_harms_nobody(tmp_path: Path, body: bytes) -> None:
    # Lines of a kind that SMTP takes; what is not allowed in a message is refused before.
    lines = b"\r\n".join(body[at : at + 900] for at in range(0, len(body), 900))
    async with sending(tmp_path) as system:
        began = time.monotonic()
        reply = await submit(system, HTML + lines)
        assert time.monotonic() - began < 5
        assert reply[0] in "25", reply
        if reply[0] == "2":
            (copy,) = await inbox(system, wait_for=1)
            head, _, text = copy.partition(b"\r\n\r\n")
            assert b"Bcc" not in head
            assert b"Set-Cookie" not in head
            assert max(map(len, text.split(b"\r\n"))) <= 998
            assert b"<script>" not in text.partition(b"<img")[2]


async def test_strangers_get_no_links_of_ours(tmp_path: Path) -> None:
    """Who claims to be a sender of the stream, at the MX, gets nothing signed by us."""
    async with sending(tmp_path) as system:
        async with connected(system) as client:
            for line in ("EHLO x.test", f"MAIL FROM:<{BOB}>", f"RCPT TO:<{BOB}>", "DATA"):
                assert (await client.ask(line))[0] in "23"
            client.send(HTML + b"<a href=https://evil.test/>x</a>\r\n.\r\n")
            assert (await client.reply()).startswith("250")
        (copy,) = await inbox(system, wait_for=1)
        assert b"go.us.test" not in copy
        assert b"List-Unsubscribe" not in copy


async def test_no_open_redirect_and_no_split_answer(tmp_path: Path) -> None:
    async with sending(tmp_path) as system, http(system) as client:
        evil = b"https://evil.test/\r\nSet-Cookie: x=1"
        encoded = base64.urlsafe_b64encode(evil).decode().rstrip("=")
        other = LinkTokens(b"the secret of somebody else").make(
            ClickLink(1, 0, "https://evil.test/"), time.time() + 1e6
        )
        good = system.office.link_tokens.make(ClickLink(1, 0, "https://a.test/"), time.time())
        token = good.split("/")[2]
        for path in (
            other,
            f"/c/{token}/{encoded}",
            f"/c/{token}/https%3A%2F%2Fevil.test%2F",
            f"/c/{token}?url=https://evil.test/",
            f"{good}?url=https://evil.test/",
            "//evil.test/%2e%2e",
            "/c/%0d%0aSet-Cookie:x",
            "/c/" + "A" * 20_000,
        ):
            answer = await client.get(path, headers=GO)
            location = answer.headers.get("Location", "")
            assert location in ("", "https://a.test/")
            assert answer.status_code in (302, 404)
            assert (answer.status_code == 302) == (path.startswith(good))
            assert "set-cookie" not in answer.headers


async def test_nobody_is_unsubscribed_by_guessing(tmp_path: Path) -> None:
    async with sending(tmp_path) as system, http(system) as client:
        jo = Address("jo", "far.test")
        good = system.office.link_tokens.make(UnsubscribeLink(1, "news", jo))
        octets = base64.urlsafe_b64decode(good.removeprefix("/u/") + "=" * 3)
        forged = octets.replace(b"jo@far.test", b"ann@far.test")
        paths = ["/u/" + base64.urlsafe_b64encode(forged).decode().rstrip("=")]
        paths += [good[:-1] + letter for letter in "ABCDEFGH" if not good.endswith(letter)]
        for path in paths:
            answer = await client.post(path, headers=LEAVE, data={"List-Unsubscribe": "One-Click"})
            assert answer.status_code == 404
        # A link of another stream's page, a script of another site: only the body counts.
        assert (await client.post(good, headers=LEAVE, json={})).status_code == 400
        assert await system.store.suppressions.page() == []


async def test_a_thousand_clicks_at_once_are_one_wish(tmp_path: Path) -> None:
    async with sending(tmp_path) as system, http(system) as client:
        assert (await submit(system, HTML + b"x\r\n")).startswith("250")
        (copy,) = await inbox(system, wait_for=1)
        link = copy.partition(b"<https://leave.us.test")[2].partition(b">")[0].decode()
        wish = {"List-Unsubscribe": "One-Click"}
        answers = await asyncio.gather(
            *(client.post(link, headers=LEAVE, data=wish) for _ in range(200))
        )
        assert {each.status_code for each in answers} == {200}
        (entry,) = await system.store.suppressions.page()
        assert str(entry.address) == BOB
        changes = [event.change for event in await system.store.journey.after(0)]
        assert sum(isinstance(each, Unsubscribed) for each in changes) == 1
