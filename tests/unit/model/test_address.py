import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Address, InvalidAddress, parse_domain


@pytest.mark.parametrize(
    ("text", "local_part", "domain"),
    [
        ("bob@receiver.test", "bob", "receiver.test"),
        ("Bob.Smith+tag@RECEIVER.Test", "Bob.Smith+tag", "receiver.test"),
        ('"a b"@x.test', "a b", "x.test"),
        ('"a@b"@x.test', "a@b", "x.test"),
        (r'"a\"b\\c"@x.test', r'a"b\c', "x.test"),
        ('"plain"@x.test', "plain", "x.test"),
        ("bob@[192.0.2.1]", "bob", "[192.0.2.1]"),
        ("bob@[IPv6:2001:DB8::1]", "bob", "[ipv6:2001:db8::1]"),
        ("иван@пример.test", "иван", "xn--e1afmkfd.test"),
        ("bob@bücher.test", "bob", "xn--bcher-kva.test"),
        ("a%b@x.test", "a%b", "x.test"),
        ("a!b@x.test", "a!b", "x.test"),
    ],
)
def test_split(text: str, local_part: str, domain: str) -> None:
    assert Address.parse(text) == Address(local_part, domain)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no @"),
        ("bob", "no @"),
        ("@x.test", "local part is missing"),
        ("bob@", "domain is missing"),
        ("bob@x..test", "empty label"),
        ("bob@-x.test", "hyphen"),
        ("bob@x_y.test", "character beyond"),
        (".bob@x.test", "empty atom"),
        ("b b@x.test", "must be quoted"),
        ('"bob@x.test', "not closed"),
        ('"b\x00b"@x.test', "control character"),
        ('"b\r\nb"@x.test', "control character"),
        ('"bob"x@x.test', "after the quoted"),
        ("b\x7fb@x.test", "must be quoted"),
        ("bob@[10.0.0]", "neither IPv4"),
        ("bob@[300.0.0.1]", "wrong"),
        ("bob@[IPv6:fe80::1%eth0]", "scope"),
        ("bob@[tag:content]", "neither"),
        ("bob@[192.0.2.1", "not closed"),
        ("a" * 65 + "@x.test", "64 octets"),
        ("bob@" + "a" * 64 + ".test", "63 octets"),
        ("bob@" + ".".join(["a" * 60] * 5), "255 octets"),
        ("a" * 64 + "@" + ".".join(["a" * 60] * 4), "254 octets"),
        ("bob@x.test\r\n", "character beyond"),
    ],
)
def test_refused(text: str, why: str) -> None:
    with pytest.raises(InvalidAddress, match=why):
        Address.parse(text)


def test_quotes_only_where_needed() -> None:
    assert str(Address("a.b", "x.test")) == "a.b@x.test"
    assert str(Address("a b", "x.test")) == '"a b"@x.test'
    assert str(Address('a"b', "x.test")) == r'"a\"b"@x.test'
    assert str(Address("", "x.test")) == '""@x.test'


def test_local_parts_fold_for_comparison() -> None:
    assert Address.parse("Bob@X.test").folded == Address.parse("bob@x.TEST").folded


@given(st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=30))
def test_any_printable_local_part_survives_the_wire(local_part: str) -> None:
    address = Address(local_part, "x.test")
    assert Address.parse(str(address)) == address


@given(st.text(max_size=40))
def test_anything_parses_or_is_refused(text: str) -> None:
    try:
        address = Address.parse(text)
    except InvalidAddress:
        return
    assert Address.parse(str(address)) == address


def test_domain_alone() -> None:
    assert parse_domain("EXAMPLE.test") == "example.test"
    with pytest.raises(InvalidAddress):
        parse_domain("[192.0.2.1]")
