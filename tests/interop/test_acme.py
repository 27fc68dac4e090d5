"""Certificates from Pebble: the proofs are really looked at, and connections outlive a renewal."""

import asyncio
import base64
import ssl
import stat
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from peers.dns import Knot
from peers.pebble import Pebble
from peers.tools import free_port
from postroad.lab.ca import Authority
from postroad.lab.dns import DnsServer
from postroad.lab.zones import Zones
from postroad.network.acme import (
    AcmeAuthority,
    AcmeSettings,
    Binding,
    ChallengeDirectory,
    DnsCommand,
    DnsProof,
    DnsUpdate,
    HttpProof,
    TsigKey,
)
from postroad.network.nameservers import Nameserver
from postroad.ports.authority import IssueFailed
from postroad.runtime.certificate import fits, make_key, read_facts
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.renewal import Renewal, read_attempts

NAME = "mail.here.test"
SECRET = base64.b64encode(b"a key of thirty-two octets, good").decode()
BINDING = ("kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@asynccontextmanager
async def pebble(authority: Authority, **options: Any) -> AsyncIterator[Pebble]:
    leaf = authority.issue("127.0.0.1")
    started = Pebble(leaf.certificate, leaf.key, authority.root_file, **options)
    await asyncio.to_thread(started.__enter__)
    try:
        yield started
    finally:
        await asyncio.to_thread(started.__exit__, None, None, None)


def config(tmp_path: Path, ca: Pebble, authority: Authority, **acme: Any) -> Config:
    nowhere: list[str] = []
    return Config.model_validate(
        {
            "server": {"hostname": NAME, "data_dir": str(tmp_path / "data")},
            "listen": {
                "mx": nowhere,
                "submission": nowhere,
                "submissions": nowhere,
                "pop3": nowhere,
                "pop3s": ["127.0.0.1:0"],
                "acme": [f"127.0.0.1:{ca.http_port}"],
                "local": "",
            },
            "tls": {"acme": "http-01", "watch_seconds": 0.1},
            "acme": {
                "directory": ca.directory_url,
                "terms_agreed": True,
                "ca_file": str(authority.root_file),
                "contact": "admin@here.test",
                **acme,
            },
        }
    )


async def issuer_at(port: int) -> str:
    """Say whose certificate a new connection sees."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
    assert (await reader.readline()).startswith(b"+OK")
    der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return read_facts(ssl.DER_cert_to_PEM_cert(der).encode()).issuer


async def until_issued(port: int) -> str:
    async with asyncio.timeout(30):
        while "Pebble" not in (issuer := await issuer_at(port)):
            await asyncio.sleep(0.1)
    return issuer


async def test_a_server_gets_its_certificate_and_connections_outlive_the_change(
    tmp_path: Path, authority: Authority
) -> None:
    zones = Zones()
    zones.add(NAME, "A", "127.0.0.1")
    async with (
        DnsServer(zones) as dns,
        pebble(authority, dns=f"127.0.0.1:{dns.port}") as ca,
        System.open(config(tmp_path, ca, authority)) as system,
    ):
        # What is there before the authority has said anything.
        file = tmp_path / "data/acme/certificate.pem"
        assert read_facts(file.read_bytes()).self_signed
        await system.start()
        (_, port) = system.listening["pop3s"][0]
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context)
        await reader.readline()

        assert "Pebble" in await until_issued(port)

        # Who came before the change is still served.
        writer.write(b"NOOP\r\nCAPA\r\nQUIT\r\n")
        assert (await asyncio.wait_for(reader.read(), 10)).endswith(b"+OK goodbye\r\n")
        writer.close()
        # A client that believes the authority believes the server.
        strict = ssl.create_default_context(cadata=await asyncio.to_thread(ca.root))
        strict.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        trusting, writer = await asyncio.open_connection(
            "127.0.0.1", port, ssl=strict, server_hostname=NAME
        )
        assert (await trusting.readline()).startswith(b"+OK")
        writer.close()
        facts = read_facts(file.read_bytes())
        assert facts.names == (NAME,)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE((tmp_path / "data/acme/account.pem").stat().st_mode) == 0o600
        # Nothing is left to be asked for.
        assert list((tmp_path / "data/acme/challenges").iterdir()) == []

        # Again, by a command beside the server; the account is the same, the key too.
        renewed = await Renewal(system.config).renew()
        assert renewed.tlsa == facts.tlsa
        assert renewed.begins >= facts.begins


async def test_a_proof_that_cannot_be_seen(tmp_path: Path, authority: Authority) -> None:
    zones = Zones()
    zones.add(NAME, "A", "127.0.0.1")
    async with DnsServer(zones) as dns, pebble(authority, dns=f"127.0.0.1:{dns.port}") as ca:
        renewal = Renewal(config(tmp_path, ca, authority))  # nobody listens on its port 80
        with pytest.raises(
            IssueFailed, match=r"could not see the proof: mail\.here\.test"
        ) as caught:
            await renewal.renew()
        attempts = read_attempts(tmp_path / "data/acme")
        assert (attempts.failures, attempts.error) == (1, caught.value.reason)


async def test_an_account_that_must_be_bound(tmp_path: Path, authority: Authority) -> None:
    zones = Zones()
    async with DnsServer(zones) as dns:
        async with pebble(authority, dns=f"127.0.0.1:{dns.port}", binding=BINDING) as ca:
            publisher = InZones(zones)
            settings = AcmeSettings(
                ca.directory_url, tmp_path / "account.pem", ca_file=authority.root_file
            )
            free = AcmeAuthority(settings, DnsProof(publisher, 0))
            with pytest.raises(IssueFailed, match="authority refuses"):
                await free.issue(["here.test"], make_key())
            bound = AcmeSettings(
                ca.directory_url,
                tmp_path / "account.pem",
                ca_file=authority.root_file,
                binding=Binding(*BINDING),
            )
            issued = await AcmeAuthority(bound, DnsProof(publisher, 0)).issue(
                ["here.test"], make_key()
            )
            assert read_facts(issued).names == ("here.test",)


class InZones:
    """Publishes in the zones of the lab's DNS."""

    def __init__(self, zones: Zones) -> None:
        self._zones = zones

    def add(self, name: str, text: str) -> None:
        self._zones.add(name, "TXT", text)

    def remove(self, name: str, text: str) -> None:
        self._zones.remove(name, "TXT", text)


@pytest.fixture
def knot() -> Iterator[Knot]:
    zones = {"here.test": "@ A 192.0.2.1\nmail A 192.0.2.1\n"}
    with Knot(zones, update_key=("updates.", SECRET)) as started:
        yield started


@pytest.mark.parametrize("zone", ["here.test", ""])
async def test_proof_by_signed_updates(
    tmp_path: Path, authority: Authority, knot: Knot, zone: str
) -> None:
    """A name and all below it: two records of one name at once."""
    update = DnsUpdate(Nameserver(knot.address, knot.port), TsigKey("updates.", SECRET), zone=zone)
    async with pebble(authority, dns=f"{knot.address}:{knot.port}") as ca:
        settings = AcmeSettings(
            ca.directory_url, tmp_path / "account.pem", ca_file=authority.root_file
        )
        key = make_key()
        names = ["here.test", "*.here.test", "mail.here.test"]
        issued = await AcmeAuthority(settings, DnsProof(update, 0)).issue(names, key)
        assert set(read_facts(issued).names) == set(names)
        assert fits(issued, key)


def test_an_update_with_a_wrong_key(knot: Knot) -> None:
    wrong = TsigKey("updates.", base64.b64encode(b"another key of the same length..").decode())
    update = DnsUpdate(Nameserver(knot.address, knot.port), wrong, "here.test")
    with pytest.raises(IssueFailed, match=r"update of here\.test"):
        update.add("_acme-challenge.here.test", "x")
    unsigned = DnsUpdate(Nameserver(knot.address, knot.port), None, "here.test")
    with pytest.raises(IssueFailed, match=r"NOTAUTH|REFUSED"):
        unsigned.add("_acme-challenge.here.test", "x")


async def test_proof_by_a_command(tmp_path: Path, authority: Authority, knot: Knot) -> None:
    script = tmp_path / "publish.py"
    script.write_text(
        "import sys, dns.query, dns.tsigkeyring, dns.update\n"
        "what, name, text = sys.argv[1:]\n"
        f"keyring = dns.tsigkeyring.from_text({{'updates.': ('hmac-sha256.', '{SECRET}')}})\n"
        "update = dns.update.UpdateMessage('here.test.', keyring=keyring)\n"
        "if what == 'add':\n    update.add(name + '.', 60, 'TXT', text)\n"
        "else:\n    update.delete(name + '.', 'TXT', text)\n"
        f"answer = dns.query.tcp(update, '{knot.address}', 10, port={knot.port})\n"
        "sys.exit(answer.rcode())\n"
    )
    proof = DnsProof(DnsCommand([sys.executable, str(script)]), 0)
    async with pebble(authority, dns=f"{knot.address}:{knot.port}") as ca:
        settings = AcmeSettings(
            ca.directory_url, tmp_path / "account.pem", ca_file=authority.root_file
        )
        issued = await AcmeAuthority(settings, proof).issue(["mail.here.test"], make_key())
        assert read_facts(issued).names == ("mail.here.test",)


async def test_an_authority_that_is_not_there(tmp_path: Path, authority: Authority) -> None:
    settings = AcmeSettings(
        f"https://127.0.0.1:{free_port()}/dir",
        tmp_path / "account.pem",
        ca_file=authority.root_file,
    )
    proof = HttpProof(ChallengeDirectory(tmp_path / "challenges"))
    with pytest.raises(IssueFailed, match=r"127\.0\.0\.1"):
        await AcmeAuthority(settings, proof).issue(["mail.here.test"], make_key())


async def test_an_authority_that_nobody_vouches_for(tmp_path: Path, authority: Authority) -> None:
    zones = Zones()
    async with DnsServer(zones) as dns, pebble(authority, dns=f"127.0.0.1:{dns.port}") as ca:
        settings = AcmeSettings(ca.directory_url, tmp_path / "account.pem")
        proof = HttpProof(ChallengeDirectory(tmp_path / "challenges"))
        with pytest.raises(IssueFailed, match=r"(?i)certificate"):
            await AcmeAuthority(settings, proof).issue(["mail.here.test"], make_key())
