"""SRV records for mail clients."""

from postroad.service.domain_check.clients import check_clients
from postroad.service.domain_check.finding import Level
from tests.unit.service.domain_check.scene import DOMAIN, HOST, dns, good, lines, only, setup


async def test_none() -> None:
    found = only(await check_clients(DOMAIN, setup(), dns({DOMAIN: {}})), Level.WARNING)
    assert "_submissions._tcp, _submission._tcp, _pop3s._tcp, _pop3._tcp" in found.text
    assert len(lines(found)) == 4  # what we do not offer need not be denied


async def test_one_that_leads_astray() -> None:
    zone = good() | {f"_submissions._tcp.{DOMAIN}": {"SRV": ["0 1 465 smtp.other.test."]}}
    found = only(await check_clients(DOMAIN, setup(), dns(zone)), Level.WARNING)
    assert found.text == f"_submissions._tcp leads to smtp.other.test:465, not to {HOST}:465"


async def test_one_for_what_is_not_offered() -> None:
    zone = good() | {f"_imaps._tcp.{DOMAIN}": {"SRV": [f"0 1 993 {HOST}."]}}
    found = only(await check_clients(DOMAIN, setup(), dns(zone)), Level.WARNING)
    assert found.text == f"_imaps._tcp leads to {HOST}:993, not to nowhere"


async def test_nonsense() -> None:
    zone = good() | {f"_pop3s._tcp.{DOMAIN}": {"SRV": ["x"]}}
    found = only(await check_clients(DOMAIN, setup(), dns(zone)), Level.WARNING)
    assert found.text == f"_pop3s._tcp leads to x:0, not to {HOST}:995"
