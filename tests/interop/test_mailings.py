"""The whole road of mail with links: handed in by SMTP, delivered and read by POP3 in the lab; links
followed by an HTTP client; and what the journey says of it all.
"""

import asyncio
import email
import email.policy
import re
from collections.abc import AsyncIterator, Sequence
from email.message import EmailMessage

import httpx
import pytest
from msgspec import Struct

from postroad.lab.world import Sent, World
from postroad.model import Address, SuppressionReason, parse_id

NEWS, CODES = "news@shop.test", "codes@shop.test"
PERSON = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Thunderbird/140.0"
}
STREAMS = {
    "news": {
        "senders": [NEWS],
        "kind": "broadcast",
        "unsubscribe_domain": "leave.shop.test",
        "unsubscribe_address": "leave@shop.test",
        "track_opens": True,
        "track_clicks": True,
        "tracking_domain": "go.shop.test",
    },
    "bills": {
        "senders": ["bills@shop.test"],
        "kind": "transactional",
        "dkim_domain": "signer.test",
        "lifetime_seconds": 600,
    },
}


class Scene(Struct, frozen=True):
    """Two sites, of which shop.test has a stream with links; a client of its HTTP server."""

    world: World
    http: httpx.AsyncClient

    async def send(self, to: Sequence[str], sender: str = NEWS, cte: str | None = None) -> Sent:
        message = EmailMessage(policy=email.policy.SMTP)
        message["From"] = sender
        message["To"] = "subscribers:;"
        message["Subject"] = "Grüße"
        message.set_content("Read https://shop.test/spring\n")
        message.add_alternative(
            '<html><body><p>Grüße, <a href="https://shop.test/spring?a=1&amp;b=2">read</a>, '
            '<a href="https://shop.test/raw" data-no-track>this</a> or '
            '<a href="mailto:us@shop.test">write</a></p></body></html>\n',
            subtype="html",
            cte=cte,
        )
        return await self.world.send(sender, list(to), message.as_bytes())

    async def read(self, address: str, count: int = 1) -> EmailMessage:
        found = await self.world.wait_for(address, count=count)
        parsed = email.message_from_bytes(found[-1], policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)
        return parsed

    async def follow(self, link: str, method: str = "GET", **how: object) -> httpx.Response:
        """Ask the server for a link as if the DNS led there."""
        url = httpx.URL(link)
        headers = {**PERSON, "Host": url.host}
        return await self.http.request(method, url.raw_path.decode(), headers=headers, **how)  # type: ignore[arg-type]

    async def journey(self, queue_id: str) -> list[tuple[str, str]]:
        journey = await self.world.journey(queue_id)
        return [(line.what, line.text) for line in journey.lines]

    async def noted(self, queue_id: str) -> list[tuple[str, str]]:
        kinds = ("opened", "clicked", "unsubscribed")
        return [each for each in await self.journey(queue_id) if each[0] in kinds]

    async def listed(self, address: str) -> list[SuppressionReason]:
        store = self.world.sites["shop.test"].office.store.suppressions
        return [each.reason for each in await store.of("news", [Address.parse(address)])]


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with World() as world:
        site = await world.add_domain("shop.test", ["news", "codes", "bills"])
        await world.add_domain("signer.test", site=site)
        await world.add_domain("there.test", ["ann", "bob", "cy"])
        await site.stop()
        changed = {**site.config.model_dump(), "streams": STREAMS}
        changed["listen"] = {**changed["listen"], "http": ["127.0.0.1:0"]}
        site.config = type(site.config).model_validate(changed)
        await site.start()
        host, port = site.system.listening["http"][0]
        async with httpx.AsyncClient(base_url=f"http://{host}:{port}", timeout=30) as http:
            yield Scene(world, http)


def links(message: EmailMessage) -> tuple[str, str]:
    """The links of List-Unsubscribe: of the web, and the address for mail."""
    web, mail = re.findall(r"<([^>]+)>", str(message["List-Unsubscribe"]))
    return web, mail.removeprefix("mailto:").removesuffix("?subject=unsubscribe")


def html(message: EmailMessage) -> str:
    body = message.get_body(("html",))
    assert body is not None
    text = body.get_content()
    assert isinstance(text, str)
    return text


async def test_each_recipient_has_a_copy_that_is_signed(scene: Scene) -> None:
    people = ["ann@there.test", "bob@there.test", "cy@there.test"]
    sent = await scene.send(people)
    got = [await scene.read(each) for each in people]
    for message, address in zip(got, people, strict=True):
        # The signature covers both fields, and the receiving server has found it good.
        assert "dkim=pass" in str(message["Authentication-Results"])
        signed = str(message["DKIM-Signature"]).lower()
        assert "list-unsubscribe" in signed
        assert "list-unsubscribe-post" in signed
        assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert f"for <{address}>" in str(message["Received"])
        text = html(message)
        assert 'href="https://shop.test/raw" data-no-track' in text
        assert 'href="mailto:us@shop.test"' in text
        assert "https://shop.test/spring" not in text
        assert "Grüße" in text
        plain = message.get_body(("plain",))
        assert plain is not None
        assert plain.get_content().strip() == "Read https://shop.test/spring"
    assert len({str(each["List-Unsubscribe"]) for each in got}) == 3
    assert len({str(each["Message-ID"]) for each in got}) == 1
    told = dict(await scene.journey(sent))
    assert len((await scene.world.journey(sent)).deliveries) == 1
    checks = [text for what, text in await scene.journey(sent) if what == "check"]
    assert any("copy 1 of 3 of a mailing" in text for text in checks)
    assert told["delivered"]


@pytest.mark.parametrize("cte", ["quoted-printable", "base64", "8bit"])
async def test_links_and_picture(scene: Scene, cte: str) -> None:
    sent = await scene.send(["bob@there.test"], cte=cte)
    message = await scene.read("bob@there.test")
    assert "dkim=pass" in str(message["Authentication-Results"])
    text = html(message)
    (click,) = re.findall(r'href="(https://go\.shop\.test/c/[^"]+)"', text)
    (picture,) = re.findall(r'src="(https://go\.shop\.test/o/[^"]+)"', text)
    await scene.world.settled(sent)
    assert await scene.noted(sent) == []
    answer = await scene.follow(click)
    assert answer.status_code == 302
    assert answer.headers["Location"] == "https://shop.test/spring?a=1&b=2"
    assert (await scene.follow(picture)).headers["Content-Type"] == "image/gif"
    told = [(what, text.partition(",")[0]) for what, text in await scene.noted(sent)]
    assert told == [
        ("clicked", "bob@there.test: https://shop.test/spring?a=1&b=2"),
        ("opened", "bob@there.test"),
    ]
    # Forged: another target, another token, another letter.
    token, target = click.rsplit("/", 1)
    for forged in (f"{token}/aHR0cHM6Ly9ldmlsLnRlc3Qv", f"{token}x/{target}", f"{click}A"):
        answer = await scene.follow(forged)
        assert answer.status_code == 404
        assert "Location" not in answer.headers
    assert len(await scene.noted(sent)) == 2


async def test_one_click_as_large_providers_do_it(scene: Scene) -> None:
    sent = await scene.send(["ann@there.test", "bob@there.test"])
    message = await scene.read("bob@there.test")
    web, _ = links(message)
    # Scanners follow all links: that unsubscribes nobody.
    for method in ("GET", "HEAD", "OPTIONS"):
        await scene.follow(web, method)
    assert await scene.listed("bob@there.test") == []
    # RFC 8058: a POST without cookies, with what List-Unsubscribe-Post says as its body.
    for _ in range(2):
        answer = await scene.follow(web, "POST", data={"List-Unsubscribe": "One-Click"})
        assert answer.status_code == 200
    assert await scene.listed("bob@there.test") == [SuppressionReason.UNSUBSCRIBE]
    assert await scene.listed("ann@there.test") == []
    # The next mailing goes to the other one alone.
    again = await scene.send(["ann@there.test", "bob@there.test"])
    await scene.read("ann@there.test", count=2)
    assert len(await scene.world.inbox("bob@there.test")) == 1
    assert again != sent
    # Another stream goes on: bob wanted no news, and gets his codes.
    await scene.world.send(CODES, "bob@there.test", subject="Your code")
    assert (await scene.read("bob@there.test", count=2))["Subject"] == "Your code"


async def test_who_unsubscribes_is_in_the_journey(scene: Scene) -> None:
    sent = await scene.send(["bob@there.test"])
    web, _ = links(await scene.read("bob@there.test"))
    page = await scene.follow(web)
    assert page.text.count("<button") == 1
    name, value = re.findall(r'<button name="([^"]+)" value="([^"]+)"', page.text)[0]
    done = await scene.follow(web, "POST", data={name: value})
    assert "You are unsubscribed" in done.text
    assert await scene.noted(sent) == [
        ("unsubscribed", "bob@there.test: wants nothing of news any more (page)")
    ]
    (entry,) = await scene.world.sites["shop.test"].office.suppressions.find("news")
    assert entry.evidence.startswith(sent)


async def test_by_mail(scene: Scene) -> None:
    sent = await scene.send(["bob@there.test"])
    _, address = links(await scene.read("bob@there.test"))
    await scene.world.send("bob@there.test", address, subject="unsubscribe")
    for _ in range(500):
        if await scene.listed("bob@there.test"):
            break
        await asyncio.sleep(0.02)
    assert await scene.listed("bob@there.test") == [SuppressionReason.UNSUBSCRIBE]
    assert await scene.noted(sent) == [
        ("unsubscribed", "bob@there.test: wants nothing of news any more (mail)")
    ]


async def test_other_mail_is_not_touched(scene: Scene) -> None:
    sent = await scene.send(["bob@there.test"], sender=CODES)
    message = await scene.read("bob@there.test")
    assert message["List-Unsubscribe"] is None
    (raw,) = await scene.world.inbox("bob@there.test")
    assert sent.data.partition(b"\r\n\r\n")[2] == raw.partition(b"\r\n\r\n")[2]
    # Mail from outside that only claims to be of the sender has no links either.
    await scene.world.send("ann@there.test", "codes@shop.test", subject="in")
    inward = await scene.read("codes@shop.test")
    assert inward["List-Unsubscribe"] is None


async def test_copies_for_mailboxes_here(scene: Scene) -> None:
    await scene.send(["codes@shop.test", "bob@there.test"])
    here, there = await scene.read("codes@shop.test"), await scene.read("bob@there.test")
    assert links(here) != links(there)
    web, _ = links(here)
    await scene.follow(web, "POST", data={"List-Unsubscribe": "One-Click"})
    assert await scene.listed("codes@shop.test") == [SuppressionReason.UNSUBSCRIBE]


async def test_the_journeys_of_all_copies_are_found(scene: Scene) -> None:
    sent = await scene.send(["ann@there.test", "bob@there.test"])
    message = await scene.read("ann@there.test")
    await scene.read("bob@there.test")
    office = scene.world.sites["shop.test"].office
    found = await office.store.journey.find(message_id=str(message["Message-ID"]))
    assert len(found) == 2
    assert parse_id(sent) in {each.id for each in found}


async def test_a_stream_may_be_signed_by_another_domain(scene: Scene) -> None:
    for sender, signer in (("bills@shop.test", "signer.test"), (CODES, "shop.test")):
        sent = await scene.world.send(sender, "cy@there.test", subject=signer)
        found = await scene.read("cy@there.test", count=1 if signer == "signer.test" else 2)
        assert f"d={signer};" in str(found["DKIM-Signature"])
        results = str(found["Authentication-Results"])
        assert re.search(rf"dkim=pass \(256-bit key\)\s+header\.d={re.escape(signer)}", results)
        await scene.world.settled(sent)
