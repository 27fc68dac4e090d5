"""Copies of a message: what each recipient gets, and what is left alone."""

import re

import pytest

from postroad.model import Address, Recipient
from postroad.service.mailing import Mailing, Mailings, StreamLinks, one_each
from postroad.service.recipients import Accepted, Target
from postroad.trust.link_token import ClickLink, LinkInvalid, LinkTokens, OpenLink, UnsubscribeLink
from postroad.trust.return_path import ReturnPaths, ReturnTo
from tests.unit.service.test_returns import NOW, Clock

BOB, FAY = Address("bob", "here.test"), Address("fay", "far.test")
LEAVE = Address("leave", "us.test")
TOKENS, PATHS = LinkTokens(b"l" * 32), ReturnPaths(b"p" * 32)
NEWS = StreamLinks("news", "news.us.test", LEAVE, "go.us.test", opens=True, clicks=True)
HTML = (
    b"Subject: x\r\nContent-Type: text/html\r\n\r\n"
    b"<a href=https://shop.test/a>1</a><a href=https://shop.test/unsubscribe?u=1>2</a>"
    b"<a href=https://news.us.test/x>3</a><a href=https://go.us.test/c>4</a>\r\n"
)


def mailing(links: StreamLinks = NEWS, data: bytes = HTML, max_octets: int = 10_000) -> Mailing:
    begun = Mailings(
        {links.stream: links}, tokens=TOKENS, paths=PATHS, clock=Clock(), max_octets=max_octets
    ).begin(links.stream)
    assert begun is not None
    begun.write(data[:10])
    begun.write(data[10:])
    return begun


def test_only_streams_with_links_have_mailings() -> None:
    mailings = Mailings({"news": NEWS}, tokens=TOKENS, paths=PATHS, clock=Clock(), max_octets=9)
    assert mailings.begin("codes") is None
    assert mailings.begin("") is None
    assert mailings.begin("news") is not None


def test_each_copy_has_its_own_links() -> None:
    begun = mailing()
    for number, to in ((7, BOB), (8, FAY)):
        copy = begun.copy(number, to).decode()
        header, _, body = copy.partition("\r\n\r\n")
        leave, by_mail = re.findall(r"<([^>]+)>", header)
        assert leave.startswith("https://news.us.test/u/")
        path = leave.removeprefix("https://news.us.test")
        assert TOKENS.read(path, NOW) == UnsubscribeLink(number, "news", to)
        mark = Address.parse(by_mail.removeprefix("mailto:").removesuffix("?subject=unsubscribe"))
        assert PATHS.read(mark, NOW) == ReturnTo(number, 0)
        assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in header
        (click,) = re.findall(r"https://go\.us\.test(/c/[^\"]+)\"", body)
        assert TOKENS.read(click, NOW + 364 * 86_400) == ClickLink(number, 0, "https://shop.test/a")
        with pytest.raises(LinkInvalid):
            TOKENS.read(click, NOW + 367 * 86_400)
        (seen,) = re.findall(r"https://go\.us\.test(/o/[^\"]+)\"", body)
        assert TOKENS.read(seen, NOW) == OpenLink(number, 0)
        for left in ("shop.test/unsubscribe?u=1", "news.us.test/x", "go.us.test/c>"):
            assert f"href=https://{left}" in body
    assert begun.words(2, 3, "ID") == (
        "copy 2 of 3 of a mailing that began with ID, a link to unsubscribe, 1 link tracked, "
        "a picture tracked"
    )


def test_what_a_message_brings_stays() -> None:
    own = b"List-Unsubscribe: <https://shop.test/leave>\r\n"
    data = own + HTML.replace(b"https://shop.test/a>", b"https://shop.test/leave>")
    begun = mailing(data=data)
    copy = begun.copy(7, BOB)
    assert copy.startswith(own)
    assert b"One-Click" not in copy
    assert b"href=https://shop.test/leave>" in copy
    assert begun.words(1, 1, "ID") == (
        "it brings List-Unsubscribe, 0 links tracked, a picture tracked"
    )


def test_only_what_the_stream_asks_for() -> None:
    opens = mailing(StreamLinks("a", tracking_domain="go.us.test", opens=True)).copy(7, BOB)
    assert b"/o/" in opens
    assert b"/c/" not in opens
    assert b"List-" not in opens
    leave = mailing(StreamLinks("a", "news.us.test")).copy(7, BOB)
    assert leave.endswith(HTML)
    assert b"mailto:" not in leave
    clicks = mailing(StreamLinks("a", tracking_domain="go.us.test", clicks=True)).copy(7, BOB)
    assert b"/c/" in clicks
    assert b"<img" not in clicks


def test_text_alone_is_left_as_it_is() -> None:
    text = b"Subject: x\r\n\r\nhttps://shop.test/a\r\n"
    begun = mailing(data=text)
    assert begun.copy(7, BOB).endswith(text)
    assert begun.words(1, 1, "ID").endswith("0 links tracked, no HTML for a picture")


def test_copies_have_a_limit() -> None:
    begun = mailing(data=b"x" * 100, max_octets=300)
    assert begun.refusal(3) is None
    refused = begun.refusal(4)
    assert refused is not None
    assert (refused.code, refused.enhanced) == (552, "5.3.4")
    assert "4 copies have more than 300 octets" in refused.text
    assert mailing(data=b"x" * 400, max_octets=300).refusal(1) is not None


def test_one_copy_for_each_place() -> None:
    here, there = Target(BOB, BOB, "local", 5), Target(FAY, BOB, FAY.domain, None)
    taken = [Accepted(Recipient(BOB), (here, there)), Accepted(Recipient(FAY), (there,))]
    assert [each.targets for each in one_each(taken)] == [(here,), (there,)]


def test_long_addresses_fit_into_the_field() -> None:
    long = Address("a" * 64, ".".join(["b" * 60] * 3))
    copy = mailing().copy(7, long)
    assert max(map(len, copy.split(b"\r\n"))) < 998
    path = re.findall(rb"<https://news\.us\.test(/u/[^>]+)>", copy)[0].decode()
    assert TOKENS.read(path, NOW) == UnsubscribeLink(7, "news", long)


def test_the_text_may_have_the_link_too() -> None:
    data = b"Subject: x\r\n\r\nLeave: https://news.us.test/u/\r\n"
    begun = mailing(data=data)
    copy = begun.copy(7, BOB).decode()
    header, _, body = copy.partition("\r\n\r\n")
    link = re.findall(r"<(https://[^>]+)>", header)[0]
    assert body == f"Leave: {link}\r\n"
    assert begun.words(1, 1, "ID").startswith("a link to unsubscribe, another in the text, ")
    # What is there for others is not ours to change.
    assert (
        mailing(StreamLinks("a", tracking_domain="go.us.test", clicks=True), data).copy(7, BOB)
        == data
    )
