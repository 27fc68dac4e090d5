"""SPF, DKIM, DMARC: what a receiver would make of the records."""

import pytest

from postroad.service.domain_check.finding import Level
from postroad.service.domain_check.sender import check_dkim, check_dmarc, check_spf_records
from postroad.service.domain_check.setup import DkimKey
from postroad.trust.dkim import Algorithm, generate
from tests.unit.service.domain_check.scene import (
    DOMAIN,
    HOST,
    IP4,
    IP6,
    KEY,
    dns,
    good,
    lines,
    only,
    setup,
)

OURS = f"ip4:{IP4} ip6:{IP6}"


@pytest.mark.parametrize(
    ("texts", "words", "mended"),
    [
        ([], "has no SPF record", f"v=spf1 {OURS} -all"),
        (["v=spf1 mx:other.test -all"], "fail", f"v=spf1 {OURS} mx:other.test -all"),
        (["v=spf1 ?all"], "neutral", f"v=spf1 {OURS} ?all"),
        (["v=spf1 ipv4:1.2.3.4 -all"], "permerror", f"v=spf1 {OURS} -all"),
        (["v=spf1 -all", "v=spf1 -all"], "2 SPF records", f"v=spf1 {OURS} -all"),
    ],
)
async def test_spf_that_does_not_let_us(texts: list[str], words: str, mended: str) -> None:
    zone = good()
    zone[DOMAIN]["TXT"] = texts
    findings = await check_spf_records(DOMAIN, setup(), dns(zone))
    bad = [each for each in findings if each.level is Level.PROBLEM]
    assert len(bad) == 2  # for each of our addresses
    assert all(words in each.text for each in bad)
    assert lines(bad[0]) == [f'{DOMAIN}. 3600 IN TXT "{mended}"']


async def test_spf_that_lets_everybody() -> None:
    zone = good()
    zone[DOMAIN]["TXT"] = ["v=spf1 +all"]
    findings = await check_spf_records(DOMAIN, setup(), dns(zone))
    assert "anybody may send" in only(findings, Level.PROBLEM).text


async def test_spf_without_an_end() -> None:
    zone = good()
    zone[DOMAIN]["TXT"] = [f"v=spf1 {OURS}"]
    findings = await check_spf_records(DOMAIN, setup(), dns(zone))
    assert "says nothing of strangers" in only(findings, Level.WARNING).text


async def test_spf_that_nearly_asks_too_much() -> None:
    zone = good()
    zone[DOMAIN]["TXT"] = [
        "v=spf1 " + " ".join(f"include:i{number}.test" for number in range(9)) + f" {OURS} -all"
    ]
    zone |= {f"i{number}.test": {"TXT": ["v=spf1 -all"]} for number in range(9)}
    findings = await check_spf_records(DOMAIN, setup(), dns(zone))
    assert [each.level for each in findings].count(Level.WARNING) == 2
    assert "9 of 10 look-ups" in findings[0].text


async def test_spf_of_the_name_in_ehlo() -> None:
    zone = good()
    del zone[HOST]["TXT"]
    found = only(await check_spf_records(DOMAIN, setup(), dns(zone)), Level.WARNING)
    assert lines(found) == [f'{HOST}. 3600 IN TXT "v=spf1 a -all"']


async def test_spf_where_our_addresses_are_not_known() -> None:
    zone = good()
    zone[DOMAIN]["TXT"] = []
    findings = await check_spf_records(DOMAIN, setup(addresses=()), dns(zone))
    assert "has no SPF record" in only(findings, Level.PROBLEM).text


NAME = f"s1._domainkey.{DOMAIN}"


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "the key is not published"),
        ([generate(DOMAIN, "s1", Algorithm.ED25519_SHA256).record()], "is not our key"),
        ([KEY.record(), KEY.record()], "is not our key"),
        (["v=DKIM1; p="], "is not our key"),
    ],
)
async def test_our_key_is_not_there(texts: list[str], words: str) -> None:
    found = only(
        await check_dkim(DOMAIN, setup(), dns(good() | {NAME: {"TXT": texts}})), Level.PROBLEM
    )
    assert words in found.text
    assert lines(found) == [f'{NAME}. 3600 IN TXT "{KEY.record()}"']


async def test_a_new_key_may_wait_for_its_record() -> None:
    ours = setup(keys=(DkimKey("s1", KEY.record(), signs=False),))
    found = only(await check_dkim(DOMAIN, ours, dns(good() | {NAME: {"TXT": []}})), Level.WARNING)
    assert "waits for its record" in found.text


async def test_a_key_in_test_mode() -> None:
    zone = good() | {NAME: {"TXT": [KEY.record() + "; t=y"]}}
    assert "test mode" in only(await check_dkim(DOMAIN, setup(), dns(zone)), Level.WARNING).text


async def test_keys_of_others() -> None:
    weak = generate(DOMAIN, "old", Algorithm.RSA_SHA256, 1024).record()
    zone = {
        f"old._domainkey.{DOMAIN}": {"TXT": [weak]},
        f"gone._domainkey.{DOMAIN}": {"TXT": ["v=DKIM1; p="]},
    }
    ours = setup(keys=(), selectors=("old", "gone", "never"))
    findings = await check_dkim(DOMAIN, ours, dns(zone))
    assert [each.level for each in findings] == [Level.WARNING, Level.PROBLEM, Level.PROBLEM]
    assert "1024 bits" in findings[0].text
    assert "revoked" in findings[1].text
    assert "there is no key" in findings[2].text


async def test_no_key_at_all() -> None:
    found = only(await check_dkim(DOMAIN, setup(keys=()), dns({})), Level.WARNING)
    assert "--selector" in found.text


async def test_keys_are_compared_and_not_their_spelling() -> None:
    spelt = KEY.record().replace("; ", ";").replace("h=sha256;", "")
    ours = setup(keys=(DkimKey("s1", spelt),))
    found = only(await check_dkim(DOMAIN, ours, dns(good())), Level.OK)
    assert found.text == f"{NAME}: ed25519-sha256, 256 bits"


async def dmarc(text: str, **more: list[str]) -> list[tuple[str, str]]:
    zone = good() | {f"_dmarc.{DOMAIN}": {"TXT": [text]}}
    zone |= {name.replace("__", "."): {"TXT": texts} for name, texts in more.items()}
    return [(each.level.value, each.text) for each in await check_dmarc(DOMAIN, setup(), dns(zone))]


async def test_dmarc() -> None:
    assert await dmarc("v=DMARC1; p=reject; rua=mailto:a@here.test") == [
        ("ok", "_dmarc.here.test: forged mail is to be refused (reject)")
    ]
    assert await dmarc("v=DMARC1; p=none; rua=mailto:a@sub.here.test") == [
        ("warning", "_dmarc.here.test: p=none")
    ]
    assert await dmarc("v=DMARC1; p=reject") == [
        ("ok", "_dmarc.here.test: forged mail is to be refused (reject)"),
        ("warning", "_dmarc.here.test asks for no reports (rua)"),
    ]
    ((level, text),) = await dmarc("v=DMARC1; p=reject; pct=5; rua=mailto:a@here.test")
    assert (level, "pct=5" in text) == ("warning", True)
    ((level, text),) = await dmarc("v=DMARC1; p=rejcet; rua=mailto:a@here.test")
    assert (level, "rejcet" in text) == ("problem", True)
    assert (await dmarc("v=spf1 -all"))[0] == ("problem", "here.test has no DMARC policy")
    assert ("warning", "reports go to https://x.test, and only mailto: is known to all") in (
        await dmarc("v=DMARC1; p=reject; rua=https://x.test")
    )


@pytest.mark.parametrize(
    ("there", "proposed"),
    [
        (
            "v=DMARC1; p=reject; sp=reject; adkim=s",
            "v=DMARC1; p=reject; sp=reject; adkim=s; rua=mailto:postmaster@here.test",
        ),
        (
            "v=DMARC1; p=none; rua=mailto:a@here.test!5",
            "v=DMARC1; p=quarantine; rua=mailto:a@here.test!5",
        ),
        (
            "v=DMARC1; p=reject; sp=all; rua=mailto:a@here.test",
            "v=DMARC1; p=reject; rua=mailto:a@here.test",
        ),
        (
            "v=DMARC1; sp=reject; p=rejcet; fo=1",
            "v=DMARC1; p=quarantine; sp=reject; fo=1; rua=mailto:postmaster@here.test",
        ),
    ],
)
async def test_a_dmarc_record_that_is_there_is_mended(there: str, proposed: str) -> None:
    zone = good() | {f"_dmarc.{DOMAIN}": {"TXT": [there]}}
    findings = await check_dmarc(DOMAIN, setup(), dns(zone))
    wanted = {line for each in findings for line in lines(each)}
    assert wanted == {f'_dmarc.{DOMAIN}. 3600 IN TXT "{proposed}"'}


async def test_the_record_of_the_domain_above() -> None:
    zone = good() | {f"_dmarc.{DOMAIN}": {"TXT": ["v=DMARC1; p=reject; sp=none; rua=mailto:a@b.c"]}}
    findings = await check_dmarc(f"sub.{DOMAIN}", setup(), dns(zone))
    assert findings[0].text == "_dmarc.here.test: p=none"


async def test_reports_to_another_domain() -> None:
    text = "v=DMARC1; p=reject; rua=mailto:a@reports.test"
    zone = good() | {f"_dmarc.{DOMAIN}": {"TXT": [text]}}
    found = only(await check_dmarc(DOMAIN, setup(), dns(zone)), Level.WARNING)
    name = f"{DOMAIN}._report._dmarc.reports.test"
    assert lines(found) == [f'{name}. 3600 IN TXT "v=DMARC1"']
    zone[name] = {"TXT": ["v=DMARC1"]}
    findings = await check_dmarc(DOMAIN, setup(), dns(zone))
    assert all(each.level is Level.OK for each in findings)
