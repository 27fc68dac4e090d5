"""Requests and answers come out of any split of the stream as they went in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import KeySet, StoredKey
from postroad.runtime.signing import frames

Parts = tuple[int, int, float, bytes, bytes]
requests = st.tuples(
    st.integers(1, 5),
    st.integers(0, 2**32 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=50),
    st.binary(max_size=50),
)


@given(st.lists(requests, max_size=5), st.lists(st.integers(1, 40), max_size=40))
def test_requests_at_any_split(sent: list[Parts], sizes: list[int]) -> None:
    stream = b"".join(frames.request(*each) for each in sent)
    reader, came, at = frames.FrameReader(), [], 0
    for size in [*sizes, len(stream) + 1]:
        came += [frames.read_request(each) for each in reader.feed(stream[at : at + size])]
        at += size
    assert [(r.kind, r.number, r.now, r.head, r.body) for r in came] == sent


def test_an_answer() -> None:
    (came,) = frames.FrameReader().feed(frames.answer(frames.FAILED, b"why"))
    assert (came[0], came[1:]) == (frames.FAILED, b"why")


def test_keys() -> None:
    key = StoredKey("a.test", "s1", "rsa-sha256", "the key", 12.5, signs_from=13.0)
    (came,) = frames.FrameReader().feed(frames.keys(KeySet(7, (key,), "words")))
    request = frames.read_request(came)
    assert (request.kind, request.number) == (frames.KEYS, 7)
    assert frames.read_keys(request.body) == (key,)


@pytest.mark.parametrize("size", [b"\0\0\0\0", b"\xff\xff\xff\xff"])
def test_what_is_no_frame(size: bytes) -> None:
    with pytest.raises(frames.BrokenFrame):
        frames.FrameReader().feed(size)


@pytest.mark.parametrize("frame", [b"x", frames.request(3, 1, 0.0, b"head", b"")[4:-1]])
def test_what_is_no_request(frame: bytes) -> None:
    with pytest.raises(frames.BrokenFrame):
        frames.read_request(frame)
