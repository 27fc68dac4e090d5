"""Who really sent a message, in words."""

import pytest

from postroad.model import Origin, ServerKind
from postroad.service.trusted import TrustLevel, trust_of
from postroad.trust.results import Finding

OUTSIDE = Origin(
    ServerKind.MX, "192.0.2.9", "mx.a.test", "ESMTPS", "TLSv1.3 TLS_AES_256_GCM_SHA384"
)


def dkim(result: str, domain: str = "a.test") -> Finding:
    return Finding("dkim", result, properties=(("header", "d", domain),))


def dmarc(result: str, domain: str = "a.test") -> Finding:
    return Finding("dmarc", result, properties=(("header", "from", domain),))


def spf(result: str, sender: str = "x@a.test") -> Finding:
    return Finding("spf", result, properties=(("smtp", "mailfrom", sender),))


@pytest.mark.parametrize(
    ("findings", "level", "domain"),
    [
        ([dmarc("pass"), dkim("pass"), spf("fail")], TrustLevel.PROVEN, "a.test"),
        ([dmarc("fail"), dkim("pass", "evil.test")], TrustLevel.SUSPECT, ""),
        ([dmarc("pass"), dmarc("fail", "b.test")], TrustLevel.SUSPECT, ""),
        ([dmarc("none"), dkim("pass")], TrustLevel.PROVEN, "a.test"),
        ([dkim("pass", "test")], TrustLevel.PROVEN, "test"),
        ([dkim("pass", "lists.test")], TrustLevel.PARTLY, "lists.test"),
        ([dkim("pass", "a.test.evil.example")], TrustLevel.PARTLY, "a.test.evil.example"),
        ([spf("pass"), dkim("none", "")], TrustLevel.PARTLY, "a.test"),
        ([spf("softfail"), dkim("none", "")], TrustLevel.UNPROVEN, ""),
        ([], TrustLevel.UNPROVEN, ""),
    ],
)
def test_mail_from_outside(findings: list[Finding], level: TrustLevel, domain: str) -> None:
    found = trust_of(OUTSIDE, findings, "www.a.test" if domain == "test" else "a.test")
    assert (found.level, found.domain) == (level, domain)
    assert len(found.proofs) == len(findings)
    assert all(each.words for each in found.proofs)
    assert found.encrypted
    assert "TLS 1.3" in found.link


def test_what_was_found_is_nothing_for_mail_from_here() -> None:
    own = trust_of(Origin(ServerKind.SUBMISSION, "192.0.2.1", account="ann@us.test"), [], "us.test")
    assert own.level is TrustLevel.OWN
    assert "ann@us.test" in own.words
    assert own.encrypted is False
    report = trust_of(Origin(ServerKind.DSN), [dmarc("fail")], "us.test")
    assert (report.level, report.encrypted) == (TrustLevel.OWN, None)
    assert "key" in trust_of(Origin(ServerKind.API), [], "us.test").words
