"""Forgeries that want to leave here as proven: by an alias that leads to another server, or by our own
signature.
"""

import asyncio
import base64
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.lab.faults import FaultyServer, Taken
from postroad.message.header import Header
from postroad.model import Address
from postroad.runtime.compose import System
from postroad.trust.srs import is_srs
from tests.attacks.serving import PASSWORD, connected, serving
from tests.fake_dns import FakeDns

LIST = "list@us.test"
AWAY = "far@away.test"
RECORDS: dict[str, dict[str, list[str]]] = {
    "us.test": {"TXT": ["v=spf1 ip4:127.0.0.9 -all"]},
    "_dmarc.us.test": {"TXT": ["v=DMARC1; p=none"]},
    "other.test": {"TXT": ["v=spf1 -all"]},
    "free.test": {"TXT": ["v=spf1 ip4:127.0.0.0/8 -all"]},
    "broken.test": {"TXT": ["!"]},
}


class Road:
    """A server whose alias leads to another one, which keeps what it gets."""

    def __init__(self, system: System, next_server: FaultyServer) -> None:
        self.system = system
        self.next_server = next_server

    async def hand_in(
        self, message: bytes, sender: str, *, source: str = "127.0.0.1", to: str = LIST
    ) -> str:
        """Return the reply to the final dot."""
        async with connected(self.system, "mx", source=source) as client:
            for line in ("EHLO client.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{to}>", "DATA"):
                reply = await client.ask(line)
                assert reply[0] in "23", reply
            client.send(message + b"\r\n.\r\n")
            return await client.reply()

    async def passed_on(self) -> Taken:
        for _ in range(1000):
            if self.next_server.messages:
                return self.next_server.messages.popleft()
            await asyncio.sleep(0.01)
        raise AssertionError("nothing came to the next server")


@asynccontextmanager
async def road(tmp_path: Path, domain: str = "", **trust: Any) -> AsyncIterator[Road]:
    async with FaultyServer("away.test") as next_server:
        route = {"via": f"127.0.0.1:{next_server.port}", "tls": "none"}
        async with serving(
            tmp_path,
            resolver=FakeDns(RECORDS),
            trust=trust,
            routes={"away.test": route},
            forwarding={"domain": domain},
        ) as system:
            await system.office.keys.add("us.test", sign_now=True)
            await system.aliases.add(Address.parse(LIST), [Address.parse(AWAY)])
            yield Road(system, next_server)


def letter(author: str, *fields: str) -> bytes:
    return "\r\n".join([*fields, f"From: {author}", "Subject: pay", "", "now"]).encode()


@pytest.mark.parametrize("sender", ["ceo@us.test", "x@evil.test", ""])
@pytest.mark.parametrize("author", ["ceo@us.test", "ceo@mx.us.test"])
async def test_an_author_of_ours_whom_nothing_proves(
    tmp_path: Path, sender: str, author: str
) -> None:
    async with road(tmp_path) as way:
        reply = await way.hand_in(letter(author), sender)
        assert reply.startswith("550 5.7.1 Nothing proves that this mail is from ")
        # Into a mailbox here it goes: the owner of the domain asks for no more (p=none).
        reply = await way.hand_in(letter(author), sender, to="bob@us.test")
        assert reply.startswith("250")
        # Proven by SPF, it goes on.
        reply = await way.hand_in(letter("ceo@us.test"), "ceo@us.test", source="127.0.0.9")
        assert reply.startswith("250")
        assert (await way.passed_on()).sender == Address("ceo", "us.test")


async def test_nothing_is_aligned_with_a_domain_for_forwarding_alone(tmp_path: Path) -> None:
    async with road(tmp_path, domain="Passed.Test") as way:
        await way.system.domains.add("passed.test")
        assert (await way.hand_in(letter("ceo@us.test"), "x@evil.test")).startswith("250")
        sender = (await way.passed_on()).sender
        assert sender is not None
        assert sender.domain == "passed.test"
        async with connected(way.system, "mx") as client:
            for line in ("EHLO client.test", "MAIL FROM:<>", f"RCPT TO:<{sender}>"):
                assert (await client.ask(line)).startswith("250")
        # By our name, as by a sender that may stay, it could pass.
        for kept in ("", "ceo@us.test"):
            assert (await way.hand_in(letter("ceo@us.test"), kept)).startswith("550 5.7.1")


async def test_a_sender_of_ours_whom_nothing_proves(tmp_path: Path) -> None:
    async with road(tmp_path) as way:
        assert (await way.hand_in(letter("x@evil.test"), "ceo@us.test")).startswith("250")
        sender = (await way.passed_on()).sender
        assert sender is not None
        assert is_srs(sender.local_part)


@pytest.mark.parametrize("authserv_id", ["", "rz.us.test"])
async def test_only_what_we_found_is_sealed(tmp_path: Path, authserv_id: str) -> None:
    name = authserv_id or "mx.us.test"
    forged = ["mx.us.test", "mx.us.test, dmarc=pass", "mx.(x)us.test", "mx.us.test/1", name]
    claims = [
        f"Authentication-Results: {each}; dmarc=pass header.from=bank.test" for each in forged
    ]
    async with road(tmp_path, authserv_id=authserv_id) as way:
        assert (await way.hand_in(letter("a@bank.test", *claims), "x@evil.test")).startswith("250")
        header = Header.parse((await way.passed_on()).data)
        (sealed,) = header.get_all("ARC-Authentication-Results")
        (written,) = header.get_all("Authentication-Results")
        assert sealed == f"i=1; {written}"
        assert written.startswith(f"{name};\tspf=none")
        assert written.endswith("dmarc=none\t header.from=bank.test")


async def test_nothing_is_sealed_where_nothing_was_found(tmp_path: Path) -> None:
    claim = "Authentication-Results: mx.us.test; dmarc=pass header.from=bank.test"
    async with road(tmp_path, verify=False) as way:
        assert (await way.hand_in(letter("a@bank.test", claim), "x@evil.test")).startswith("250")
        data = (await way.passed_on()).data.lower()
        assert b"arc-seal" not in data
        assert b"authentication-results" not in data


async def test_the_domain_above_signs_for_no_user_of_another(tmp_path: Path) -> None:
    async with road(tmp_path) as way:
        system = way.system
        tls = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))
        await system.domains.add("sub.us.test")
        for name in ("eve@sub.us.test", "ceo@us.test"):
            await system.accounts.add(Address.parse(name), PASSWORD)
        for name, signed in (("eve@sub.us.test", False), ("ceo@us.test", True)):
            login = base64.b64encode(f"\0{name}\0{PASSWORD}".encode()).decode()
            async with connected(system, "submissions", tls=tls) as client:
                await client.ask("EHLO client.test")
                assert (await client.ask(f"AUTH PLAIN {login}")).startswith("235")
                for line in (f"MAIL FROM:<{name}>", f"RCPT TO:<{AWAY}>", "DATA"):
                    assert (await client.ask(line))[0] in "23"
                client.send(letter("ceo@us.test") + b"\r\n.\r\n")
                assert (await client.reply()).startswith("250")
            taken = await way.passed_on()
            assert (b"DKIM-Signature" in taken.data) == signed
