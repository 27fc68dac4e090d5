"""Routes by an operator's word: LMTP into Dovecot, and everything through a smarthost with a login."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from peers.dovecot import Dovecot
from peers.tools import choose_port
from postroad.lab.ca import Authority
from postroad.model import (
    Address,
    Body,
    DeliveryState,
    Envelope,
    Notify,
    Origin,
    Recipient,
    ServerKind,
    format_id,
)
from postroad.runtime.compose import System
from postroad.service.journeys import Journey
from tests.attacks.serving import BOB, PASSWORD, inbox, serving
from tests.interop.real_mail import crlf, real_mail, unmatched

COUNT = 200
CAROL, DAVE, EVE = (f"{name}@store.test" for name in ("carol", "dave", "eve"))
# A mailbox over its quota is refused after the data, for its owner alone.
QUOTA = {
    "mail_plugins": "quota\nplugin {\n  quota = maildir:User quota\n  quota_rule = *:storage=1M\n}",
}
RETRY = {"retry_first_seconds": 0.3, "retry_jitter": 0, "poll_seconds": 0.1}


async def submit(system: System, recipients: Sequence[str], data: bytes) -> int:
    """Hand a message in; return its queue id."""
    envelope = Envelope(
        Address.parse(BOB),
        tuple(Recipient(Address.parse(each), Notify.DEFAULT) for each in recipients),
        body=Body.EIGHT_BIT_MIME,
    )
    reply = await system.intake.submit(envelope, data, Origin(ServerKind.LOCAL))
    assert reply.code == 250, reply
    found = await system.journeys.find(address=recipients[0], limit=1)
    return found[0].id


async def settled(system: System, message: int) -> Journey:
    async with asyncio.timeout(20):
        while True:
            journey = await system.journeys.of(message)
            if all(each.state.final for each in journey.deliveries):
                return journey
            await asyncio.sleep(0.02)


async def idle(system: System) -> None:
    async with asyncio.timeout(60):
        while any((await system.desk.counts()).values()):
            await asyncio.sleep(0.05)


def ends(journey: Journey) -> dict[str, DeliveryState]:
    return {str(each.recipient): each.state for each in journey.deliveries}


@asynccontextmanager
async def with_dovecot(directory: Path, dovecot: Dovecot) -> AsyncIterator[System]:
    await asyncio.to_thread(dovecot.__enter__)
    try:
        via = f"{dovecot.address}:{dovecot.lmtp_port}"
        routes = {"store.test": {"via": via, "protocol": "lmtp"}}
        async with serving(directory, routes=routes, queue=RETRY) as system:
            yield system
    finally:
        await asyncio.to_thread(dovecot.__exit__, None, None, None)


async def test_real_mail_by_lmtp_into_dovecot(tmp_path: Path) -> None:
    mail = real_mail()[::6][:COUNT]
    dovecot = Dovecot("127.0.0.7")
    async with with_dovecot(tmp_path, dovecot) as system:
        for message in mail:
            await submit(system, [CAROL, DAVE], message)
        await idle(system)
        for user in (CAROL, DAVE):
            received = [crlf(message) for message in dovecot.messages(user)]
            assert unmatched(received, mail) == (COUNT, [])
        (found,) = await system.journeys.find(address=CAROL, limit=1)
        journey = await system.journeys.of(found.id)
        # One transaction for both, and an answer for each (RFC 2033 §4.2).
        answers = [line.text for line in journey.lines if line.what == "delivered"]
        assert len(answers) == 2
        assert f"<{CAROL}>" in answers[0]
        assert f"<{DAVE}>" in answers[1]
        assert dovecot.log().count("saved mail to INBOX") == 2 * COUNT


async def test_each_recipient_of_an_lmtp_transaction_has_a_result_of_its_own(
    tmp_path: Path,
) -> None:
    dovecot = Dovecot("127.0.0.7", settings=QUOTA)
    async with with_dovecot(tmp_path, dovecot) as system:
        dovecot.fill(EVE, 20, 60_000)
        # A file where dave's mailbox should be: Dovecot fails, for the time being.
        dovecot.maildir(DAVE).touch()
        message = await submit(system, [CAROL, DAVE, EVE], real_mail()[0])
        async with asyncio.timeout(20):
            while not any(
                line.what == "deferred" for line in (await system.journeys.of(message)).lines
            ):
                await asyncio.sleep(0.02)
        journey = await system.journeys.of(message)
        assert ends(journey)[CAROL] is DeliveryState.DELIVERED
        assert not ends(journey)[DAVE].final
        (report,) = await inbox(system, wait_for=1)
        dovecot.maildir(DAVE).unlink()
        journey = await settled(system, message)
        assert ends(journey) == {
            CAROL: DeliveryState.DELIVERED,
            DAVE: DeliveryState.DELIVERED,
            EVE: DeliveryState.BOUNCED,
        }
        for user in (CAROL, DAVE):
            (copy,) = dovecot.messages(user)
            assert crlf(copy).endswith(real_mail()[0])
        assert len(dovecot.messages(EVE)) == 20
        assert f"Final-Recipient: rfc822; {EVE}".encode() in report
        assert b"Status: 5.2.2" in report
        assert report.count(b"Final-Recipient:") == 1


@dataclasses.dataclass(frozen=True)
class Link:
    """How the smarthost is reached."""

    service: str
    tls: str | None


@pytest.mark.parametrize(
    "link",
    [Link("submission", None), Link("submission", "encrypt"), Link("submissions", "implicit")],
    ids=lambda link: link.tls or "verify by default",
)
async def test_all_mail_through_a_smarthost_with_a_login(tmp_path: Path, link: Link) -> None:
    authority = Authority(tmp_path / "ca")
    leaf = authority.issue("relay.test", "127.0.0.1")
    password_file = tmp_path / "password"
    password_file.write_text("the account's own\n")
    port = choose_port("127.0.0.1", None)
    for name in ("relay", "system"):
        (tmp_path / name).mkdir()
    async with serving(
        tmp_path / "relay",
        server={"hostname": "relay.test"},
        tls={"certificate": str(leaf.certificate), "key": str(leaf.key)},
        listen={link.service: [f"127.0.0.1:{port}"]},
        submission={"check_sender": False},
    ) as relay:
        await relay.domains.add("relay.test")
        for user in ("us", "frank"):
            await relay.accounts.add(Address.parse(f"{user}@relay.test"), "the account's own")
        route = {
            "via": f"127.0.0.1:{port}",
            "username": "us@relay.test",
            "password_file": str(password_file),
            **({"tls": link.tls} if link.tls else {}),
        }
        async with serving(
            tmp_path / "system",
            routes={"*": route},
            tls={"ca_file": str(authority.root_file)},
            queue=RETRY,
        ) as system:
            data = next(each for each in real_mail() if not each.isascii())
            message = await submit(system, ["frank@relay.test", "nobody@relay.test"], data)
            journey = await settled(system, message)
            assert ends(journey) == {
                "frank@relay.test": DeliveryState.DELIVERED,
                "nobody@relay.test": DeliveryState.BOUNCED,
            }
            texts = "\n".join(line.text for line in journey.lines)
            assert "TLSv1.3" in texts
            assert ("certificate verified" in texts) is (link.tls != "encrypt")
            assert "the account's own" not in texts
            (report,) = await inbox(system, wait_for=1)
            assert b"nobody@relay.test" in report
            await idle(relay)
            (arrived,) = await relay.journeys.find(address="frank@relay.test", limit=1)
            assert arrived.origin.account == "us@relay.test"
            assert arrived.origin.protocol == "ESMTPSA"
            account = await relay.store.directory.account(Address.parse("frank@relay.test"))
            assert account is not None
            (entry,) = await relay.store.mailboxes.entries(account.inbox, [1])
            assert (await relay.store.content.read(entry.content)).endswith(b"\r\n" + data)


async def test_a_smarthost_whose_certificate_does_not_fit_gets_no_password(
    tmp_path: Path,
) -> None:
    password_file = tmp_path / "password"
    password_file.write_text(PASSWORD + "\n")
    for name in ("relay", "system"):
        (tmp_path / name).mkdir()
    async with serving(tmp_path / "relay") as relay:
        host, port = relay.listening["submission"][0]
        route = {"via": f"{host}:{port}", "username": BOB, "password_file": str(password_file)}
        async with serving(tmp_path / "system", routes={"*": route}, queue=RETRY) as system:
            message = await submit(system, ["frank@relay.test"], real_mail()[0])
            async with asyncio.timeout(20):
                while not any(
                    line.what == "deferred" for line in (await system.journeys.of(message)).lines
                ):
                    await asyncio.sleep(0.02)
            (line, *_) = [
                line
                for line in (await system.journeys.of(message)).lines
                if line.what == "deferred"
            ]
            assert "4.7.5" in line.text, format_id(message)
        assert await relay.journeys.find(limit=1) == []
