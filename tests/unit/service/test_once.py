"""Idempotency keys by SMTP, at the intake."""

from pathlib import Path

import pytest

from postroad.model import Address, Envelope, Origin, Recipient, Reply, ServerKind
from postroad.service.once import is_key, key_in
from postroad.service.recipients import Accepted
from tests.unit.web.site import Site, running

ANN, BOB = Address("ann", "here.test"), Address("bob", "here.test")
USER = Origin(ServerKind.SUBMISSION, account="ann@here.test")


@pytest.mark.parametrize(
    ("header", "key"),
    [
        (b"Subject: x\r\n\r\n", None),
        (b"Subject: idempotency-key: x\r\n\r\n", None),
        (b"A: b\r\nIDEMPOTENCY-Key : a1 \r\n\r\n", "a1"),
        (b"Idempotency-Key:\r\n\r\n", ""),
    ],
)
def test_the_field(header: bytes, key: str | None) -> None:
    assert key_in(header) == key


def test_what_can_be_a_key() -> None:
    assert is_key("a" * 255)
    for bad in ("", "a" * 256, "a b", "ä", "a\n"):
        assert not is_key(bad)


async def submit(site: Site, data: bytes, origin: Origin = USER) -> Reply:
    intake = site.system.intake
    targets = await intake.recipients.resolve(BOB)
    assert not isinstance(targets, Reply)
    accepted = [Accepted(Recipient(BOB), targets)]
    incoming = intake.begin(Envelope(ANN), accepted, origin)
    for start in range(0, len(data), 7):
        incoming.write(data[start : start + 7])
    return await incoming.finish()


async def test_a_user_sends_a_message_once(tmp_path: Path) -> None:
    async with running(tmp_path) as site:
        written = b"Idempotency-Key: a1\r\nSubject: x\r\n\r\nHello there\r\n"
        first = await submit(site, written)
        assert first.code == 250
        assert await submit(site, written) == first
        other = await submit(site, written + b"more\r\n")
        assert (other.code, other.enhanced) == (554, "5.6.0")
        again = await submit(site, written.replace(b"a1", b"a2"))
        assert again.code == 250
        assert again != first
        somebody = Origin(ServerKind.SUBMISSION, account="bob@here.test")
        assert (await submit(site, written, somebody)) != first
        bad = await submit(site, written.replace(b"a1", b"a 1"))
        assert (bad.code, bad.enhanced) == (554, "5.6.0")
        # Strangers have no keys.
        stranger = Origin(ServerKind.MX, client="192.0.2.1")
        assert await submit(site, written, stranger) != await submit(site, written, stranger)
