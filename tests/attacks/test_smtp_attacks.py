"""Attacks on the SMTP servers, each over a real socket."""

import asyncio
import base64
import resource
import socket
import ssl
import time
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any

import pytest

from postroad.model import Address, LoginResult
from postroad.policy import ACCEPT, Connected, Policy, Verdict, check
from tests.attacks.serving import BOB, PASSWORD, connected, inbox, queued, serving

SMUGGLED = "MAIL FROM:<evil@x.test>\r\nRCPT TO:<bob@us.test>\r\nDATA\r\nSubject: 2\r\n\r\nsmuggled"

END_OF_DATA_VARIANTS = [
    b"\n.\n",
    b"\n.\r\n",
    b"\r.\r",
    b"\r.\r\n",
    b"\r\n.\r",
    b"\r\n.\n",
    b"\r\n\0.\r\n",
    b"\r\n.\0\r\n",
    b"\r\n.\r\0\n",
    b"\r\r\n.\r\r\n",
    b"\n\r\n.\r\n\n",
]


@pytest.mark.parametrize("variant", END_OF_DATA_VARIANTS, ids=repr)
async def test_smuggling_by_odd_ends_of_data(tmp_path: Path, variant: bytes) -> None:
    """Never a second message, and nothing with a bare CR or LF is taken (CVE-2023-51764)."""
    async with serving(tmp_path) as system:
        async with connected(system) as client:
            await client.open_transaction()
            client.send(b"Subject: 1\r\n\r\nfirst" + variant + SMUGGLED.encode() + b"\r\n.\r\n")
            client.send("QUIT\r\n")
            said = await client.rest()
            replies = [line[:3] for line in said.splitlines()]
        await asyncio.sleep(0.05)
        mail = await inbox(system)
        if b"\r\n.\r\n" in variant:
            # Here a true end of data comes first: what is before it holds a bare LF and is refused;
            # what follows is a pipelined transaction of the same client, not a smuggled one.
            assert replies[0] == "550", said
            assert all(b"first" not in each for each in mail)
        else:
            assert replies[0].startswith("5"), said
            assert mail == []
            assert await queued(system) == 0


@pytest.mark.parametrize("ending", [b"bare\nline\r\n", b"bare\rline\r\n"])
async def test_bare_line_ends_by_bdat(tmp_path: Path, ending: bytes) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        await client.ask(f"RCPT TO:<{BOB}>")
        body = b"Subject: x\r\n\r\n" + ending
        client.send(b"BDAT %d LAST\r\n" % len(body) + body)
        assert (await client.reply()).startswith("5")
        assert (await client.ask("NOOP")).startswith("250")
        assert await inbox(system) == []
        assert await queued(system) == 0


async def test_dot_stuffed_lines_are_text(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.open_transaction()
        client.send("Subject: dots\r\n\r\n..\r\n...\r\n..x\r\nMAIL FROM:<a@b.test>\r\n.\r\n")
        assert (await client.reply()).startswith("250")
        (mail,) = await inbox(system, wait_for=1)
        assert mail.endswith(b"\r\n\r\n.\r\n..\r\n.x\r\nMAIL FROM:<a@b.test>\r\n")


class Blocking:
    """A client on a blocking socket, for upgrades in the midst of a dialogue."""

    def __init__(self, host: str, port: int) -> None:
        self.socket: socket.socket = socket.create_connection((host, port), timeout=10)
        assert self.reply().startswith("220")

    def __enter__(self) -> "Blocking":
        return self

    def __exit__(self, *details: object) -> None:
        self.socket.close()

    def reply(self) -> str:
        """Return a reply, read octet by octet so that nothing behind it is taken."""
        said = b""
        while not (said.endswith(b"\r\n") and said.split(b"\r\n")[-2][3:4] == b" "):
            octet = self.socket.recv(1)
            if not octet:
                break
            said += octet
        return said.decode()

    def ask(self, command: str) -> str:
        self.socket.sendall(command.encode() + b"\r\n")
        return self.reply()

    def start_tls(self) -> None:
        self.socket = _any_certificate().wrap_socket(self.socket)


async def test_starttls_injection(tmp_path: Path) -> None:
    """CVE-2011-0411: what came in clear behind STARTTLS is not obeyed within TLS."""

    def attack(host: str, port: int) -> None:
        with Blocking(host, port) as client:
            client.ask("EHLO before.test")
            client.socket.sendall(b"STARTTLS\r\nEHLO injected.test\r\nNOOP\r\n")
            assert client.reply().startswith("220")
            try:
                client.start_tls()
            except (OSError, ssl.SSLError):
                return  # the plaintext broke the handshake: as good
            # Nothing was answered yet: the next reply is to the next command, and EHLO is forgotten.
            assert client.ask("MAIL FROM:<eve@elsewhere.test>").startswith("503")

    async with serving(tmp_path) as system:
        await asyncio.to_thread(attack, *system.listening["mx"][0])


async def test_starttls_forgets_ehlo_and_login(tmp_path: Path) -> None:
    def upgrade(host: str, port: int) -> None:
        with Blocking(host, port) as client:
            client.ask("EHLO before.test")
            assert client.ask(_plain(BOB, PASSWORD)).startswith("235")
            assert client.ask("STARTTLS").startswith("220")
            client.start_tls()
            assert client.ask("MAIL FROM:<bob@us.test>").startswith("530")  # the login is forgotten
            said = client.ask("EHLO after.test")
            assert said.startswith("250")
            assert "STARTTLS" not in said
            assert client.ask("MAIL FROM:<bob@us.test>").startswith("530")

    async with serving(tmp_path, submission={"auth_without_tls": True}) as system:
        await asyncio.to_thread(upgrade, *system.listening["submission"][0])


async def test_a_command_line_of_8_mib(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        for _ in range(128):
            client.send(b"A" * 65536)
            try:
                await client.writer.drain()
            except ConnectionError:
                break
        client.send("\r\nNOOP\r\n")
        said = await client.rest()  # ends: the server does not read on to the end of such a line
        assert not said or said.startswith("500 5.5.2"), said
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        assert grown < 6 * 1024, f"{grown} KiB"  # this process also holds the client's side
        async with connected(system) as other:
            assert (await other.ask("NOOP")).startswith("250")


async def test_talking_before_the_banner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The banner waits for a check, as one that asks the DNS does: so what comes is early for sure."""

    @check(stage=Connected)
    async def slow(stage: Connected) -> Verdict:
        await asyncio.sleep(0.3)
        return ACCEPT

    monkeypatch.setattr("postroad.runtime.in_force.make_policy", lambda *_: Policy([slow]))
    async with serving(tmp_path) as system:
        async with connected(system, greeting=False) as client:
            client.send("EHLO early.test\r\nMAIL FROM:<a@b.test>\r\n")
            said = await client.rest()
            assert said.startswith("554 "), said
            assert said.count("\r\n") == 1  # nothing of it was obeyed
        async with connected(system) as patient:
            assert (await patient.ask("EHLO late.test")).startswith("250")


async def test_a_body_before_354(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        # No RCPT was taken: DATA is refused, and the body must not be obeyed as commands.
        await client.ask("RCPT TO:<nobody@us.test>")
        client.send("DATA\r\nSubject: x\r\n\r\nMAIL FROM:<a@b.test>\r\n.\r\nQUIT\r\n")
        said = await client.rest()
        assert said.splitlines()[0].startswith(("503", "554")), said
        assert await inbox(system) == []
        assert await queued(system) == 0


async def test_harvesting_is_slowed_and_cut(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        loop = asyncio.get_running_loop()
        began = loop.time()
        for number in range(7):
            reply = await client.ask(f"RCPT TO:<user{number}@us.test>")
            assert reply.startswith("550 5.1.1"), reply
        assert loop.time() - began >= 1.9  # two of them were past the free ones
        assert (await client.ask("VRFY bob")).startswith("252")
        assert (await client.ask("EXPN staff")).startswith("5")


async def test_a_harvester_is_cut_off(tmp_path: Path) -> None:
    limits = {"max_refusals": 7, "free_refusals": 100}
    async with serving(tmp_path, limits=limits) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        for number in range(6):
            reply = await client.ask(f"RCPT TO:<user{number}@us.test>")
            assert reply.startswith("550 5.1.1"), reply
        assert (await client.ask("RCPT TO:<user6@us.test>")).startswith("421 4.7.0")
        assert await client.rest() == ""


async def test_too_many_recipients(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"max_recipients": 100}) as system:
        async with connected(system) as client:
            await client.ask("EHLO client.test")
            await client.ask("MAIL FROM:<eve@elsewhere.test>")
            for _ in range(100):
                assert (await client.ask(f"RCPT TO:<{BOB}>")).startswith("250")
            assert (await client.ask(f"RCPT TO:<{BOB}>")).startswith("452 4.5.3")


async def test_guessing_passwords(tmp_path: Path) -> None:
    async with serving(tmp_path, auth={"free_failures": 2}) as system:
        texts = set()
        for user in (BOB, "nobody@us.test"):
            async with connected(system, "submissions", tls=_any_certificate()) as client:
                await client.ask("EHLO client.test")
                texts.add(await client.ask(_plain(user, "wrong")))
                texts.add(await client.ask(_plain(user, "wrong")))
                assert (await client.ask(_plain(user, "wrong"))).startswith("454 4.7.0")
        assert len(texts) == 1, texts  # the same words for an unknown user
        assert texts.pop().startswith("535 5.7.8")


async def test_an_unknown_user_takes_as_long(tmp_path: Path) -> None:
    """Each guess is measured from the last octet sent to the answer; the least of several counts."""
    generous = {"free_failures": 100, "free_failures_per_client": 100}
    limits = {"login_failure_seconds": 0, "max_login_failures": 100}
    took: dict[str, list[float]] = {BOB: [], "nobody@us.test": []}
    async with serving(tmp_path, auth=generous, limits=limits) as system:
        async with connected(system, "submissions", tls=_any_certificate()) as client:
            await client.ask("EHLO client.test")
            for _ in range(6):
                for user, seconds in took.items():
                    began = time.perf_counter()
                    assert (await client.ask(_plain(user, "wrong"))).startswith("535")
                    seconds.append(time.perf_counter() - began)
    known, unknown = (min(each) for each in took.values())
    assert unknown > known / 3, took  # a look-up alone takes a hundredth of it


async def test_a_victim_is_not_locked_out(tmp_path: Path) -> None:
    """Who guesses waits; the account's owner, at another address, does not."""
    auth = {"free_failures": 2, "first_wait_seconds": 60}
    limits = {"login_failure_seconds": 0}
    async with serving(tmp_path, auth=auth, limits=limits) as system:
        async with connected(system, "submissions", tls=_any_certificate()) as guesser:
            await guesser.ask("EHLO client.test")
            for _ in range(2):
                assert (await guesser.ask(_plain(BOB, "wrong"))).startswith("535")
            assert (await guesser.ask(_plain(BOB, PASSWORD))).startswith("454 4.7.0")
        async with connected(
            system, "submissions", tls=_any_certificate(), source="127.0.0.77"
        ) as owner:
            await owner.ask("EHLO client.test")
            assert (await owner.ask(_plain(BOB, PASSWORD))).startswith("235")


async def test_guessing_from_everywhere_locks_nobody_out(tmp_path: Path) -> None:
    """However many clients guess, the account's owner gets in: at once from where he was before, a
    little later from elsewhere; and the journey of logins tells of all.
    """
    limits = {"free_failures": 2, "free_failures_per_account": 3, "slow_seconds": 0.5}
    secure: dict[str, Any] = {"service": "submissions", "tls": _any_certificate()}
    async with serving(tmp_path, auth=limits, limits={"login_failure_seconds": 0}) as system:

        async def log_in(source: str, password: str) -> tuple[str, float]:
            async with connected(system, source=source, **secure) as client:
                await client.ask("EHLO client.test")
                began = time.monotonic()
                return await client.ask(_plain(BOB, password)), time.monotonic() - began

        assert (await log_in("127.0.0.2", PASSWORD))[0].startswith("235")
        for number in range(4):
            for _ in range(2):
                assert (await log_in(f"127.0.1.{number + 1}", "guess"))[0].startswith("535")
            assert (await log_in(f"127.0.1.{number + 1}", PASSWORD))[0].startswith("454")
        reply, seconds = await log_in("127.0.0.2", PASSWORD)
        assert reply.startswith("235")
        assert seconds < 0.5, "where he was before he notices nothing"
        reply, seconds = await log_in("127.0.0.3", PASSWORD)
        assert reply.startswith("235")
        assert seconds >= 0.5
        await system.book.flush()
        found = await system.office.logins.newest(BOB)
        assert sum(each.count for each in found if each.result is LoginResult.OK) == 3
        assert sum(each.count for each in found if each.result is LoginResult.WRONG) == 8
        assert sum(each.count for each in found if each.result is LoginResult.THROTTLED) == 4


@pytest.mark.parametrize("service", ["submission", "pop3"])
async def test_scram_tells_nobody_who_exists(tmp_path: Path, service: str) -> None:
    clear = {"auth_without_tls": True}
    async with serving(tmp_path, submission=clear, pop3=clear) as system:
        challenges: dict[str, tuple[str, str]] = {}
        for user in (BOB, "nobody@us.test", "nobody@us.test"):
            async with connected(system, service) as client:
                if service == "submission":
                    await client.ask("EHLO client.test")
                first = b64encode(f"n,,n={user},r=abc".encode()).decode()
                said = (await client.ask(f"AUTH SCRAM-SHA-256 {first}")).split()[1]
                nonce, salt, count = b64decode(said).decode().split(",")
                assert nonce.startswith("r=abc")
                assert challenges.setdefault(user, (salt, count)) == (salt, count)
                final = b64encode(f"c=biws,{nonce},p={'A' * 43}=".encode()).decode()
                reply = await client.ask(final)
                assert reply.startswith(("535 5.7.8", "-ERR [AUTH] wrong"))
        (one, count), (other, same) = challenges.values()
        assert one != other
        assert (len(one), count) == (len(other), same)


@pytest.mark.parametrize(
    "command",
    [
        b"MAIL FROM:<eve\x00@elsewhere.test>",
        b"MAIL FROM:<\x01@elsewhere.test>",
        b'MAIL FROM:<"a\x00b"@elsewhere.test>',
        b"EHLO a\x00b",
        b"MAIL FROM:<eve@elsewhere.test> ENVID=a\x07",
    ],
)
async def test_control_characters_in_commands(tmp_path: Path, command: bytes) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        assert (await client.ask(command)).startswith(("500", "501", "553", "555"))


async def test_nul_in_the_header(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.open_transaction()
        client.send(b"Subject: a\0b\r\n\r\nx\r\n.\r\n")
        assert (await client.reply()).startswith("5")
        assert await inbox(system) == []


RELAY_PROBES = [
    ("eve%elsewhere.test@us.test", "550"),
    ("elsewhere.test!eve@us.test", "550"),
    ('"eve@elsewhere.test"@us.test', "550"),
    ('"eve%elsewhere.test"@us.test', "550"),
    ("@us.test:eve@elsewhere.test", "550"),
    ("eve@elsewhere.test", "550"),
    ("eve@[127.0.0.1]", "550"),
    ("eve@localhost", "550"),
    ("@us.test", "5"),
    ("eve@elsewhere.test@us.test", "5"),
    ("us.test", "5"),
    ('"eve@elsewhere.test>,<"@us.test', "550"),
]


@pytest.mark.parametrize(("path", "code"), RELAY_PROBES)
async def test_no_open_relay(tmp_path: Path, path: str, code: str) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<bob@us.test>")
        reply = await client.ask(f"RCPT TO:<{path}>")
        assert reply.startswith(code), reply
        assert await queued(system) == 0


async def test_a_quoted_local_part_that_carries_parameters(tmp_path: Path) -> None:
    """One RCPT, routed by its true domain, requoted in the answer."""
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        reply = await client.ask('RCPT TO:<"bob@us.test> ORCPT=rfc822;admin@us.test"@us.test>')
        assert reply.startswith("550 5.1.1"), reply
        reply = await client.ask('RCPT TO:<"bob@us.test> ORCPT=rfc822;a@us.test"@elsewhere.test>')
        assert reply.startswith("550 5.7.1"), reply


async def test_submission_without_login(tmp_path: Path) -> None:
    async with serving(tmp_path) as system, connected(system, "submission") as client:
        assert "AUTH" not in await client.ask("EHLO client.test")
        assert (await client.ask(_plain(BOB, PASSWORD))).startswith("5")
        assert (await client.ask("MAIL FROM:<bob@us.test>")).startswith("530")


async def test_nobody_sends_as_somebody_else(tmp_path: Path) -> None:
    async with serving(tmp_path) as system:
        async with connected(system, "submissions", tls=_any_certificate()) as client:
            await client.ask("EHLO client.test")
            assert (await client.ask(_plain(BOB, PASSWORD))).startswith("235")
            assert (await client.ask("MAIL FROM:<boss@us.test>")).startswith("553 5.7.1")
            assert (await client.ask("MAIL FROM:<bob+tag@us.test>")).startswith("250")


async def test_mail_loops(tmp_path: Path) -> None:
    async with serving(tmp_path, limits={"max_hops": 20}) as system, connected(system) as client:
        await client.open_transaction()
        client.send(b"Received: from a by b; today\r\n" * 21 + b"\r\nround\r\n.\r\n")
        assert (await client.reply()).startswith("554 5.4.6")
        assert await inbox(system) == []


async def test_aliases_that_lead_in_a_circle(tmp_path: Path) -> None:
    """Refused at RCPT, so the sender has the one report that there is."""
    async with serving(tmp_path) as system, connected(system) as client:
        one, other = Address.parse("one@us.test"), Address.parse("other@us.test")
        await system.aliases.add(one, (other,))
        await system.aliases.add(other, (one,))
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        for name in ("one", "other"):
            assert (await client.ask(f"RCPT TO:<{name}@us.test>")).startswith("554 5.4.6")
        assert (await client.ask("DATA")).startswith(("503", "554"))
        assert await queued(system) == 0


@pytest.mark.parametrize(
    "name", ["../bob", "..%2fbob", "bob/../eve", "x" * 10_000, "bob\\..", "~bob"]
)
async def test_path_traversal_in_users(tmp_path: Path, name: str) -> None:
    async with serving(tmp_path) as system, connected(system) as client:
        await client.ask("EHLO client.test")
        await client.ask("MAIL FROM:<eve@elsewhere.test>")
        assert (await client.ask(f"RCPT TO:<{name}@us.test>")).startswith("5")
        # "bo" must never reach "bob"
        assert (await client.ask("RCPT TO:<bo@us.test>")).startswith("550")


@pytest.mark.parametrize(
    "name",
    ["../bob@us.test", "bob\0@us.test", "bob@us.test\0x", "bo@us.test", "x" * 9000, "", "bob"],
)
async def test_odd_names_log_nobody_in(tmp_path: Path, name: str) -> None:
    """Bob's password opens nothing but bob's account."""
    limits = {"login_failure_seconds": 0}
    async with serving(tmp_path, limits=limits, pop3={"auth_without_tls": True}) as system:
        async with connected(system, "submissions", tls=_any_certificate()) as client:
            await client.ask("EHLO client.test")
            assert (await client.ask(_plain(name, PASSWORD))).startswith("5")
            assert (await client.ask("MAIL FROM:<bob@us.test>")).startswith("530")
        async with connected(system, "pop3") as client:
            user = await client.ask(f"USER {name}")
            if user.startswith("+OK"):
                assert (await client.ask(f"PASS {PASSWORD}")).startswith("-ERR")
            assert (await client.ask("STAT")).startswith("-ERR")


def _any_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _plain(username: str, password: str) -> str:
    token = base64.b64encode(f"\0{username}\0{password}".encode()).decode()
    return f"AUTH PLAIN {token}"
