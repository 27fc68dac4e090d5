"""MTA-STS, TLS reports, DANE."""

import pytest

from postroad.model import StsMode
from postroad.service.domain_check.finding import Level
from postroad.service.domain_check.link import check_dane, check_mta_sts, check_tls_reports
from tests.fake_dns import FakeDns
from tests.unit.service.domain_check.scene import (
    DOMAIN,
    FACTS,
    HOST,
    NOW,
    dns,
    good,
    lines,
    only,
    setup,
)


@pytest.mark.parametrize(
    ("texts", "level", "words"),
    [
        ([], Level.WARNING, "has no MTA-STS"),
        (["v=STSv1"], Level.PROBLEM, "_mta-sts.here.test: the MTA-STS record has no id"),
        (["v=STSv1; id=a b"], Level.PROBLEM, "id=a b"),
        (["v=STSv1; id=1;", "v=STSv1; id=2;"], Level.PROBLEM, "more than one"),
        (["v=STSv1; id=1;", "unrelated"], Level.OK, "announces the policy 1"),
    ],
)
async def test_mta_sts(texts: list[str], level: Level, words: str) -> None:
    zone = good() | {f"_mta-sts.{DOMAIN}": {"TXT": texts}}
    found = only(await check_mta_sts(DOMAIN, setup(), dns(zone)), level)
    assert words in found.text


async def test_the_policy_that_we_serve() -> None:
    ours = setup(sts_record="v=STSv1; id=2;")
    found = only(await check_mta_sts(DOMAIN, ours, dns(good())), Level.WARNING)
    assert "announces the policy 20261125, and we serve another" in found.text
    assert lines(found) == [f'_mta-sts.{DOMAIN}. 3600 IN TXT "v=STSv1; id=2;"']
    zone = good() | {f"_mta-sts.{DOMAIN}": {"TXT": []}}
    found = only(await check_mta_sts(DOMAIN, ours, dns(zone)), Level.WARNING)
    assert lines(found)[1] == f"mta-sts.{DOMAIN}. 3600 IN CNAME {HOST}."


@pytest.mark.parametrize(
    "serving", [{"sts_record": "v=STSv1; id=20261125;"}, {"sts_id": "20261125"}]
)
@pytest.mark.parametrize(
    ("mode", "hosts", "level"),
    [
        (StsMode.ENFORCE, (HOST,), Level.PROBLEM),
        (StsMode.TESTING, (HOST,), Level.WARNING),
        (StsMode.NONE, (), Level.OK),
        (StsMode.ENFORCE, (HOST, "*.other.test"), Level.OK),
    ],
)
async def test_a_policy_that_leaves_out_an_mx(
    mode: StsMode, hosts: tuple[str, ...], level: Level, serving: dict[str, str]
) -> None:
    ours = setup(sts_hosts=hosts, sts_mode=mode, **serving)
    zone = good()
    zone[DOMAIN]["MX"].append("20 mx.other.test")
    found = only(await check_mta_sts(DOMAIN, ours, dns(zone)), level)
    assert ("does not name mx.other.test," in found.text) is (level is not Level.OK)


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
        ([OTHER], Level.PROBLEM, "does not fit our certificate"),
        (["2 1 1 " + "ab" * 32], Level.PROBLEM, "does not fit our certificate"),
        (["1 1 1 " + "ab" * 32], Level.WARNING, "no record that mail servers use"),
        ([OTHER, FACTS.tlsa.upper()], Level.OK, "fits our certificate (3 1 1 "),
    ],
)
async def test_dane(tlsa: list[str], level: Level, words: str) -> None:
    zone = good()
    zone[NAME] = {"TLSA": tlsa}
    found = only(await check_dane(DOMAIN, setup(), dns(zone), NOW), level)
    assert words in found.text
    assert lines(found) == ([] if level is Level.OK else [f"{NAME}. 3600 IN TLSA {setup().tlsa}"])


async def test_dane_without_dnssec() -> None:
    found = only(await check_dane(DOMAIN, setup(), FakeDns(good()), NOW), Level.WARNING)
    assert "not seen to be authentic" in found.text
    zone = good()
    del zone[NAME]
    found = only(await check_dane(DOMAIN, setup(), FakeDns(zone), NOW), Level.WARNING)
    assert "signed by DNSSEC" in found.text


async def test_dane_of_other_hosts() -> None:
    zone = good() | {"_25._tcp.mx.other.test": {"TLSA": [OTHER]}}
    zone[DOMAIN]["MX"].append("20 mx.other.test")
    findings = await check_dane(DOMAIN, setup(), dns(zone), NOW)
    assert [each.level for each in findings] == [Level.OK, Level.OK]
