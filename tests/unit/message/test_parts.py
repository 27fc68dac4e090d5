"""Leaves of MIME messages, also of hostile ones."""

import base64
import time
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.parts import MAX_DEPTH, MAX_PARTS, parts_of


def test_what_the_library_writes_is_read() -> None:
    message = EmailMessage()
    message.set_content("hällo\n")
    data = bytes(range(256)) * 3
    message.add_attachment(data, maintype="application", subtype="gzip", filename="a b.gz")
    text, file = parts_of(message.as_bytes())
    assert (text.media_type, text.body.decode().strip()) == ("text/plain", "hällo")
    assert (file.media_type, file.filename, file.body) == ("application/gzip", "a b.gz", data)


def test_a_message_without_parts() -> None:
    (part,) = parts_of(b"Subject: x\r\n\r\nhello\r\n")
    assert (part.media_type, part.body) == ("text/plain", b"hello\r\n")
    (part,) = parts_of(b"")
    assert part.body == b""


def multipart(*bodies: bytes, boundary: bytes = b"b", end: bytes = b"--b--\r\n") -> bytes:
    head = b'Content-Type: multipart/mixed; boundary="' + boundary + b'"\r\n\r\npreamble\r\n'
    return head + b"".join(b"--" + boundary + b"\r\n" + each + b"\r\n" for each in bodies) + end


def test_an_end_that_is_missing() -> None:
    data = multipart(b"\r\none", b"\r\ntwo", end=b"")
    assert [part.body.strip() for part in parts_of(data)] == [b"one", b"two"]


def test_epilogue_and_preamble_are_no_parts() -> None:
    data = multipart(b"\r\none") + b"--b\r\n\r\nlate\r\n"
    assert [part.body for part in parts_of(data)] == [b"one"]


def test_a_message_within_is_a_leaf() -> None:
    inner = b"Subject: x\r\n\r\nhello"
    data = multipart(b"Content-Type: message/rfc822\r\n\r\n" + inner, b"\r\nbehind")
    assert [(part.media_type, part.body) for part in parts_of(data)] == [
        ("message/rfc822", inner),
        ("text/plain", b"behind"),
    ]


def test_a_boundary_within_another() -> None:
    inner = multipart(b"\r\ndeep", boundary=b"bb", end=b"--bb--\r\n")
    data = multipart(inner, b"\r\nshallow")
    assert [part.body for part in parts_of(data)] == [b"deep", b"shallow"]


def test_depth_and_number_are_bounded() -> None:
    data = b"\r\nbottom"
    for level in range(50):
        name = b"n%02d" % level
        data = multipart(data, boundary=name, end=b"--" + name + b"--\r\n")
    assert list(parts_of(data)) == []
    assert MAX_DEPTH < 50
    many = multipart(*[b"\r\nx"] * 10_000)
    assert len(list(parts_of(many))) < MAX_PARTS + 1


@pytest.mark.parametrize(
    "data",
    [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b" * 1_000_000,
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"\r\n--b \t" * 500_000,
        b"Content-Type: multipart/mixed" + b"; a=b" * 500_000 + b"\r\n\r\n",
        b"Content-Type: " + b'"' * 1_000_000 + b"\r\n\r\n",
        b"Content-Transfer-Encoding: base64\r\n\r\n" + b"=" * 3_000_000,
    ],
)
def test_hostile_messages_take_linear_time(data: bytes) -> None:
    began = time.perf_counter()
    assert len(list(parts_of(data))) <= MAX_PARTS
    assert time.perf_counter() - began < 3


@given(st.binary(max_size=300))
def test_never_raises(data: bytes) -> None:
    list(parts_of(data))
    list(parts_of(b"Content-Type: multipart/mixed; boundary=b\n\n--b\n" + data))
    list(parts_of(b"Content-Transfer-Encoding: base64\n\n" + data))
    list(parts_of(b"Content-Transfer-Encoding: quoted-printable\n\n" + data))


@given(st.binary(max_size=200))
def test_base64(data: bytes) -> None:
    text = base64.encodebytes(data)
    (part,) = parts_of(b"Content-Transfer-Encoding: BASE64\n\n" + text)
    assert part.body == data
