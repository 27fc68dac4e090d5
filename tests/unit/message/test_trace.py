import email.utils
import re
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.message.trace import make_message_id, received, return_path, rfc5322_date
from postroad.model import Address, Origin, ServerKind, format_id

AT = 1_700_000_000.0


def test_a_submitted_message() -> None:
    origin = Origin(
        ServerKind.SUBMISSION,
        "192.0.2.7",
        "laptop.example",
        "ESMTPSA",
        "TLSv1.3 TLS_AES_256_GCM_SHA384",
    )
    field = received(
        origin=origin,
        hostname="mx.example.org",
        message=77,
        at=AT,
        recipient=Address("bob", "example.com"),
    )
    assert field == (
        b"Received: from laptop.example ([192.0.2.7])\r\n"
        b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384)\r\n"
        b"\tby mx.example.org with ESMTPSA id 000000000002D\r\n"
        b"\tfor <bob@example.com>;\r\n"
        b"\tTue, 14 Nov 2023 22:13:20 +0000\r\n"
    )


def test_addresses_and_literals() -> None:
    def first(client: str, helo: str) -> str:
        origin = Origin(ServerKind.MX, client, helo, "ESMTP")
        field = received(origin=origin, hostname="h", message=1, at=AT, recipient=None)
        return field.split(b"\r\n")[0].decode()

    assert first("2001:db8::1", "[IPv6:2001:db8::1]") == (
        "Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])"
    )
    assert first("fe80::1%eth0", "x") == "Received: from x ([IPv6:fe80::1])"
    assert first("192.0.2.1", "") == "Received: from [192.0.2.1] ([192.0.2.1])"
    assert first("192.0.2.1", "[oops") == "Received: from ?oops ([192.0.2.1])"


def test_without_a_client() -> None:
    field = received(origin=Origin(ServerKind.DSN), hostname="h", message=1, at=AT, recipient=None)
    assert field == b"Received: by h id 0000000000001;\r\n\tTue, 14 Nov 2023 22:13:20 +0000\r\n"


@given(st.text(max_size=2000), st.text(max_size=400), st.text(max_size=400), st.text(max_size=40))
def test_nothing_hostile_gets_through(helo: str, client: str, tls: str, protocol: str) -> None:
    origin = Origin(ServerKind.MX, client, helo, protocol, tls)
    field = received(
        origin=origin, hostname="h", message=1, at=AT, recipient=Address('a")(;', "example.org")
    )
    assert all(len(line) < 998 for line in field.split(b"\r\n"))
    assert len(Header.parse(field + b"\r\n").fields) == 1
    assert re.fullmatch(rb"(?:[ -~\t]|\r\n\t)*\r\n", field)
    before = field.partition(b"for <")[0].decode()
    depth = 0
    for letter in before:
        depth += (letter == "(") - (letter == ")")
        assert depth in (0, 1)
    assert ";" not in before


@given(st.integers(0, 4_000_000_000), st.floats(0, 0.999))
def test_dates_are_understood(second: int, fraction: float) -> None:
    text = rfc5322_date(second + fraction)
    assert email.utils.parsedate_to_datetime(text) == datetime.fromtimestamp(second, UTC)


def test_return_path_and_message_id() -> None:
    assert return_path(None) == b"Return-Path: <>\r\n"
    assert return_path(Address("a b", "x.org")) == b'Return-Path: <"a b"@x.org>\r\n'
    assert make_message_id(77, "mx.example.org") == f"<{format_id(77)}@mx.example.org>"
