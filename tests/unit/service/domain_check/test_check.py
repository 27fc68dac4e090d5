"""All together: what we ask for is what we find right."""

from postroad.service.domain_check import Level, check_domain
from tests.fake_dns import FakeDns
from tests.unit.service.domain_check.scene import DOMAIN, NOW, dns, good, setup


async def test_the_records_that_we_want_are_well() -> None:
    findings = await check_domain(DOMAIN, setup(), dns(good()), NOW)
    assert {each.topic for each in findings} == {
        "MX",
        "A/AAAA",
        "FCrDNS",
        "SPF",
        "DKIM",
        "DMARC",
        "MTA-STS",
        "TLS-RPT",
        "DANE",
        "SRV",
    }
    assert [each.text for each in findings if each.level is not Level.OK] == []
    assert all(not each.why and not each.records for each in findings)


async def test_a_domain_that_is_not_there() -> None:
    findings = await check_domain("nowhere.test", setup(), FakeDns({}), NOW)
    bad = [each for each in findings if each.level is not Level.OK]
    assert bad
    assert all(each.why for each in bad)


async def test_a_dns_that_is_silent_is_a_problem_of_its_own() -> None:
    class Silent(FakeDns):
        async def lookup(self, name, rdtype):  # type: ignore[no-untyped-def]
            self._failing.add((name, rdtype))
            return await super().lookup(name, rdtype)

    findings = await check_domain(DOMAIN, setup(), Silent({DOMAIN: {"A": []}}), NOW)
    assert {each.level for each in findings} <= {Level.PROBLEM, Level.WARNING}
    for topic in ("MX", "A/AAAA", "FCrDNS", "SPF", "DKIM", "DMARC", "MTA-STS", "TLS-RPT", "SRV"):
        assert any(each.level is Level.PROBLEM for each in findings if each.topic == topic), topic
