"""Client and server machine against each other: every split of the stream gives the same dialogue."""

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from postroad.wire.smtp import ClientEvent, DataChunk, DataReady, ServerEvent
from tests.unit.wire.smtp.dialogue import Cut, Road, bytewise, envelope, recipients, road, whole

BODY = b"Subject: dots\r\n\r\n.\r\n..a\r\n\r\n.b\r\nend"


class Outcome(NamedTuple):
    heard: list[ClientEvent]
    asked: list[ServerEvent]
    bodies: list[bytes]
    to_server: bytes
    to_client: bytes


def dialogue(link: Road) -> Outcome:
    """Two messages, the second's envelope behind the first's end, then a third that fails; QUIT."""
    client = link.client
    client.mail(envelope(), recipients("a@b", "nobody@b", "full@b"), len(BODY), 1.0)
    assert DataReady() in link.run()
    client.body(BODY[:20], 1.0)
    client.body(BODY[20:], 1.0)
    client.end(1.0)
    if client.pipelining:
        client.mail(envelope(""), recipients("c@d"), 2, 1.0)
        assert DataReady() in link.run()
        client.end(1.0)
    link.run()
    client.mail(envelope(), recipients("nobody@b"), 1, 1.0)
    link.run()
    client.quit(1.0)
    link.run()
    server = link.clerk
    return Outcome(
        link.events,
        [event for event in server.events if not isinstance(event, DataChunk)],
        [message.body for message in server.messages],
        bytes(link.sent),
        bytes(link.heard),
    )


def split_at(place: int) -> Cut:
    """Cuts the stream, over all its pieces, once at `place`."""
    seen = 0

    def cut(data: bytes) -> Iterable[bytes]:
        nonlocal seen
        at = place - seen
        seen += len(data)
        return (data[:at], data[at:]) if 0 < at < len(data) else (data,)

    return cut


def plain(to_server: Cut = whole, to_client: Cut = whole, **offers: bool) -> Outcome:
    return dialogue(road(to_server, to_client, **offers))


KINDS: list[dict[str, Any]] = [
    {},
    {"lmtp": True},
    {"prefer_chunking": True},
    {"lmtp": True, "prefer_chunking": True},
]


@pytest.mark.parametrize("kind", KINDS)
def test_known_answer(kind: dict[str, Any]) -> None:
    outcome = plain(**kind)
    assert outcome.bodies == [BODY + b"\r\n", b""]


@pytest.mark.parametrize("kind", KINDS)
def test_byte_by_byte(kind: dict[str, Any]) -> None:
    expected = plain(**kind)
    assert plain(bytewise, whole, **kind) == expected
    assert plain(whole, bytewise, **kind) == expected
    assert plain(bytewise, bytewise, **kind) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_split_in_two_at_each_place(kind: dict[str, Any]) -> None:
    expected = plain(**kind)
    for place in range(1, len(expected.to_server)):
        assert plain(split_at(place), whole, **kind) == expected, place
    for place in range(1, len(expected.to_client)):
        assert plain(whole, split_at(place), **kind) == expected, place


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_split_anyhow(data: st.DataObject) -> None:
    def cut(octets: bytes) -> Iterable[bytes]:
        places = data.draw(st.lists(st.integers(0, len(octets)), max_size=5))
        edges = sorted({0, len(octets), *places})
        return [octets[start:end] for start, end in pairwise(edges)]

    kind = data.draw(st.sampled_from(KINDS))
    assert plain(cut, cut, **kind) == plain(**kind)


@given(
    st.lists(st.sampled_from([b".", b"..", b"", b"a", b"x" * 300]), max_size=30),
    st.integers(1, 400),
    st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_body_arrives_as_it_was_sent(lines: list[bytes], step: int, chunking: bool) -> None:
    body = b"".join(line + b"\r\n" for line in lines)
    link = road(prefer_chunking=chunking)
    link.client.mail(envelope(), recipients("a@b"), len(body), 1.0)
    link.run()
    for start in range(0, len(body), step):
        link.client.body(body[start : start + step], 1.0)
        link.run()
    link.client.end(1.0)
    link.run()
    assert [message.body for message in link.clerk.messages] == [body]


def test_without_pipelining_the_same_messages_come() -> None:
    link = road()
    link.client.pipelining = False
    assert dialogue(link).bodies == [BODY + b"\r\n"]


def test_states_agree_at_every_rest() -> None:
    link = road()
    states = [(link.client._state, link.clerk.server._state)]
    steps: list[Callable[[], None]] = [
        lambda: link.client.mail(envelope(), recipients("a@b"), 1, 1.0),
        lambda: link.client.end(1.0),
        lambda: link.client.mail(envelope(), recipients("nobody@b"), 1, 1.0),
        lambda: link.client.reset(1.0),
        lambda: link.client.quit(1.0),
    ]
    for step in steps:
        step()
        link.run()
        states.append((link.client._state, link.clerk.server._state))
    assert all(ours == theirs for ours, theirs in states)
    assert len({ours for ours, _ in states}) >= 4
