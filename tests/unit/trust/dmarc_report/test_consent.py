"""Where reports may go."""

import pytest

from postroad.trust.dmarc import Discovery, Explorer
from postroad.trust.dmarc_report.consent import Consent, consent, mail_domain
from tests.fake_dns import FakeDns

DNS = FakeDns(
    {
        "_dmarc.there.test": {"TXT": ["v=DMARC1; p=none"]},
        "there.test._report._dmarc.takes.test": {"TXT": ["v=DMARC1;"]},
        "there.test._report._dmarc.odd.test": {"TXT": ["v=spf1 -all"]},
        "sub.there.test._report._dmarc.takes.test": {"TXT": ["v = DMARC1"]},
    },
    failing=[("there.test._report._dmarc.silent.test", "TXT")],
)


@pytest.mark.parametrize(
    ("domain", "receiver", "said"),
    [
        ("there.test", "there.test", Consent.GIVEN),
        ("there.test", "reports.there.test", Consent.GIVEN),
        ("sub.there.test", "there.test", Consent.GIVEN),
        ("a.there.test", "b.there.test", Consent.GIVEN),
        ("there.test", "takes.test", Consent.GIVEN),
        ("sub.there.test", "takes.test", Consent.GIVEN),
        ("there.test", "other.test", Consent.REFUSED),
        ("there.test", "odd.test", Consent.REFUSED),
        ("there.test", "silent.test", Consent.UNKNOWN),
        ("there.test", "nothere.test", Consent.REFUSED),
    ],
)
async def test_consent(domain: str, receiver: str, said: Consent) -> None:
    found, _ = await consent(domain, receiver, Explorer(DNS, Discovery.TREE_WALK), DNS)
    assert found is said


def test_mail_domains() -> None:
    assert mail_domain("mailto:a@There.test") == "there.test"
    assert mail_domain("MAILTO:a@there.test?subject=x@y") == "there.test"
    assert mail_domain("https://there.test") == ""
    assert mail_domain("mailto:nobody") == ""
