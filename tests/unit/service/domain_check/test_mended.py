"""What is published is kept as far as it does."""

import pytest
from msgspec.structs import replace

from postroad.service.domain_check.mended import dmarc_from, fitting_records, mended_spf
from postroad.service.domain_check.setup import dmarc_record, spf_record, wanted_records
from tests.unit.service.domain_check.scene import DOMAIN, HOST, IP4, IP6, Zone, dns, good, setup

OURS = f"ip4:{IP4} ip6:{IP6}"
DMARC = f"_dmarc.{DOMAIN}"


async def texts(zone: Zone, name: str, domain: str = DOMAIN, **changes: str) -> list[str]:
    proposal = await fitting_records(domain, setup(**changes), dns(zone))
    assert not proposal.unknown
    return [each.data for each in proposal.records if each.type == "TXT" and each.name == name]


async def test_of_nothing_published_come_the_wanted_records() -> None:
    proposal = await fitting_records(DOMAIN, setup(), dns({}))
    assert list(proposal.records) == wanted_records(DOMAIN, setup())


@pytest.mark.parametrize(
    ("there", "proposed"),
    [
        (f"v=spf1 {OURS} mx:other.test ~all", f"v=spf1 {OURS} mx:other.test ~all"),
        ("v=spf1 mx:other.test ~all", f"v=spf1 {OURS} mx:other.test ~all"),
        ("v=spf1 ipv4:1.2.3.4 ip4:1.2.3.4 -all", f"v=spf1 {OURS} ip4:1.2.3.4 -all"),
        ("v=spf1 include:gone.test -all", f"v=spf1 {OURS} -all"),  # permerror for all others
        (f"v=spf1 {OURS} +all", f"v=spf1 {OURS} -all"),
    ],
)
async def test_spf(there: str, proposed: str) -> None:
    zone = good()
    zone[DOMAIN]["TXT"] = ["unrelated", there]
    assert (await mended_spf(DOMAIN, setup(), dns(zone))).data == proposed
    assert await texts(zone, DOMAIN) == [proposed]


async def test_spf_of_the_host() -> None:
    zone = good()
    zone[HOST]["TXT"] = [f"v=spf1 ip4:{IP4} -all"]
    assert await texts(zone, HOST) == zone[HOST]["TXT"]
    zone[HOST]["TXT"] = ["v=spf1 ipv4:1.2.3.4 -all"]
    assert await texts(zone, HOST) == ["v=spf1 a -all"]


async def test_a_stricter_policy_is_kept() -> None:
    there = "v=DMARC1; p=reject; sp=reject; adkim=s; rua=mailto:a@here.test"
    zone = good() | {DMARC: {"TXT": [there]}}
    assert await texts(zone, DMARC) == [there]
    assert await texts(zone, DMARC, reports_to="b@here.test") == [f"{there},mailto:b@here.test"]
    # The policy of the domain above is as good.
    assert await texts(zone, f"_dmarc.sub.{DOMAIN}", f"sub.{DOMAIN}") == []
    zone[DMARC] = {"TXT": [there.replace("sp=reject", "sp=none")]}
    assert await texts(zone, f"_dmarc.sub.{DOMAIN}", f"sub.{DOMAIN}") == [
        f"v=DMARC1; p=quarantine; rua=mailto:postmaster@sub.{DOMAIN}"
    ]


async def test_tls_reports() -> None:
    name, there = f"_smtp._tls.{DOMAIN}", "v=TLSRPTv1; rua=https://reports.test/x"
    zone = good() | {name: {"TXT": [there]}}
    assert await texts(zone, name) == [there]
    assert await texts(zone, name, reports_to="b@here.test") == [f"{there},mailto:b@here.test"]


async def test_what_is_not_known_is_said() -> None:
    failing = [(DOMAIN, "TXT"), (DMARC, "TXT")]
    proposal = await fitting_records(DOMAIN, setup(), dns(good(), *failing))
    assert proposal.unknown == tuple(
        f"no answer to TXT {name}: no answer within 15 s" for name, _ in failing
    )
    assert spf_record(DOMAIN, setup()) in proposal.records


def test_tags_twice_and_words_without_a_value() -> None:
    fresh = dmarc_record(DOMAIN, setup())
    text = "v=DMARC1;P=Reject; p=none; nonsense; rua=mailto:a@b.c"
    assert dmarc_from(text, fresh) == replace(fresh, data="v=DMARC1; p=Reject; rua=mailto:a@b.c")
