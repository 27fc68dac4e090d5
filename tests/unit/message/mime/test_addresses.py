"""Address lists."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.addresses import MAX_ADDRESSES, NamedAddress, addresses_of
from tests.unit.message.mime.work import grows

A = NamedAddress


@pytest.mark.parametrize(
    ("raw", "found"),
    [
        (b" a@b.example\r\n", [A("", "a@b.example")]),
        (b"Ann <a@b>, <c@d>,, e@f", [A("Ann", "a@b"), A("", "c@d"), A("", "e@f")]),
        (b'"Last, First" <a@b>', [A("Last, First", "a@b")]),
        (b'"say \\"hi\\"" <a@b>', [A('say "hi"', "a@b")]),
        (b"a@b (Ann)", [A("Ann", "a@b")]),
        (b"Ann (the (best)) <a@b>", [A("Ann", "a@b")]),
        (b"=?utf-8?q?J=C3=B8rn?= <a@b>", [A("Jørn", "a@b")]),
        (b'"=?utf-8?q?J=C3=B8rn?=" <a@b>', [A("Jørn", "a@b")]),
        (b"Team: a@b, C <c@d>;, e@f", [A("", "a@b", "Team"), A("C", "c@d", "Team"), A("", "e@f")]),
        (b"undisclosed-recipients:;", []),
        (b"<@relay,@other:a@b>", [A("", "a@b")]),
        (b'"a b"@c', [A("", '"a b"@c')]),
        (b"only a name", [A("only a name", "")]),
        (b'"never closed', [A("never closed", "")]),
        (b"Ann <a@b", [A("Ann", "a@b")]),
        (b"Ann\r\n  Other <a@b>", [A("Ann Other", "a@b")]),
        ("é <é@x>".encode(), [A("é", "é@x")]),
        (b"<>", [A("", "")]),
        (b"", []),
    ],
)
def test_reading(raw: bytes, found: list[NamedAddress]) -> None:
    assert addresses_of(raw) == found


def test_a_megabyte_is_cut_off() -> None:
    assert len(addresses_of(b"a@b," * 2**18)) == MAX_ADDRESSES


@given(st.text(alphabet='a@b,;:<>"\\() é\r\n', max_size=60))
def test_nothing_raises(text: str) -> None:
    addresses_of(text.encode())


def test_work_grows_as_the_value_does() -> None:
    for piece in (b"a@b, ", b"(", b'"', b"<", b"\\", b":", b'"a" ', b"a:"):
        made = grows(lambda n, each=piece: each * n, addresses_of, 1000)  # type: ignore[misc]
        assert made < 4 * 1.2, piece
