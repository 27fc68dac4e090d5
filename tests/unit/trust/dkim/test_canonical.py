import hashlib
import re
import time
import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dkim.canonical import BodyHasher, BodyKind, Form, field

SIMPLE = BodyKind(Form.SIMPLE)
RELAXED = BodyKind(Form.RELAXED)

bodies = st.lists(
    st.sampled_from(
        [b"\r\n", b"\r", b"\n", b" ", b"\t", b"a", b"word", b"\0", b"\xff", b"\r\n\r\n"]
    ),
    max_size=40,
).map(b"".join)


def plain(body: bytes, form: Form) -> bytes:
    """The canonical form as RFC 6376 §3.4.3 and §3.4.4 say it, line by line."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    lines = body.split(b"\r\n")[:-1]
    if form is Form.RELAXED:
        lines = [re.sub(rb"[ \t]+", b" ", line).rstrip(b" ") for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    if not lines:
        return b"\r\n" if form is Form.SIMPLE else b""
    return b"".join(line + b"\r\n" for line in lines)


def pieces(body: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(body) + 1) for cut in cuts), len(body)]
    return [body[start:end] for start, end in pairwise(edges)]


@given(bodies, st.lists(st.integers(0, 200), max_size=6), st.integers(0, 60))
def test_a_body_in_any_pieces_has_the_hash_of_its_canonical_form(
    body: bytes, cuts: list[int], length: int
) -> None:
    kinds = [SIMPLE, RELAXED, BodyKind(Form.SIMPLE, length), BodyKind(Form.RELAXED, length)]
    hasher = BodyHasher(kinds)
    for piece in pieces(body, cuts):
        hasher.write(piece)
    for kind in kinds:
        canonical = plain(body, kind.form)
        assert hasher.length(kind.form) == len(canonical)
        assert hasher.digest(kind) == hashlib.sha256(canonical[: kind.length]).digest()


@given(bodies)
def test_octet_by_octet(body: bytes) -> None:
    hasher = BodyHasher((SIMPLE, RELAXED))
    for octet in body:
        hasher.write(bytes((octet,)))
    assert hasher.digest(SIMPLE) == hashlib.sha256(plain(body, Form.SIMPLE)).digest()
    assert hasher.digest(RELAXED) == hashlib.sha256(plain(body, Form.RELAXED)).digest()


def test_every_split_of_a_telling_body() -> None:
    body = b" C \r\nD \t E\r\n \r\r\n\n\r\n\r\n \t\r\n\r\n"
    for first in range(len(body) + 1):
        for second in range(first, len(body) + 1):
            hasher = BodyHasher((SIMPLE, RELAXED))
            for piece in (body[:first], body[first:second], body[second:]):
                hasher.write(piece)
            for kind in (SIMPLE, RELAXED):
                expected = hashlib.sha256(plain(body, kind.form)).digest()
                assert hasher.digest(kind) == expected, (first, second, kind)


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        # RFC 6376 §3.4.5, example 1 and 2
        (Form.RELAXED, b"a:X\r\nb:Y Z\r\n"),
        (Form.SIMPLE, b"A: X\r\nB : Y\t\r\n\tZ  \r\n"),
    ],
)
def test_fields_as_in_the_rfc(form: Form, expected: bytes) -> None:
    assert field(b"A: X\r\n", form) + field(b"B : Y\t\r\n\tZ  \r\n", form) == expected


@pytest.mark.parametrize("form", Form)
def test_empty_bodies(form: Form) -> None:
    # RFC 6376 §3.4.3, §3.4.4: the hashes of CRLF and of nothing
    hashes = {
        Form.SIMPLE: hashlib.sha256(b"\r\n").hexdigest(),
        Form.RELAXED: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    }
    for body in (b"", b"\r\n", b"\r\n\r\n"):
        hasher = BodyHasher((BodyKind(form),))
        hasher.write(body)
        assert hasher.digest(BodyKind(form)).hex() == hashes[form]


def test_a_field_without_line_end_gets_one() -> None:
    assert field(b"A: x", Form.SIMPLE) == b"A: x\r\n"
    assert field(b"A: x", Form.RELAXED) == b"a:x\r\n"


@pytest.mark.parametrize("unit", [b"\r\n", b" ", b"\t \r\n", b"\r", b"\n", b" \r"])
def test_time_and_memory_are_bounded_for_hostile_bodies(unit: bytes) -> None:
    hasher = BodyHasher((SIMPLE, RELAXED))
    chunk = unit * (65_536 // len(unit))
    tracemalloc.start()
    before = time.process_time()
    for _ in range(64):
        hasher.write(chunk)
    hasher.write(b"x")
    hasher.digest(SIMPLE)
    took = time.process_time() - before
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert took < 2
    assert peak < 2_000_000
