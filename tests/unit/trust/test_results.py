import time

import authres
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.model import Address
from postroad.trust.arc import Chain, ChainStatus
from postroad.trust.dkim import Checked, Result
from postroad.trust.dmarc import Author, Identifier, Mechanism, Proof, evaluate, read_author
from postroad.trust.results import (
    MAX_OCTETS,
    Finding,
    arc_finding,
    authentication_results,
    dkim_findings,
    dmarc_findings,
    read_authserv_id,
    results_value,
    spf_finding,
    without_forged,
)
from postroad.trust.spf import Identity, check_spf
from tests.fake_dns import FakeDns

OURS = ("mx.example.test", "bücher.example")
REST = b"From: a@b\r\nSubject: x\r\n\r\n"


def test_what_is_written() -> None:
    checked = Checked(
        Result.PASS,
        "the signature verifies",
        domain="a.example",
        selector="s",
        identity="joe doe@a.example",
        algorithm="rsa-sha256",
        key_bits=2048,
        start="AbC/+w==",
    )
    findings = (
        Finding("spf", "fail", properties=(("smtp", "mailfrom", "a@b.example"),)),
        *dkim_findings((checked, Checked(Result.FAIL, 'the "body" was changed\\'))),
        arc_finding(Chain(ChainStatus.FAIL, "the seal i=1 does not verify", ("z.example",))),
    )
    assert authentication_results("mx.example.test", findings) == (
        b"Authentication-Results: mx.example.test;\r\n"
        b"\tspf=fail\r\n\t smtp.mailfrom=a@b.example;\r\n"
        b"\tdkim=pass (2048-bit key)\r\n\t header.d=a.example\r\n"
        b'\t header.i="joe doe@a.example"\r\n\t header.s=s\r\n\t header.a=rsa-sha256\r\n'
        b'\t header.b="AbC/+w==";\r\n'
        b'\tdkim=fail\r\n\t reason="the \\"body\\" was changed\\\\";\r\n'
        b'\tarc=fail\r\n\t reason="the seal i=1 does not verify"\r\n\t header.d=z.example\r\n'
    )


def test_nothing_found() -> None:
    assert authentication_results("a.b", ()) == b"Authentication-Results: a.b;\r\n\tnone\r\n"
    assert b"dkim=none" in authentication_results("a.b", dkim_findings(()))


@given(st.text(max_size=300), st.text(max_size=300), st.text(max_size=300))
def test_whatever_a_stranger_said_stays_inside(reason: str, comment: str, value: str) -> None:
    finding = Finding("dkim", "fail", reason, comment, (("header", "d", value),))
    written = authentication_results("mx.example.test", (finding, Finding("spf", "pass")))
    fields = Header.parse(written + REST).fields
    assert [field.name for field in fields] == ["Authentication-Results", "From", "Subject"]
    assert all(octet >= 32 or octet in b"\r\n\t" for octet in written)
    assert max(len(line) for line in written.split(b"\r\n")) < 998
    text = fields[0].value
    assert read_authserv_id(text.encode()) == "mx.example.test"
    assert text.endswith("spf=pass")
    if (reason + comment + value).isascii():
        read = authres.AuthenticationResultsHeader.parse_value(text)
        assert [each.method for each in read.results] == ["dkim", "spf"]


@pytest.mark.parametrize("word", ["", "a b", "a=b", "a;b", "-a", "a\r\n", "é"])
def test_words_of_ours_are_words(word: str) -> None:
    for finding in (
        Finding(word, "pass"),
        Finding("dkim", word),
        Finding("dkim", "pass", properties=((word, "d", "x"),)),
        Finding("dkim", "pass", properties=(("header", word, "x"),)),
    ):
        with pytest.raises(ValueError, match="keyword"):
            authentication_results("a.b", (finding,))


FORGED = [
    b"Authentication-Results: mx.example.test; spf=pass",
    b"authentication-results:MX.EXAMPLE.TEST;spf=pass",
    b"Authentication-Results : mx.example.test 1; spf=pass",
    b"Authentication-Results: mx.example.test",
    b"Authentication-Results: mx.example.test.; spf=pass",
    b"Authentication-Results:\r\n\tmx.example.test;\r\n spf=pass",
    b"Authentication-Results: (a (b) \\) ;) (c)\r\n\tmx.example.test(d); spf=pass",
    b'Authentication-Results: "mx.example.test"; spf=pass',
    b'Authentication-Results: "mx.\\example.test" 1; spf=pass',
    b"Authentication-Results: xn--bcher-kva.example; spf=pass",
    "Authentication-Results: Bücher.example; spf=pass".encode(),
    # what cannot be read
    b"Authentication-Results: mx.example.test, dmarc=pass",
    b"Authentication-Results: mx.example.test dmarc=pass",
    b"Authentication-Results: mx.example.test/1; spf=pass",
    b"Authentication-Results: mx.(x)example.test; spf=pass",
    b"Authentication-Results: mx.example.test@other.test; spf=pass",
    b"Authentication-Results: mx.example.test 1 1; spf=pass",
    b"Authentication-Results: mx.example.test 1 (; spf=pass",
    b"Authentication-Results\r\n : mx.example.test; spf=pass",
    b"Authentication-Results:",
    b"Authentication-Results: ; spf=pass",
    b"Authentication-Results: (mx.example.test; spf=pass",
    b'Authentication-Results: "mx.example.test; spf=pass',
    b'Authentication-Results: "mx.example.test"x; spf=pass',
    b"Authentication-Results: mx\0.example.test; spf=pass",
    b"Authentication-Results: \xff; spf=pass",
    b"Authentication-Results: " + b"(" * 60 + b")" * 60 + b" other.test; spf=pass",
]


@pytest.mark.parametrize("field", FORGED)
def test_forged_ones_are_removed(field: bytes) -> None:
    assert without_forged(b"A: b\r\n" + field + b"\r\n" + REST, OURS) == (b"A: b\r\n" + REST, 1)
    assert without_forged(field, OURS) == (b"", 1)
    twice = field + b"\r\n" + field + b"\r\n"
    assert without_forged(twice + REST, OURS) == (REST, 2)


@pytest.mark.parametrize(
    "field",
    [
        b"Authentication-Results: mx.example.test.evil; spf=pass",
        b"Authentication-Results: other.test (mx.example.test); spf=pass",
        b"Authentication-Results: other.test; x=mx.example.test",
        b"Authentication-Results: other.test 1; spf=pass",
        b"Authentication-Results: other.test",
        b"Authentication-Results: other.test (x)",
        b"ARC-Authentication-Results: i=1; mx.example.test; spf=pass",
        b"X-Authentication-Results: mx.example.test; spf=pass",
        b"Subject: Authentication-Results: mx.example.test; spf=pass",
    ],
)
def test_those_of_others_stay(field: bytes) -> None:
    head = field + b"\r\n" + REST
    kept, removed = without_forged(head, OURS)
    assert (kept, removed) == (head, 0)


@given(st.binary(max_size=200))
def test_the_rest_is_kept_octet_by_octet(value: bytes) -> None:
    assume(b"\r\n\r\n" not in value + b"\r\n")  # a blank line ends the header
    head = b"Authentication-Results:" + value + b"\r\nX: y\r\n" + FORGED[0] + b"\r\n" + REST
    kept, removed = without_forged(head, OURS)
    assert removed >= 1
    assert kept.endswith(b"X: y\r\n" + REST) or b"\r\n\r\n" in head[: -len(REST)]
    assert without_forged(kept, OURS)[1] == 0 or b"\r\n\r\n" in head[: -len(REST)]


@given(st.text('()"\\ ;\r\nax.', max_size=40))
def test_reading_a_name_never_raises(text: str) -> None:
    name = read_authserv_id(text.encode())
    assert name is None or name


def test_hostile_fields_take_linear_time() -> None:
    before = time.process_time()
    for value in (
        b"()" * 50_000,
        b"(" * 100_000,
        b'"' + b"\\a" * 50_000,
        b" " * 100_000,
        b"(\\" * 50_000,
    ):
        head = b"Authentication-Results:" + value + b"\r\n" + REST
        assert without_forged(head, OURS)[1] == 1
    assert time.process_time() - before < 1


async def test_what_is_written_of_spf_and_dmarc() -> None:
    dns = FakeDns(
        {
            "example.com": {"TXT": ["v=spf1 ip4:192.0.2.1 -all"]},
            "_dmarc.example.com": {"TXT": ["v=DMARC1; p=none; sp=reject"]},
        }
    )
    sender = Address("a b", "example.com")
    spf = await check_spf(dns, ip="192.0.2.2", helo="mx.example.com", sender=sender)
    helo = await check_spf(
        dns, ip="192.0.2.1", helo="example.com", sender=None, identity=Identity.HELO
    )
    proven = [Identifier(Mechanism.DKIM, "x.example.com", Proof.PASS)]
    dmarc = await evaluate(dns, Author(("x.example.com", "other.example")), proven)
    nobody = await evaluate(dns, read_author("<>"), proven)
    findings = (
        spf_finding(spf),
        spf_finding(helo),
        *dmarc_findings(dmarc),
        *dmarc_findings(nobody),
    )
    assert authentication_results("mx.example.test", findings) == (
        b"Authentication-Results: mx.example.test;\r\n"
        b'\tspf=fail\r\n\t reason="-all of example.com matches 192.0.2.2"\r\n'
        b'\t smtp.mailfrom="a b@example.com";\r\n'
        b"\tspf=pass\r\n\t smtp.helo=example.com;\r\n"
        b"\tdmarc=pass (sp=reject of example.com)\r\n\t header.from=x.example.com;\r\n"
        b"\tdmarc=none\r\n\t header.from=other.example;\r\n"
        b'\tdmarc=permerror\r\n\t reason="the From field is no list of addresses: '
        b'angle brackets without an address in them"\r\n'
    )


def test_signatures_without_end_are_left_out_and_those_that_passed_last() -> None:
    properties = tuple(("header", name, name * 200) for name in "dis")
    failed = Finding("dkim", "fail", reason="x" * 200, properties=properties)
    passed = Finding("dkim", "pass", properties=(("header", "d", "good.test"),))
    others = (Finding("spf", "pass"), Finding("dmarc", "pass"))
    value = results_value("mx.example.test", (*[failed] * 100, passed, *others))
    assert len(value) <= MAX_OCTETS + 100
    assert value.count(b"dkim=fail") > 10
    for words in (b"header.d=good.test", b"spf=pass", b"dmarc=pass"):
        assert value.count(words) == 1
    short = [failed, passed, *others]
    assert results_value("a.b", short).count(b"=fail") == 1
    only = results_value("a.b", [passed] * 1000)
    assert MAX_OCTETS - 100 < len(only) <= MAX_OCTETS
