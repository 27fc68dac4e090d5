"""Who signs what comes in from our users."""

from pathlib import Path

import pytest

from postroad.model import Address, Envelope, Origin, ServerKind
from postroad.policy import MessageBegun, MessageReceived, Policy
from postroad.service.keys import Keys, signing_key
from postroad.service.signing import REREAD_SECONDS, KeyRing, sign_mail
from postroad.storage.keys import FileKeys
from postroad.trust.dkim import Algorithm, Result, verify
from tests.fake_dns import FakeDns
from tests.unit.service.fakes import FakeClock, FakeDirectory

ED = (Algorithm.ED25519_SHA256,)
BODY = b"Hello\r\nworld\r\n\r\n"


class World:
    def __init__(self, path: Path) -> None:
        self.clock = FakeClock()
        directory = FakeDirectory()
        for name in ("a.test", "b.test"):
            directory.add_domain(name)
        self.path = path / "keys"
        self.store = FileKeys(self.path)
        self.keys = Keys(store=self.store, directory=directory, clock=self.clock)
        self.ring = KeyRing(self.store, self.clock)
        self.policy = Policy([sign_mail(self.ring, self.clock)])

    async def sign(
        self,
        author: str,
        sender: str,
        server: ServerKind = ServerKind.SUBMISSION,
        added: bytes = b"Date: today\r\n",
    ) -> bytes:
        """Return the fields that are put on top."""
        envelope = Envelope(Address.parse(sender) if sender else None)
        origin = Origin(server)
        head = b"From: %b\r\nSubject: x\r\n\r\n" % author.encode() if author else b"\r\n"
        policy = self.policy.of(server)
        readings = policy.readings(MessageBegun(origin, envelope, head, added))
        for start in range(0, len(BODY), 5):
            readings.write(BODY[start : start + 5])
        stage = MessageReceived(1, origin, envelope, head, 99, added, readings)
        decision = await policy.ask(stage)
        assert decision.refused is None
        return b"".join(field.to_bytes() for field in decision.headers)

    async def domains(
        self, fields: bytes, author: str, added: bytes = b"Date: today\r\n"
    ) -> list[str]:
        """Verify; return who signed."""
        records = {}
        for key in self.keys.all():
            public = signing_key(key)
            records[public.name] = {"TXT": [public.record()]}
        message = fields + added + b"From: %b\r\nSubject: x\r\n\r\n" % author.encode() + BODY
        checked = await verify(message, FakeDns(records), self.clock.now())
        assert {each.result for each in checked} <= {Result.PASS}
        return [each.domain for each in checked]


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.mark.parametrize(
    ("author", "sender", "server", "domain"),
    [
        ("Ann <ann@a.test>", "ann@a.test", ServerKind.SUBMISSION, "a.test"),
        # Nobody of a.test makes b.test vouch for what it did not send.
        ("ann@b.test", "ann@a.test", ServerKind.SUBMISSION, "a.test"),
        ("ann@mail.a.test", "root@host.test", ServerKind.LOCAL, "a.test"),
        ("ann@b.test", "root@host.test", ServerKind.LOCAL, "b.test"),
    ],
)
async def test_who_signs(
    world: World, author: str, sender: str, server: ServerKind, domain: str
) -> None:
    for name in ("a.test", "b.test"):
        await world.keys.add(name, ED, sign_now=True)
    fields = await world.sign(author, sender, server)
    assert await world.domains(fields, author) == [domain]
    assert b" l=" not in fields
    for words in (b"from:from", b"date:date", b"subject:subject", b"to:"):
        assert words in fields.replace(b"\r\n\t ", b"")


@pytest.mark.parametrize(
    ("author", "sender", "server"),
    [
        ("ann@a.test", "ann@a.test", ServerKind.MX),
        ("ann@c.test", "ann@c.test", ServerKind.SUBMISSION),
        ("boss@a.test", "eve@sub.a.test", ServerKind.SUBMISSION),
        ("eve@sub.a.test", "eve@sub.a.test", ServerKind.SUBMISSION),
        ("ann@a.test", "", ServerKind.SUBMISSION),
        ("", "ann@a.test", ServerKind.SUBMISSION),
    ],
)
async def test_what_is_not_signed(
    world: World, author: str, sender: str, server: ServerKind
) -> None:
    await world.keys.add("a.test", ED, sign_now=True)
    assert await world.sign(author, sender, server) == b""


async def test_both_algorithms_sign(world: World) -> None:
    await world.keys.add("a.test", sign_now=True)
    fields = await world.sign("ann@a.test", "ann@a.test")
    assert fields.count(b"DKIM-Signature:") == 2
    assert await world.domains(fields, "ann@a.test") == ["a.test", "a.test"]


async def test_keys_of_another_process_are_found(world: World) -> None:
    assert await world.sign("ann@a.test", "ann@a.test") == b""
    other = World(world.path.parent)
    await other.keys.add("a.test", ED, sign_now=True)
    assert await world.sign("ann@a.test", "ann@a.test") == b""
    world.clock.at += REREAD_SECONDS
    assert await world.sign("ann@a.test", "ann@a.test") != b""


async def test_keys_that_cannot_be_read_any_more_sign_on(world: World) -> None:
    (key,) = await world.keys.add("a.test", ED, sign_now=True)
    assert await world.sign("ann@a.test", "ann@a.test") != b""
    file = world.path / "a.test" / f"{key.selector}.json"
    file.chmod(0o644)
    world.store.changes += 1
    assert await world.sign("ann@a.test", "ann@a.test") != b""


async def test_a_report_of_our_own_is_signed(world: World) -> None:
    await world.keys.add("a.test", ED, sign_now=True)
    message = b"Date: today\r\nFrom: ann@a.test\r\nSubject: x\r\n\r\n" + BODY
    fields = world.ring.sign_whole(message, "mail.a.test")
    assert await world.domains(fields, "ann@a.test") == ["a.test"]
    assert world.ring.sign_whole(message, "mail.c.test") == b""
    assert world.ring.sign_whole(message, "mail.a.test", own=True) == b""
    assert world.ring.sign_whole(message, "a.test", own=True) != b""
