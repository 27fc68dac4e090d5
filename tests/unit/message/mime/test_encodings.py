"""Transfer encodings."""

import base64 as stdlib
import binascii
import quopri

from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.encodings import base64, decode, known


@given(st.binary(max_size=300), st.integers(0, 400))
def test_base64(data: bytes, limit: int) -> None:
    lines = stdlib.encodebytes(data).replace(b"\n", b"\r\n")
    assert base64(lines) == data
    assert decode(lines, "base64", limit) == data[:limit]
    assert base64(lines.rstrip(b"=\r\n")) == data, "padding may be missing"


def test_base64_with_junk_in_it() -> None:
    assert base64(b"aG!Vs\r\n bG8=") == b"hello"
    assert base64(b"aGVsbG8=\r\naGVsbG8=") == b"hellohello", "it begins again"
    assert base64(b"aGVsbG8=x") == b"hello"
    assert base64(b"=" * 10_000) == b""
    assert base64(b"QQ==" * 5000).startswith(b"A" * 50)
    spread = b"!" * 200_000 + b"aGVsbG8=" + b"!" * 200_000
    assert decode(spread, "base64", 5) == b"hello"


@given(st.binary(max_size=300))
def test_quoted_printable(data: bytes) -> None:
    data = data.replace(b"\r", b"")
    encoded = quopri.encodestring(data)
    assert decode(encoded, "quoted-printable", 10_000) == data


def test_quoted_printable_as_it_comes() -> None:
    def decoded(data: bytes) -> bytes:
        return decode(data, "quoted-printable", 100)

    assert decoded(b"a=3D=e9 \t\r\nb= \t\r\nc=\r\n") == b"a=\xe9\r\nbc"
    assert decoded(b"100=% =X") == b"100=% =X"
    assert decode(b"=41" * 500, "quoted-printable", 7) == b"A" * 7


@given(st.binary(max_size=200))
def test_uuencoded(data: bytes) -> None:
    lines = [binascii.b2a_uu(data[at : at + 45]) for at in range(0, len(data), 45)]
    whole = b"see below\r\nbegin 644 x.bin\r\n" + b"".join(lines) + b"`\r\nend\r\nbye\r\n"
    assert decode(whole, "x-uuencode", 10_000) == data
    assert decode(whole, "uuencode", 10) == data[:10]


def test_uuencoded_badly() -> None:
    assert decode(b"begin 644 x\n\xff\xff\n#0V%T\nend\n", "x-uue", 100) == b"Cat"
    assert decode(b"#0V%T  extra\n", "x-uuencode", 100) == b"Cat"
    assert decode(b"", "x-uuencode", 100) == b""


def test_others_change_nothing() -> None:
    assert decode(b"abc", "8bit", 2) == b"ab"
    assert decode(b"abc", "x-gzip64", 10) == b"abc"
    assert [known(name) for name in ("", "7bit", "base64", "x-uue", "x-gzip64")] == [
        True,
        True,
        True,
        True,
        False,
    ]


@given(st.binary(max_size=300), st.sampled_from(["base64", "quoted-printable", "x-uuencode", "?"]))
def test_nothing_raises(data: bytes, encoding: str) -> None:
    assert len(decode(data, encoding, 50)) <= 50
