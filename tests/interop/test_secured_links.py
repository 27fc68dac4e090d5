"""DANE and MTA-STS between real parts: Knot signs, Unbound validates, Postfix receives.

We deliver to Postfix by what Unbound says of Knot's zones, and to nobody else.
"""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from msgspec import Struct

from peers.dns import Knot, Unbound
from peers.postfix import Maildirs, Postfix
from postroad.lab.ca import Authority, Leaf
from postroad.lab.policies import PolicyServer
from postroad.model import (
    Address,
    Attempted,
    DeliveryState,
    Envelope,
    LinkPolicy,
    Origin,
    Recipient,
    RouteTaken,
    ServerKind,
    StsMode,
    parse_id,
)
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.service.journeys import Journey
from postroad.trust.mta_sts import write_policy, write_record
from tests.interop.serving_process import command, write_config

HOST = "127.0.0.1"
DATA = b"Subject: secured\r\n\r\nHello\r\n"
WRONG = f"3 1 1 {'0' * 64}"
ALGORITHM_OF_NOBODY = "12345 13 2 " + "ab" * 32


def tlsa_of(file: Path, usage: int, place: int) -> str:
    """The TLSA record (SPKI, SHA-256) of the certificate at a place of a PEM file's chain."""
    certificate = x509.load_pem_x509_certificates(file.read_bytes())[place]
    key = certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return f"{usage} 1 1 {hashlib.sha256(key).hexdigest()}"


class Internet(Struct):
    """What all tests share: names, who answers for them, and two Postfixes, one of which has no TLS."""

    authority: Authority
    leaf: Leaf
    postfix: Postfix
    bare: Postfix
    knot: Knot
    unbound: Unbound


def zone(address: str, port: int, *tlsa: str) -> str:
    """The records of a domain whose host is at an address."""
    records = "".join(f"_{port}._tcp.mx TLSA {record}\n" for record in tlsa)
    return f"@ MX 10 mx\nmx A {address}\n{records}"


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    folder = tmp_path_factory.mktemp("ca")
    folder.chmod(0o755)
    authority = Authority(folder)
    hosts = [f"mx.{name}.test" for name in ("ee", "ta", "wrong", "bogus", "insecure", "sts")]
    leaf = authority.issue(*hosts)
    for file in (leaf.certificate, leaf.key):
        file.chmod(0o644)
    domains = [f"{name}.test" for name in ("ee", "ta", "wrong", "bogus", "insecure", "sts", "bare")]
    tls = {
        "smtpd_tls_security_level": "may",
        "smtpd_tls_chain_files": f"{leaf.key}, {leaf.certificate}",
    }
    with (
        Postfix(local=Maildirs(domains, ["bob"]), settings=tls) as postfix,
        Postfix("127.0.0.2", postfix.port, local=Maildirs(domains, ["bob"])) as bare,
    ):
        port, address = postfix.port, postfix.address
        leaf_record, ta_record = tlsa_of(leaf.certificate, 3, 0), tlsa_of(leaf.certificate, 2, 1)
        zones = {
            "ee.test": zone(address, port, leaf_record),
            "ta.test": zone(address, port, ta_record),
            "wrong.test": zone(address, port, WRONG),
            "bogus.test": zone(address, port) + "_tcp.mx NS ns.invalid.\n",
            # Unbound is told to trust another key for it than the one that signed it.
            "_tcp.mx.bogus.test": f"_{port} TLSA {leaf_record}\n",
            "insecure.test": zone(address, port, WRONG),
            "bare.test": zone(bare.address, port, leaf_record),
            "sts.test": zone(address, port),
        }
        secure = ["ee.test", "ta.test", "wrong.test", "bogus.test", "bare.test"]
        with (
            Knot(zones, signed=[*secure, "_tcp.mx.bogus.test"]) as knot,
            Unbound(
                [knot],
                signed=secure,
                anchors=[f"_tcp.mx.bogus.test. IN DS {ALGORITHM_OF_NOBODY}"],
            ) as unbound,
        ):
            yield Internet(authority, leaf, postfix, bare, knot, unbound)


class Sender:
    """Our system, which sends and serves nobody."""

    def __init__(self, system: System) -> None:
        self.system = system

    async def send(self, domain: str, until: str, data: bytes = DATA) -> tuple[Journey, RouteTaken]:
        """Send to bob at a domain; return journey and way once something of that kind happened."""
        envelope = Envelope(
            Address.parse("alice@us.test"), (Recipient(Address.parse(f"bob@{domain}")),)
        )
        reply = await self.system.intake.submit(envelope, data, Origin(ServerKind.LOCAL))
        assert reply.positive, reply
        number = parse_id(reply.text.rpartition(" ")[2])
        async with asyncio.timeout(30):
            while True:
                journey = await self.system.journeys.of(number)
                if any(line.what == until for line in journey.lines):
                    break
                ended = [each.state for each in journey.deliveries if each.state.final]
                assert not ended, "\n".join(line.text for line in journey.lines)
                await asyncio.sleep(0.02)
        events = await self.system.store.journey.events(number)
        attempts = [event.change for event in events if isinstance(event.change, Attempted)]
        taken = attempts[0].taken
        assert taken is not None
        return journey, taken


@asynccontextmanager
async def sender(internet: Internet, folder: Path, **delivery: object) -> AsyncIterator[Sender]:
    unbound = internet.unbound
    config = Config.model_validate(
        {
            "server": {"hostname": "us.test", "data_dir": str(folder), "run_as_root": True},
            "listen": {name: [] for name in ("mx", "submission", "submissions", "pop3", "pop3s")}
            | {"local": None},
            "tls": {"ca_file": str(internet.authority.root_file)},
            "delivery": {
                "nameservers": [f"{unbound.address}:{unbound.port}"],
                "port": internet.postfix.port,
                "allow_private": True,
                "dns_total_seconds": 10,
                **delivery,
            },
            "queue": {"retry_first_seconds": 60, "poll_seconds": 0.2},
        }
    )
    async with System.open(config) as system:
        await system.start()
        yield Sender(system)


def text(journey: Journey, what: str) -> str:
    return "\n".join(line.text for line in journey.lines if line.what == what)


async def arrived(postfix: Postfix, domain: str, before: int) -> None:
    async with asyncio.timeout(20):
        while postfix.count(domain) == before:
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(("domain", "usage"), [("ee.test", 3), ("ta.test", 2)])
async def test_dane(internet: Internet, tmp_path: Path, domain: str, usage: int) -> None:
    before = internet.postfix.count(domain)
    async with sender(internet, tmp_path) as we:
        journey, taken = await we.send(domain, "delivered")
    assert taken.policy is LinkPolicy.DANE
    assert taken.verified.startswith(f"certificate fits TLSA {usage} 1 1 ")
    assert "vouched for by DNSSEC" in text(journey, "lookup")
    await arrived(internet.postfix, domain, before)


async def test_a_wrong_record_defers_until_it_is_mended(internet: Internet, tmp_path: Path) -> None:
    async with sender(internet, tmp_path) as we:
        journey, taken = await we.send("wrong.test", "deferred")
        assert taken.policy is LinkPolicy.DANE
        assert "does not fit the TLSA records" in text(journey, "deferred")
        assert internet.postfix.count("wrong.test") == 0
        right = tlsa_of(internet.leaf.certificate, 3, 0)
        postfix = internet.postfix
        internet.knot.update("wrong.test", zone(postfix.address, postfix.port, right))
        keys = [(each.message, each.ordinal) for each in journey.deliveries]
        until = time.monotonic() + 20
        while True:
            await we.system.desk.retry(keys, by="test")
            await asyncio.sleep(0.3)
            journey = await we.system.journeys.of(journey.message.id)
            if journey.deliveries[0].state is DeliveryState.DELIVERED:
                break
            assert time.monotonic() < until, "\n".join(line.text for line in journey.lines)
    await arrived(internet.postfix, "wrong.test", 0)


async def test_a_bogus_record_defers(internet: Internet, tmp_path: Path) -> None:
    async with sender(internet, tmp_path) as we:
        journey, taken = await we.send("bogus.test", "deferred")
    assert taken.policy is LinkPolicy.DANE
    assert "SERVFAIL" in text(journey, "deferred")
    assert "connect" not in {line.what for line in journey.lines}
    assert internet.postfix.count("bogus.test") == 0


async def test_without_dnssec_the_record_does_not_count(internet: Internet, tmp_path: Path) -> None:
    async with sender(internet, tmp_path) as we:
        _, taken = await we.send("insecure.test", "delivered")
    assert taken.policy is LinkPolicy.OPPORTUNISTIC
    assert taken.tls is not None


async def test_a_server_without_starttls_gets_nothing(internet: Internet, tmp_path: Path) -> None:
    async with sender(internet, tmp_path) as we:
        journey, _ = await we.send("bare.test", "deferred")
    assert "TLS is required by DANE and not offered" in text(journey, "deferred")
    assert internet.bare.count("bare.test") == 0


@asynccontextmanager
async def policies(
    internet: Internet, mode: StsMode, *mx: str, host: str = HOST
) -> AsyncIterator[int]:
    """Publish an MTA-STS policy of sts.test, whose host is at an address; yields the server's port."""
    async with PolicyServer(internet.authority, HOST) as server:
        policy = server.files["sts.test"] = write_policy(mode, mx, 86_400)
        record = write_record(policy)
        internet.knot.update(
            "sts.test",
            f'@ MX 10 mx\nmx A {host}\nmta-sts A {HOST}\n_mta-sts TXT "{record}"\n',
        )
        yield server.port


@pytest.mark.parametrize("mode", [StsMode.ENFORCE, StsMode.TESTING])
async def test_mta_sts(internet: Internet, tmp_path: Path, mode: StsMode) -> None:
    before = internet.postfix.count("sts.test")
    async with (
        policies(internet, mode, "*.sts.test") as port,
        sender(internet, tmp_path, mta_sts_port=port) as we,
    ):
        _, taken = await we.send("sts.test", "delivered")
    expected = LinkPolicy.STS_ENFORCE if mode is StsMode.ENFORCE else LinkPolicy.STS_TESTING
    assert (taken.policy, taken.verified) == (expected, "certificate valid for mx.sts.test")
    await arrived(internet.postfix, "sts.test", before)


async def test_mta_sts_and_a_host_that_it_does_not_name(internet: Internet, tmp_path: Path) -> None:
    before = internet.postfix.count("sts.test")
    async with (
        policies(internet, StsMode.ENFORCE, "mx2.sts.test") as port,
        sender(internet, tmp_path, mta_sts_port=port) as we,
    ):
        journey, _ = await we.send("sts.test", "deferred")
    assert "mx.sts.test is no host of the MTA-STS policy of sts.test" in text(journey, "deferred")
    assert "connect" not in {line.what for line in journey.lines}
    assert internet.postfix.count("sts.test") == before


async def test_mta_sts_and_starttls_that_is_stripped(internet: Internet, tmp_path: Path) -> None:
    async with (
        policies(internet, StsMode.ENFORCE, "mx.sts.test", host="127.0.0.2") as port,
        sender(internet, tmp_path, mta_sts_port=port) as we,
    ):
        journey, _ = await we.send("sts.test", "deferred")
    assert "TLS is required by MTA-STS and not offered" in text(journey, "deferred")
    assert internet.bare.count("sts.test") == 0


async def test_the_route_command_tells_the_rule(internet: Internet, tmp_path: Path) -> None:
    file = tmp_path / "postroad.toml"
    async with policies(internet, StsMode.ENFORCE, "mx.sts.test") as port:
        write_config(
            file,
            {
                "server": {"hostname": "us.test", "data_dir": str(tmp_path / "none")},
                "tls": {"ca_file": str(internet.authority.root_file)},
                "delivery": {
                    "nameservers": [f"{internet.unbound.address}:{internet.unbound.port}"],
                    "port": internet.postfix.port,
                    "allow_private": True,
                    "mta_sts_port": port,
                },
            },
        )
        found = {}
        for domain in ("ee.test", "bogus.test", "insecure.test", "sts.test"):
            done = await asyncio.to_thread(command, file, "route", f"bob@{domain}", "--json")
            (host,) = json.loads(done.stdout)["leads"][0]["hosts"]
            found[domain] = (host["link"], (host["link_refusal"] or "")[:9])
        shown = await asyncio.to_thread(command, file, "route", "bob@ee.test")
    assert found == {
        "ee.test": ("dane", ""),
        "bogus.test": ("dane", "451 4.4.3"),
        "insecure.test": ("opportunistic", ""),
        "sts.test": ("mta-sts enforce", ""),
    }
    assert "link        mx.ee.test: the receiver uses DANE\n" in shown.stdout.decode()
