"""Who is the author? ATTACKS 8, 10, 11."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import MAX_FIELDS, Header
from postroad.trust.dmarc import AuthorProblem, author_of, read_author
from postroad.trust.dmarc.author import MAX_DOMAINS, MAX_FIELD_OCTETS


@pytest.mark.parametrize(
    ("value", "domains"),
    [
        ("user@example.com", ["example.com"]),
        ("<user@Example.COM>", ["example.com"]),
        ("A. User <user@example.com>", ["example.com"]),
        ('"user@bank.example" <user@example.com>', ["example.com"]),
        ('"a\\"b@c" <user@example.com>', ["example.com"]),
        ('"odd @ local"@example.com', ["example.com"]),
        ("user (at home @ bank.example (nested)) @ (x) example.com (y)", ["example.com"]),
        ("=?utf-8?Q?J=C3=B6rg?= <j@example.com>", ["example.com"]),
        ("Raw \ufffd octets <user@example.com>", ["example.com"]),
        ("user@b\u00fccher.example", ["xn--bcher-kva.example"]),
        ("a@example.com, B <b@example.org>,, c@example.com", ["example.com", "example.org"]),
        # What some readers show is evaluated as well.
        ("user@bank.example <user@evil.example>", ["bank.example", "evil.example"]),
        ("group: a@example.com, <b@example.org>;", ["example.com", "example.org"]),
        ("g: a@example.com;, b@example.org", ["example.com", "example.org"]),
        ("user@[192.0.2.1]", []),
        ("user@[192.0.2.1], user@example.com", ["example.com"]),
        ("root@localhost", ["localhost"]),
        ("user@example.com.", ["example.com"]),
        ("A <user@example.com.>", ["example.com"]),
        # No list of addresses, and yet nobody takes it for another's.
        ("Doe, John <user@example.com>", ["example.com"]),
        ("Doe, John (Sales) <user@example.com>", ["example.com"]),
        ("[JIRA] John <user@example.com>", ["example.com"]),
        ("<user@example.com> John", ["example.com"]),
        ("John \\ Doe <user@example.com.>", ["example.com"]),
        ('"Doe", J. "Jo" <user@example.com>', ["example.com"]),
        ("Sales: <user@example.com>", ["example.com"]),
    ],
)
def test_domains(value: str, domains: list[str]) -> None:
    author = read_author(value)
    assert (list(author.domains), author.problem) == (domains, None)


@pytest.mark.parametrize(
    "value",
    [
        "root",
        "<>",
        "A User <>",
        "a@bank.example <>",
        "<user@example.com",
        "user@example.com>",
        "<user@example.com> user@bank.example",
        "<a@example.com> <b@example.com>",
        "<<user@example.com>>",
        "<a@b@example.com>",
        "a@b@example.com",
        "@example.com",
        "<@relay.example:user@example.com>",
        "user@",
        "user@example..com",
        "user@-example.com",
        "user@example.com..",
        "user@[bank.example]",
        "user@[]",
        "user@[192.0.2.1.]",
        "user@[IPv6:x]",
        "A <user@[bank.example]>",
        "x, (<user@example.com>",
        'x, "<user@example.com>',
        "x, <user@example.com> (",
        "x, <us er@example.com>",
        "x, <user@example..com>",
        '\\"ceo@bank.example\\" " <user@example.com>',
        "Doe, ceo@bank.example <user@example.com>",
        '"ceo@bank.example", [x] <user@example.com>',
        "Doe, John <user@example.com>, <x@bank.example>",
        "x, <user@example.com>\x01",
        "x, <user@example.com>" + "x" * MAX_FIELD_OCTETS,
        "user@example .com",
        "user@exa_mple.com",
        '"unterminated <user@example.com>',
        "(unterminated user@example.com",
        "user@example.com)" + "\\",
        "group: user@example.com",
        "group: inner: user@example.com;;",
        ": user@example.com;",
        "a@b.example: c@d.example;",
        "; user@example.com",
        "user@example.com\0.bank.example",
        "user\x00@example.com",
        "user@example.com\rFrom: x@bank.example",
        "user\x7f@example.com",
        "(" * 30 + ")" * 30 + "user@example.com",
        "a@b.example " + "x" * MAX_FIELD_OCTETS,
    ],
)
def test_what_cannot_be_read(value: str) -> None:
    author = read_author(value)
    assert author.problem is AuthorProblem.UNREADABLE
    assert author.detail


@pytest.mark.parametrize("value", ["", "  ", ",", "Undisclosed:;", "(comment only)"])
def test_nobody_there(value: str) -> None:
    assert read_author(value).problem is AuthorProblem.NO_ADDRESS


def test_too_many_domains() -> None:
    author = read_author(", ".join(f"u@d{n}.example" for n in range(1000)))
    assert author.problem is AuthorProblem.TOO_MANY
    assert len(author.domains) == MAX_DOMAINS
    assert read_author(", ".join("u@example.com" for _ in range(900))).problem is None


def of(head: bytes) -> tuple[list[str], AuthorProblem | None]:
    author = author_of(Header.parse(head))
    return list(author.domains), author.problem


def test_fields() -> None:
    assert of(b"Subject: x\r\n\r\n") == ([], AuthorProblem.MISSING)
    assert of(b"fRoM : a@example.com\r\n\r\n") == (["example.com"], None)
    assert of(b"From: A\r\n <a@example.com>\r\n\r\nFrom: b@example.org") == (["example.com"], None)


@pytest.mark.parametrize("second", [b"From: b@bank.example", b"FROM:\r\n b@bank.example"])
def test_two_fields_are_never_one_author(second: bytes) -> None:
    domains, problem = of(b"From: a@example.com\r\nTo: x\r\n" + second + b"\r\n\r\n")
    assert domains == ["example.com", "bank.example"]
    assert problem is AuthorProblem.REPEATED
    assert of(b"From: a@example.com\r\nFrom: a@example.com\r\n\r\n")[1] is AuthorProblem.REPEATED


def test_a_field_behind_all_fields_is_not_overlooked() -> None:
    head = b"From: a@example.com\r\n" + b"X: y\r\n" * MAX_FIELDS + b"From: b@bank.example\r\n\r\n"
    assert of(head)[1] is AuthorProblem.UNREADABLE


@pytest.mark.parametrize(
    "piece", ["a@b.example,", "(", '"', "<", "\\", "(\\", "a ", "@", '"x"', "[x]"]
)
def test_time_is_bounded(piece: str) -> None:
    before = time.process_time()
    read_author(piece * (1_000_000 // len(piece)))
    read_author(piece * ((MAX_FIELD_OCTETS - 1) // len(piece)))
    assert time.process_time() - before < 0.5


@given(st.text(max_size=120) | st.text('ab.@<>"\\()[]:;, \t\0', max_size=120))
def test_reading_never_raises_and_a_domain_is_a_domain(value: str) -> None:
    author = read_author(value)
    assert len(author.domains) <= MAX_DOMAINS
    assert author.problem is not None or author.domains or "@" in value
    for domain in author.domains:
        assert domain == domain.lower()
        assert domain.isascii()
        assert "@" not in domain


@given(st.lists(st.from_regex(r"[a-z]{1,8}\.example", fullmatch=True), min_size=1, max_size=8))
def test_every_domain_is_found(domains: list[str]) -> None:
    value = ", ".join(f'"x, y" <u@{domain}> (c)' for domain in domains)
    assert list(read_author(value).domains) == list(dict.fromkeys(domains))
