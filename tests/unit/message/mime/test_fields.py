"""Values with parameters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.fields import MAX_FIELD_OCTETS, MAX_PARAMETERS, Parameters, parse
from tests.unit.message.mime.work import grows


@pytest.mark.parametrize(
    ("raw", "value", "named"),
    [
        (b" text/plain\r\n", "text/plain", {}),
        (b"TEXT/Plain; CharSet=UTF-8", "text/plain", {"charset": "UTF-8"}),
        (
            b"text/plain (of course); charset=us-ascii (Plain text)",
            "text/plain",
            {"charset": "us-ascii"},
        ),
        (b'x/y; name="a;b\\"c"; z=1', "x/y", {"name": 'a;b"c', "z": "1"}),
        (b"x/y;; ; a=1;;b=2;", "x/y", {"a": "1", "b": "2"}),
        (b"x/y; alone; b=2; =3; c", "x/y", {"b": "2"}),
        (b"x/y; a=1; a=2", "x/y", {"a": "1"}),
        (b'x/y; a="never closed; b=2', "x/y", {"a": "never closed; b=2"}),
        (b"attachment; filename=my file (1).pdf", "attachment", {"filename": "my file"}),
        (b"attachment; filename=a(1).pdf", "attachment", {"filename": "a(1).pdf"}),
        (b'x/y; a-b=mail-server\r\n server="l@b"', "x/y", {"a-b": "mail-server", "server": "l@b"}),
        (b'x/y; name="=?utf-8?q?=C3=A9?="', "x/y", {"name": "é"}),
        ("x/y; name=é".encode(), "x/y", {"name": "é"}),
        # RFC 2231, its own examples
        (b"x/y; URL*0=\"ftp://\";\r\n URL*1=\"cs.utk.edu/\"", "x/y", {"url": "ftp://cs.utk.edu/"}),
        (
            b"x/y; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A",
            "x/y",
            {"title": "This is ***fun***"},
        ),
        (
            b"x/y; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
            b' title*2="isn\'t it!"',
            "x/y",
            {"title": "This is even more ***fun*** isn't it!"},
        ),
        (b"x/y; t*1*=%A9; t*0*=utf-8''%C3", "x/y", {"t": "é"}),
        (b"x/y; t=old; t*=utf-8''new", "x/y", {"t": "new"}),
        (b"x/y; t*=%E9", "x/y", {"t": "é"}),
        (b"x/y; t*99999=z; *=1; a*b*c=d", "x/y", {"t*99999": "z", "*": "1", "a*b*c": "d"}),
        (b"", "", {}),
    ],
)  # fmt: skip
def test_reading(raw: bytes, value: str, named: dict[str, str]) -> None:
    assert parse(raw) == Parameters(value, named)


def test_a_flood_is_cut_off() -> None:
    flood = b"".join(b"; a*%d=x" % number for number in range(9999))
    assert parse(b"x/y" + flood).named == {"a": "x" * MAX_PARAMETERS}
    many = b"".join(b"; p%d=x" % number for number in range(9999))
    assert len(parse(b"x/y" + many).named) == MAX_PARAMETERS
    assert len(parse(b'x/y; a="' + b"x" * 2**20).get("a")) < MAX_FIELD_OCTETS


@given(st.text(alphabet="ab;=\"\\'* %0(){}\r\n\té", max_size=60))
def test_nothing_raises(text: str) -> None:
    parse(text.encode())


@given(st.binary(max_size=60))
def test_nothing_raises_on_octets(data: bytes) -> None:
    parse(data)


def test_work_grows_no_faster_than_the_value() -> None:
    for piece in (b"; a=1", b';"', b"(", b" ", b" b", b"\\", b"; x*0*=a"):
        made = grows(lambda n, each=piece: b"x/y;a=b" + each * n, parse, 1000)  # type: ignore[misc]
        assert made < 4 * 1.2, piece
