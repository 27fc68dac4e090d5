"""Who signs what comes in from our users."""

from pathlib import Path

import pytest

from postroad.model import Address, Envelope, KeySet, Origin, ServerKind
from postroad.ports import SigningFailed
from postroad.service.keys import Keys, signing_key
from postroad.service.signatory import SignsHere
from postroad.service.signing import KEPT_OCTETS, REREAD_SECONDS, KeyRing, Signing
from postroad.storage.keys import FileKeys
from postroad.trust.dkim import Algorithm, Result, verify
from tests.fake_dns import FakeDns
from tests.unit.service.fakes import FakeClock, FakeDirectory

ED = (Algorithm.ED25519_SHA256,)
BODY = b"Hello\r\nworld\r\n\r\n"


class Counting(SignsHere):
    """Notes what it is asked, and fails if told to."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[tuple[int, bool]] = []
        self.numbers: set[int] = set()
        self.fails = False

    async def sign(
        self, keys: KeySet, now: float, head: bytes, body: bytes, *, hashed: bool = False
    ) -> bytes:
        if self.fails:
            raise SigningFailed("no process")
        self.bodies.append((len(body), hashed))
        self.numbers.add(keys.number)
        return await super().sign(keys, now, head, body, hashed=hashed)


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
        self.signatory = Counting()
        self.signing = Signing(self.ring, self.signatory, self.clock)
        self.words = ""

    async def sign(
        self,
        author: str,
        sender: str,
        server: ServerKind = ServerKind.SUBMISSION,
        added: bytes = b"Date: today\r\n",
        body: bytes = BODY,
        step: int = 5,
    ) -> bytes:
        """Return the fields that are put on top."""
        envelope = Envelope(Address.parse(sender) if sender else None)
        head = b"From: %b\r\nSubject: x\r\n\r\n" % author.encode() if author else b"\r\n"
        message = self.signing.begin(Origin(server), envelope, head, added)
        if message is None:
            return b""
        for start in range(0, len(body), step):
            message.write(body[start : start + step])
        fields, self.words = await message.finish()
        return fields

    async def domains(
        self,
        fields: bytes,
        author: str,
        added: bytes = b"Date: today\r\n",
        body: bytes = BODY,
    ) -> list[str]:
        """Verify; return who signed."""
        records = {}
        for key in self.keys.all():
            public = signing_key(key)
            records[public.name] = {"TXT": [public.record()]}
        message = fields + added + b"From: %b\r\nSubject: x\r\n\r\n" % author.encode() + body
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
    fields = await world.signing.sign_whole(message, "mail.a.test")
    assert await world.domains(fields, "ann@a.test") == ["a.test"]
    assert await world.signing.sign_whole(message, "mail.c.test") == b""
    assert await world.signing.sign_whole(message, "mail.a.test", own=True) == b""
    assert await world.signing.sign_whole(message, "a.test", own=True) != b""


async def test_a_report_of_our_own_is_signed_here_where_the_signatory_fails(world: World) -> None:
    await world.keys.add("a.test", ED, sign_now=True)
    world.signatory.fails = True
    message = b"Date: today\r\nFrom: ann@a.test\r\nSubject: x\r\n\r\n" + BODY
    fields = await world.signing.sign_whole(message, "a.test")
    assert await world.domains(fields, "ann@a.test") == ["a.test"]


async def test_the_words_for_the_journey(world: World) -> None:
    (key,) = await world.keys.add("a.test", ED, sign_now=True)
    await world.sign("ann@a.test", "ann@a.test")
    assert world.words == f"signed by {key.selector} of a.test"
    await world.sign("", "ann@a.test")
    assert world.words == "not signed: there is no From"


async def test_a_long_body_is_hashed_while_it_comes(world: World) -> None:
    await world.keys.add("a.test", ED, sign_now=True)
    for octets, hashed in ((KEPT_OCTETS, False), (KEPT_OCTETS + 1, True), (3_000_000, True)):
        body = (b"a line of a body \r\n" * 200_000)[:octets]
        fields = await world.sign("ann@a.test", "ann@a.test", body=body, step=10_001)
        assert world.signatory.bodies.pop() == (32 if hashed else octets, hashed)
        assert await world.domains(fields, "ann@a.test", body=body) == ["a.test"]


async def test_the_same_keys_are_the_same_set_until_they_change(world: World) -> None:
    await world.keys.add("a.test", ED, sign_now=True)
    for author in ("ann@a.test", "ann@mail.a.test"):
        await world.sign(author, "root@host.test", ServerKind.LOCAL)
        world.clock.at += REREAD_SECONDS
    assert len(world.signatory.numbers) == 1
    await world.keys.add("a.test", ED, sign_now=True, selector="next")
    await world.sign("ann@a.test", "ann@a.test")
    assert len(world.signatory.numbers) == 2
    assert world.words == "signed by next of a.test"


async def test_a_message_is_deferred_where_nobody_knows_who_signs(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await world.keys.add("a.test", ED, sign_now=True)

    def fail(domain: str) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(world.ring, "keys", fail)
    with pytest.raises(SigningFailed):
        await world.sign("ann@a.test", "ann@a.test")


async def test_the_domain_of_a_stream_signs_or_nothing_leaves(world: World) -> None:
    await world.keys.add("a.test", ED, sign_now=True)
    envelope = Envelope(Address.parse("ann@a.test"))
    head = b"From: ann@a.test\r\nSubject: x\r\n\r\n"

    async def fields(domain: str) -> bytes:
        origin = Origin(ServerKind.SUBMISSION)
        message = world.signing.begin(origin, envelope, head, b"", domain)
        assert message is not None
        message.write(BODY)
        return (await message.finish())[0]

    with pytest.raises(SigningFailed):
        await fields("b.test")
    await world.keys.add("b.test", ED, sign_now=True)
    assert await world.domains(await fields("b.test"), "ann@a.test", b"") == ["b.test"]
    with pytest.raises(SigningFailed):
        await fields("below.b.test")
