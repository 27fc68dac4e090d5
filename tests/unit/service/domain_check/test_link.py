"""MTA-STS, TLS reports, DANE."""

import pytest

from postroad.service.domain_check.finding import Level
from postroad.service.domain_check.link import check_dane, check_mta_sts, check_tls_reports
from tests.fake_dns import FakeDns
from tests.unit.service.domain_check.scene import DOMAIN, HOST, dns, good, lines, only, setup


@pytest.mark.parametrize(
    ("texts", "level", "words"),
    [
        ([], Level.WARNING, "has no MTA-STS"),
        (["v=STSv1"], Level.PROBLEM, "_mta-sts.here.test: 'v=STSv1'"),
        (["v=STSv1; id=a b"], Level.PROBLEM, "a b"),
        (["v=STSv1; id=1;", "v=STSv1; id=2;"], Level.PROBLEM, "2 records"),
        (["v=STSv1; id=1;", "unrelated"], Level.OK, "v=STSv1; id=1;"),
    ],
)
async def test_mta_sts(texts: list[str], level: Level, words: str) -> None:
    zone = good() | {f"_mta-sts.{DOMAIN}": {"TXT": texts}}
    found = only(await check_mta_sts(DOMAIN, setup(), dns(zone)), level)
    assert words in found.text


async def test_a_policy_that_is_nowhere() -> None:
    zone = good()
    del zone[f"mta-sts.{DOMAIN}"]
    found = only(await check_mta_sts(DOMAIN, setup(), dns(zone)), Level.PROBLEM)
    assert lines(found) == [f"mta-sts.{DOMAIN}. 3600 IN CNAME {HOST}."]


@pytest.mark.parametrize(
    ("texts", "level"),
    [
        ([], Level.WARNING),
        (["v=TLSRPTv1; rua=nobody"], Level.PROBLEM),
        (["v=TLSRPTv1;"], Level.PROBLEM),
        (["v=TLSRPTv1; rua=mailto:a@b.c"] * 2, Level.PROBLEM),
        (["v=TLSRPTv1; rua=mailto:a@b.c, https://b.c/x"], Level.OK),
    ],
)
async def test_tls_reports(texts: list[str], level: Level) -> None:
    zone = good() | {f"_smtp._tls.{DOMAIN}": {"TXT": texts}}
    found = only(await check_tls_reports(DOMAIN, setup(), dns(zone)), level)
    assert bool(found.records) is (level is not Level.OK)


NAME = f"_25._tcp.{HOST}"
OTHER = "3 1 1 " + "cd" * 32


@pytest.mark.parametrize(
    ("tlsa", "level", "words"),
    [
        ([], Level.WARNING, "has no TLSA record"),
        ([OTHER], Level.PROBLEM, "another key"),
        (["2 1 1 " + "ab" * 32], Level.WARNING, "compared here is only 3 1 1"),
        ([OTHER, "3 1 1 " + "AB" * 32], Level.OK, "our certificate's key"),
    ],
)
async def test_dane(tlsa: list[str], level: Level, words: str) -> None:
    zone = good()
    zone[NAME] = {"TLSA": tlsa}
    found = only(await check_dane(DOMAIN, setup(), dns(zone)), level)
    assert words in found.text
    assert lines(found) == ([] if level is Level.OK else [f"{NAME}. 3600 IN TLSA {setup().tlsa}"])


async def test_dane_without_dnssec() -> None:
    found = only(await check_dane(DOMAIN, setup(), FakeDns(good())), Level.WARNING)
    assert "not seen to be authentic" in found.text
    zone = good()
    del zone[NAME]
    found = only(await check_dane(DOMAIN, setup(), FakeDns(zone)), Level.WARNING)
    assert "signed by DNSSEC" in found.text


async def test_dane_of_other_hosts() -> None:
    zone = good() | {"_25._tcp.mx.other.test": {"TLSA": [OTHER]}}
    zone[DOMAIN]["MX"].append("20 mx.other.test")
    findings = await check_dane(DOMAIN, setup(), dns(zone))
    assert [each.level for each in findings] == [Level.OK, Level.OK]
