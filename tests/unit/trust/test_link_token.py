"""Links of ours: there and back, and what is none of ours."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Address
from postroad.trust.link_token import (
    MAX_TARGET_OCTETS,
    ClickLink,
    LinkExpired,
    LinkInvalid,
    LinkTokens,
    OpenLink,
    UnsubscribeLink,
)

NOW = 1_790_000_000.0
DAY = 86_400.0
TOKENS = LinkTokens(b"s" * 32)
BOB = Address("bob", "receiver.test")
CLICK = ClickLink(7, 0, "https://shop.test/?a=1&b=%20#x")
LINKS = [UnsubscribeLink(7, "news", BOB), OpenLink(7, 3), CLICK]


@pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)
def test_there_and_back(link: UnsubscribeLink | OpenLink | ClickLink) -> None:
    assert TOKENS.read(TOKENS.make(link, NOW + 99 * DAY), NOW + 99 * DAY) == link


@given(
    st.integers(0, 2**63 - 1),
    st.integers(0, 65_535),
    st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=500),
)
def test_any_target_comes_back(message: int, ordinal: int, target: str) -> None:
    link = ClickLink(message, ordinal, target)
    assert TOKENS.read(TOKENS.make(link, NOW), NOW) == link


@pytest.mark.parametrize("link", LINKS, ids=lambda link: type(link).__name__)
def test_every_changed_letter_is_found(link: UnsubscribeLink | OpenLink | ClickLink) -> None:
    path = TOKENS.make(link, NOW)
    for place in range(3, len(path)):
        other = "A" if path[place] != "A" else "B"
        with pytest.raises(LinkInvalid):
            TOKENS.read(path[:place] + other + path[place + 1 :], NOW)


@given(st.text(max_size=200))
def test_anything_else_is_none_of_ours(text: str) -> None:
    for path in (text, f"/u/{text}", f"/o/{text}", f"/c/{text}", f"/c/{text}/{text}"):
        with pytest.raises(LinkInvalid):
            TOKENS.read(path, NOW)


def test_no_kind_is_taken_for_another() -> None:
    opened = TOKENS.make(OpenLink(7, 0), NOW)
    token = opened.removeprefix("/o/").removesuffix(".gif")
    for path in (f"/c/{token}/", f"/u/{token}", f"/c/{token}/{_text(b'https://evil.test/')}"):
        with pytest.raises(LinkInvalid):
            TOKENS.read(path, NOW)


def test_a_target_cannot_be_put_into_another_link() -> None:
    first, second = (TOKENS.make(ClickLink(7, 0, f"https://{n}.test/"), NOW) for n in "ab")
    mixed = first.rpartition("/")[0] + "/" + second.rpartition("/")[2]
    with pytest.raises(LinkInvalid, match="not made here"):
        TOKENS.read(mixed, NOW)


def test_octets_do_not_move_between_token_and_target() -> None:
    _, _, token, target = TOKENS.make(CLICK, NOW).split("/")
    octets, aimed = _octets(token), _octets(target)
    moved = octets[:-16] + aimed[:1] + octets[-16:]
    with pytest.raises(LinkInvalid, match="no link of this form"):
        TOKENS.read(f"/c/{_text(moved)}/{_text(aimed[1:])}", NOW)


def test_age() -> None:
    for link in (CLICK, OpenLink(7, 0)):
        path = TOKENS.make(link, NOW)
        with pytest.raises(LinkExpired):
            TOKENS.read(path, NOW + DAY)
        assert TOKENS.read(path, NOW - 1_000 * DAY) == link
        assert TOKENS.read(TOKENS.make(link, 1e12), NOW) == link  # as late as can be said
    unsubscribe = UnsubscribeLink(7, "news", BOB)
    assert TOKENS.read(TOKENS.make(unsubscribe), NOW + 9_999 * DAY) == unsubscribe


def test_another_secret_is_another_server() -> None:
    path = LinkTokens(b"t" * 32).make(CLICK, NOW)
    with pytest.raises(LinkInvalid, match="not made here"):
        TOKENS.read(path, NOW)


def test_limits() -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        LinkTokens(b"short")
    with pytest.raises(ValueError, match="2000 octets"):
        TOKENS.make(ClickLink(7, 0, "https://a.test/" + "a" * MAX_TARGET_OCTETS), NOW)
    with pytest.raises(LinkInvalid):
        TOKENS.read("/u/" + "A" * 1_000_000, NOW)


def test_a_name_in_another_script_comes_back() -> None:
    link = UnsubscribeLink(7, "", Address.parse("jürgen@räksmörgås.example"))
    assert TOKENS.read(TOKENS.make(link, NOW), NOW) == link


def _text(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


def _octets(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
