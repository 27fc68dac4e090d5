"""A domain whose DNS is as it should be, to be spoilt in one way at a time."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from msgspec.structs import replace

from postroad.ports import Answer
from postroad.runtime.certificate import make_self_signed, read_facts
from postroad.service.domain_check import DkimKey, Finding, Level, Setup, wanted_records
from postroad.trust.dkim import Algorithm, generate
from tests.fake_dns import FakeDns

DOMAIN = "here.test"
HOST = "mail.here.test"
IP4, IP6 = "198.51.100.7", "2001:4860::7"
NOW = time.time()
PEM = make_self_signed((HOST,))[1]
FACTS = read_facts(PEM)
CHAIN = x509.load_pem_x509_certificate(PEM).public_bytes(Encoding.DER)
KEY = generate(DOMAIN, "s1", Algorithm.ED25519_SHA256)

Zone = dict[str, dict[str, list[str]]]


def setup(**changes: Any) -> Setup:
    base: dict[str, Any] = {
        "hostname": HOST,
        "addresses": (IP4, IP6),
        "ports": {"submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995},
        "keys": (DkimKey("s1", KEY.record()),),
        "tlsa": FACTS.tlsa,
        "chain": (CHAIN,),
        "allow_private": True,
    }
    return Setup(**(base | changes))


def good(ours: Setup | None = None) -> Zone:
    """All the records that we want, as a resolver gives them, and MTA-STS."""
    records: Zone = {
        f"_mta-sts.{DOMAIN}": {"TXT": ["v=STSv1; id=20261125"]},
        f"mta-sts.{DOMAIN}": {"A": [IP4]},
    }
    for record in wanted_records(DOMAIN, ours or setup()):
        records.setdefault(record.name, {}).setdefault(record.type, []).append(record.data)
    return records


class SignedDns(FakeDns):
    """All that it says is validated by DNSSEC."""

    async def lookup(self, name: str, rdtype: str) -> Answer:
        return replace(await super().lookup(name, rdtype), authenticated=True)


def dns(records: Mapping[str, Mapping[str, Sequence[str]]], *failing: tuple[str, str]) -> FakeDns:
    return SignedDns(records, failing)


def only(findings: Sequence[Finding], level: Level) -> Finding:
    """Return the one finding of that level."""
    (found,) = (each for each in findings if each.level is level)
    return found


def lines(finding: Finding) -> list[str]:
    return [record.zone_line() for record in finding.records]
