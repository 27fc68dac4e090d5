"""Floods and junk, over real sockets and a real DNS server: what the section `abuse` makes of them."""

import asyncio
import ssl
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from postroad.lab.dns import DnsServer
from postroad.runtime.compose import System
from tests.attacks.serving import BOB, PASSWORD, Client, connected, inbox, serving


@asynccontextmanager
async def guarded(directory: Path, **abuse: Any) -> AsyncIterator[System]:
    """A system whose DNS knows 127.0.0.2 as mail.good.test, and lists 127.0.0.3 and 127.0.0.4."""
    async with DnsServer() as dns:
        zones = dns.zones
        for origin in ("good.test", "bl.test", "wl.test", "127.in-addr.arpa"):
            zones.add_zone(origin)
        zones.add("2.0.0.127.in-addr.arpa", "PTR", "mail.good.test.")
        zones.add("mail.good.test", "A", "127.0.0.2")
        zones.add("good.test", "TXT", '"v=spf1 ip4:127.0.0.0/8 -all"')
        zones.add("_dmarc.good.test", "TXT", '"v=DMARC1; p=reject"')
        zones.add("3.0.0.127.in-addr.arpa", "PTR", "mail.good.test.")
        zones.add("3.0.0.127.bl.test", "A", "127.0.0.2")
        zones.add("4.0.0.127.bl.test", "A", "127.0.0.2")
        zones.add("4.0.0.127.wl.test", "A", "127.0.0.2")
        delivery = {"nameservers": [f"127.0.0.1:{dns.port}"]}
        trust = {"verify": True}
        async with serving(directory, delivery=delivery, abuse=abuse, trust=trust) as system:
            yield system


async def said(
    system: System, *commands: str, source: str = "127.0.0.2", helo: str = "mail.good.test"
) -> list[str]:
    """Return code and enhanced code of the answers of the MX server."""
    async with connected(system, source=source) as client:
        return await codes(client, f"EHLO {helo}", *commands)


async def codes(client: Client, *commands: str) -> list[str]:
    return [" ".join((await client.ask(each)).split()[:2]) for each in commands][1:]


MAIL, RCPT = "MAIL FROM:<eve@elsewhere.test>", f"RCPT TO:<{BOB}>"


async def test_a_client_that_sends_too_much(tmp_path: Path) -> None:
    limits = {"client_messages_per_hour": 2, "client_recipients_per_hour": 3}
    async with guarded(tmp_path, **limits) as system:
        assert await said(system, MAIL, RCPT, RCPT, "RSET", MAIL, RCPT, RCPT) == [
            "250 2.1.0",
            "250 2.1.5",
            "250 2.1.5",
            "250 2.0.0",
            "250 2.1.0",
            "250 2.1.5",
            "450 4.7.1",
        ]
        assert await said(system, MAIL) == ["450 4.7.1"]
        assert await said(system, MAIL, source="127.0.0.9") == ["250 2.1.0"], "others may"


async def test_an_account_that_sends_too_much(tmp_path: Path) -> None:
    async with guarded(tmp_path, account_messages_per_hour=1) as system:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode()
        for source, expected in (("127.0.0.2", "250 2.1.0"), ("127.0.0.9", "450 4.7.1")):
            async with connected(system, "submissions", tls=context, source=source) as client:
                answers = await codes(
                    client, "EHLO x.test", f"AUTH PLAIN {plain}", f"MAIL FROM:<{BOB}>"
                )
                assert answers == ["235 2.7.0", expected], source


async def test_a_client_that_connects_too_often(tmp_path: Path) -> None:
    async with guarded(tmp_path, client_connections_per_minute=2) as system:
        for _ in range(2):
            assert await said(system, "NOOP") == ["250 2.0.0"]
        async with connected(system, source="127.0.0.2", greeting=False) as client:
            assert (await client.rest()).startswith("421 4.7.0 mx.us.test Too many")


@pytest.mark.parametrize(
    ("source", "answer"),
    [("127.0.0.2", "250 2.1.0"), ("127.0.0.3", "554 5.7.1"), ("127.0.0.4", "250 2.1.0")],
)
async def test_lists_of_the_bad_and_of_the_good(tmp_path: Path, source: str, answer: str) -> None:
    lists = {"dns_block_lists": ["bl.test", "nowhere.invalid"], "dns_allow_lists": ["wl.test"]}
    async with guarded(tmp_path, **lists) as system:
        assert await said(system, MAIL, source=source) == [answer]


async def test_names_that_prove_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path, helo="reject", reverse_dns="reject") as system:
        assert await said(system, MAIL) == ["250 2.1.0"]
        assert await said(system, MAIL, helo="mx.us.test") == ["550 5.7.1"]
        assert await said(system, MAIL, helo="localhost") == ["550 5.7.1"]
        assert await said(system, MAIL, source="127.0.0.3") == ["550 5.7.25"]
        assert await said(system, MAIL, source="127.0.0.9") == ["550 5.7.25"]


async def test_greylisting(tmp_path: Path) -> None:
    async with guarded(tmp_path, greylist=True, greylist_seconds=1) as system:
        assert await said(system, MAIL, RCPT) == ["250 2.1.0", "451 4.7.1"]
        clock = system.office.clock
        await clock.sleep(1.1)
        assert await said(system, MAIL, RCPT) == ["250 2.1.0", "250 2.1.5"]
        assert await said(system, MAIL, RCPT, source="127.0.1.1") == ["250 2.1.0", "451 4.7.1"]


async def test_recipients_that_are_only_deferred_are_no_harvest(tmp_path: Path) -> None:
    limits = {"free_refusals": 1, "max_refusals": 3, "tarpit_seconds": 60.0}
    abuse = {"greylist": True, "client_recipients_per_hour": 8}
    async with serving(tmp_path, limits=limits, abuse=abuse) as system:
        said = await codes_of(system, *(f"RCPT TO:<bob+{number}@us.test>" for number in range(12)))
        assert set(said) == {"451 4.7.1", "450 4.7.1"}
        assert len(said) == 12
        unknown = await codes_of(system, "RCPT TO:<nobody@us.test>")
        assert unknown == ["550 5.1.1"]


async def codes_of(system: System, *recipients: str) -> list[str]:
    return (await said(system, MAIL, *recipients))[1:]


async def test_what_is_only_suspected_goes_into_junk(tmp_path: Path) -> None:
    lists = {"dns_block_lists": ["bl.test"], "dns_block_action": "quarantine"}
    async with guarded(tmp_path, **lists) as system:
        async with connected(system, source="127.0.0.3") as client:
            await client.open_transaction()
            assert (await client.ask("From: <eve@nowhere.test>\r\n\r\nbuy\r\n.")).startswith("250")
        found = (await system.journeys.find(address=BOB))[0]
        journey = await system.journeys.of(found.id)
        told = [line.text for line in journey.lines if line.what == "check"]
        assert any("dns-lists: quarantine" in text and "bl.test" in text for text in told), told
        assert await inbox(system) == []


async def test_a_domain_whose_mail_was_junk_before(tmp_path: Path) -> None:
    rules = {"standing": "reject", "standing_min_messages": 2, "standing_write_seconds": 0.1}
    lists = {"dns_block_lists": ["bl.test"], "dns_block_action": "quarantine"}
    letter = "From: <eve@good.test>\r\nSubject: x\r\n\r\nhi\r\n."
    commands = ("MAIL FROM:<eve@good.test>", RCPT, "DATA", letter)
    async with guarded(tmp_path, **rules, **lists) as system:
        # 127.0.0.3 is listed, so what it sends is junk; SPF lets it send for good.test.
        for _ in range(2):
            assert (await said(system, *commands, source="127.0.0.3"))[-1] == "250 2.0.0"
        refused = await said(system, *commands)
        assert refused[-1] == "550 5.7.1", "the name is bad, whoever sends now"
        other = letter.replace("good.test", "elsewhere.test")
        mail = ("MAIL FROM:<eve@elsewhere.test>", RCPT, "DATA", other)
        assert (await said(system, *mail))[-1] == "250 2.0.0"
        for _ in range(100):
            worst = await system.office.standing.worst(5)
            if worst and worst[0].junk >= 1.9:
                break
            await system.office.clock.sleep(0.05)
        else:
            raise AssertionError("what was judged is not written")
        assert [(each.domain, round(each.junk)) for each in worst] == [("good.test", 2)]


async def test_guesses_on_many_connections_at_once(tmp_path: Path) -> None:
    """They come before the first is judged, and are no more than if they came one by one."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    async with serving(tmp_path, limits={"login_failure_seconds": 0.0}) as system:

        async def guess(client: Client, number: int) -> str:
            plain = b64encode(f"\0{BOB}\0guess {number}".encode()).decode()
            return (await codes(client, "EHLO x.test", f"AUTH PLAIN {plain}"))[0]

        async with AsyncExitStack() as stack:
            clients = [
                await stack.enter_async_context(connected(system, "submissions", tls=context))
                for _ in range(15)
            ]
            said = await asyncio.gather(*(guess(each, n) for n, each in enumerate(clients)))
        assert (said.count("535 5.7.8"), said.count("454 4.7.0")) == (5, 10), said


async def test_bad_tokens_without_a_name_keep_nobody_else_out(tmp_path: Path) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    key = Ed25519PrivateKey.generate().public_key()
    path = tmp_path / "issuer.pem"
    path.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    oauth = {"issuer": "https://id.example", "audience": "mail", "keys": [str(path)]}
    limits = {"login_failure_seconds": 0.0, "max_login_failures": 100}
    bearer = b64encode(b"n,,\x01auth=Bearer forged\x01\x01").decode()
    plain = b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode()
    async with (
        serving(tmp_path, limits=limits, oauth=oauth) as system,
        connected(system, "submissions", tls=context) as client,
    ):
        one = (f"AUTH OAUTHBEARER {bearer}", "AQ==")
        said = await codes(client, "EHLO x.test", *one * 5, one[0], f"AUTH PLAIN {plain}")
    assert said[1:10:2] == ["535 5.7.8"] * 5
    assert said[10:] == ["454 4.7.0", "235 2.7.0"]
