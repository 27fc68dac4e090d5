"""MX, addresses, names."""

from typing import Any

import pytest

from postroad.service.domain_check.finding import Level
from postroad.service.domain_check.hosts import check_hosts
from tests.unit.service.domain_check.scene import DOMAIN, HOST, IP4, dns, good, lines, only, setup

PTR4 = "7.100.51.198.in-addr.arpa"


@pytest.mark.parametrize(
    ("mx", "words"),
    [
        ([], "has no MX record"),
        (["0 ."], "null MX"),
        (["10 mx.other.test"], "mail goes to mx.other.test, and not to us"),
    ],
)
async def test_mail_that_does_not_come(mx: list[str], words: str) -> None:
    zone = good() | {"mx.other.test": {"A": [IP4]}}
    zone[DOMAIN] = zone[DOMAIN] | {"MX": mx}
    found = only(await check_hosts(DOMAIN, setup(), dns(zone)), Level.PROBLEM)
    assert (found.topic, words in found.text) == ("MX", True)
    assert lines(found) == [f"{DOMAIN}. 3600 IN MX 10 {HOST}."]


async def test_others_beside_us_are_well() -> None:
    zone = good() | {"mx.other.test": {"A": [IP4]}}
    zone[DOMAIN]["MX"] = ["20 mx.other.test", f"10 {HOST}"]
    findings = await check_hosts(DOMAIN, setup(), dns(zone))
    assert all(each.level is Level.OK for each in findings)
    assert findings[0].text == f"mail comes to {HOST}; also named: mx.other.test"


async def test_a_name_that_does_not_exist() -> None:
    found = (await check_hosts("no.test", setup(), dns(good())))[0]
    assert "does not exist" in found.text


@pytest.mark.parametrize(
    ("records", "words", "private"),
    [
        ({"CNAME": ["www.here.test"]}, "is an alias of www.here.test", True),
        ({"TXT": ["x"]}, "has no address", True),
        ({"A": ["10.0.0.1"]}, "private address 10.0.0.1 refused", False),
        ({"A": ["127.0.0.1"]}, "loopback address 127.0.0.1 refused", False),
    ],
)
async def test_hosts_that_nobody_reaches(
    records: dict[str, list[str]], words: str, private: bool
) -> None:
    zone = good() | {HOST: records, "www.here.test": {"A": [IP4]}}
    findings = await check_hosts(DOMAIN, setup(allow_private=private), dns(zone))
    found = next(each for each in findings if each.topic == "A/AAAA")
    assert found.level is Level.PROBLEM
    assert words in found.text
    assert f"{HOST}. 3600 IN A {IP4}" in lines(found)


@pytest.mark.parametrize(
    ("ptr", "level", "words"),
    [
        ([], Level.PROBLEM, "has no name"),
        (["liar.test"], Level.PROBLEM, "does not lead back"),
        (["other.here.test"], Level.WARNING, f"we say that we are {HOST}"),
    ],
)
async def test_names_of_our_address(ptr: list[str], level: Level, words: str) -> None:
    zone: dict[str, Any] = good() | {PTR4: {"PTR": ptr}, "other.here.test": {"A": [IP4]}}
    found = only(await check_hosts(DOMAIN, setup(), dns(zone)), level)
    assert (found.topic, words in found.text) == ("FCrDNS", True)
    assert lines(found) == [f"{PTR4}. 3600 IN PTR {HOST}."]


async def test_without_addresses_of_ours() -> None:
    findings = await check_hosts(DOMAIN, setup(addresses=()), dns(good()))
    assert "--address" in only(findings, Level.PROBLEM).why
