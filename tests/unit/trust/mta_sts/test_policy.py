"""MTA-STS policy files: the RFC's own, hostile ones, and which hosts they name."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import StsMode, StsPolicy
from postroad.trust.mta_sts import (
    MAX_POLICY_OCTETS,
    StsInvalid,
    matches,
    parse_policy,
    write_policy,
)

RFC_EXAMPLE = b"""version: STSv1
mode: enforce
mx: mail.example.com
mx: *.example.net
mx: backupmx.example.com
max_age: 604800
"""


def parse(text: bytes) -> StsPolicy:
    return parse_policy(text, domain="example.com", id="1", at=5.0)


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_example_of_the_rfc(end: bytes) -> None:
    policy = parse(RFC_EXAMPLE.replace(b"\n", end))
    assert policy.mode is StsMode.ENFORCE
    assert policy.mx == ("mail.example.com", "*.example.net", "backupmx.example.com")
    assert (policy.max_age, policy.expires_at) == (604_800, 604_805.0)
    assert "\n".join(policy.lines).encode() + b"\n" == RFC_EXAMPLE


def test_extensions_are_passed_over_and_the_first_of_a_key_counts() -> None:
    policy = parse(
        b"version: STSv1\nnew_thing: yes\nmode: testing\nmode: enforce\nmx:A.Example.\nmax_age: 1\n\n"
    )
    assert (policy.mode, policy.mx) == (StsMode.TESTING, ("a.example",))


def test_mode_none_needs_no_hosts_and_ages_are_capped() -> None:
    policy = parse(b"version: STSv1\nmode: none\nmax_age: 9999999999\n")
    assert (policy.mode, policy.mx, policy.max_age) == (StsMode.NONE, (), 31_557_600)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "version is not STSv1"),
        (b"mode: enforce\nversion: STSv1\nmx: a\nmax_age: 1\n", "does not begin with its version"),
        (b"version: STSv2\nmode: none\nmax_age: 1\n", "version is not STSv1"),
        (b"version: STSv1\nmode: maybe\nmx: a\nmax_age: 1\n", "mode is not"),
        (b"version: STSv1\nmode: enforce\nmax_age: 1\n", "without any mx"),
        (b"version: STSv1\nmode: enforce\nmx: a\n", "max_age"),
        (b"version: STSv1\nmode: enforce\nmx: a\nmax_age: -1\n", "max_age"),
        (b"version: STSv1\nmode: enforce\nmx: a\nmax_age: 99999999999\n", "max_age"),
        (b"version: STSv1\nmode: enforce\nmx: *\nmax_age: 1\n", "neither a host name"),
        (b"version: STSv1\nmode: enforce\nmx: a.*.b\nmax_age: 1\n", "neither a host name"),
        (b"version: STSv1\nmode: enforce\nmx: a..b\nmax_age: 1\n", "neither a host name"),
        (b"version: STSv1\nmode: enforce\nmx: \xc3\xa9.b\nmax_age: 1\n", "neither a host name"),
        (b"version: STSv1\n<html>\n", "line 2 is not"),
        (b"version: STSv1\nmx: \xff\n", "UTF-8"),
        (b"version: STSv1\nmode: none\n" + b"mx: a\n" * 201 + b"max_age: 1\n", "more than 200"),
        (b"version: STSv1\n" + b"x" * MAX_POLICY_OCTETS, "octets"),
    ],
)
def test_what_is_no_policy(text: bytes, reason: str) -> None:
    with pytest.raises(StsInvalid, match=reason.replace("*", r"\*")):
        parse(text)


@given(st.binary(max_size=300))
def test_nothing_else_is_ever_raised(text: bytes) -> None:
    for whole in (text, b"version: STSv1\n" + text):
        try:
            parse(whole)
        except StsInvalid:
            continue


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mail.example.com", True),
        ("mx1.example.net", True),
        ("example.net", False),
        ("a.b.example.net", False),
        ("notexample.net", False),
        ("mail.example.org", False),
    ],
)
def test_hosts(host: str, expected: bool) -> None:
    assert matches(("mail.example.com", "*.example.net"), host) is expected


def test_written_and_read_again() -> None:
    text = write_policy(StsMode.ENFORCE, ["mx1.us.test", "*.us.test"], 86_400)
    assert text.endswith("max_age: 86400\r\n")
    policy = parse(text.encode())
    assert (policy.mode, policy.mx) == (StsMode.ENFORCE, ("mx1.us.test", "*.us.test"))
