"""Seals on forwarded mail: they validate, and tell what we found."""

from typing import Any

import pytest

from postroad.model import (
    ContentRef,
    Envelope,
    Findings,
    KeySet,
    Message,
    Origin,
    ServerKind,
    StoredKey,
)
from postroad.ports import Signatory, SigningFailed, StorageError
from postroad.service.sealing import ForwardSealer
from postroad.service.signatory import SignsHere
from postroad.trust.arc import ChainStatus, verify
from postroad.trust.dkim import Algorithm, generate
from tests.fake_dns import FakeDns

KEY = generate("here.test", "s1", Algorithm.ED25519_SHA256)
KEYS = KeySet(
    1, (StoredKey("here.test", "s1", KEY.algorithm.value, KEY.pem(), 0.0),), "signed by s1"
)
DNS = {KEY.name: {"TXT": [KEY.record()]}}
FINDINGS = Findings("mx.here.test;\r\n\tspf=pass smtp.mailfrom=there.test")
BODY = b"hello\r\n" * 200_000  # several pieces
MESSAGE = (
    b"Authentication-Results: mx.here.test; dmarc=pass header.from=forged.test\r\n"
    b"Received: from there.test by mx.here.test; x\r\n"
    b"Authentication-Results: mx.there.test; spf=fail\r\n"
    b"From: jo@there.test\r\nSubject: x\r\n\r\n"
) + BODY


class Clock:
    def now(self) -> float:
        return 1_795_600_000.0

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


class Contents:
    def __init__(self, data: bytes, missing: int = 0) -> None:
        self.data = data[: len(data) - missing]

    def stage(self, content_id: int) -> Any:
        raise NotImplementedError

    async def read(self, ref: ContentRef, offset: int = 0, limit: int | None = None) -> bytes:
        return self.data[offset:] if limit is None else self.data[offset : offset + limit]


def message(data: bytes, findings: Findings | None) -> Message:
    origin = Origin(ServerKind.MX)
    content = ContentRef(1, len(data))
    return Message(1, Envelope(None, ()), content, origin, 0.0, findings=findings)


async def seal(
    data: bytes = MESSAGE,
    *,
    keys: KeySet | None = KEYS,
    signatory: Signatory | None = None,
    dns: FakeDns | None = None,
    missing: int = 0,
    findings: Findings | None = FINDINGS,
) -> bytes:
    sealer = ForwardSealer(
        content=Contents(data, missing),
        resolver=dns or FakeDns(DNS),
        clock=Clock(),
        key_of=lambda domain: keys if domain == "here.test" else None,
        signatory=signatory or SignsHere(),
    )
    return await sealer.seal(message(data, findings), "here.test")


async def test_a_seal_that_validates() -> None:
    fields = await seal()
    assert fields.startswith(b"ARC-Seal: i=1; a=ed25519-sha256; cv=none;")
    assert b"ARC-Authentication-Results: i=1; mx.here.test;" in fields
    assert b"spf=pass" in fields
    assert b"spf=fail" not in fields
    assert b"forged.test" not in fields
    chain = await verify(fields + MESSAGE, FakeDns(DNS))
    assert (chain.status, chain.sealers) == (ChainStatus.PASS, ("here.test",))
    # Once more, by the next who passes it on.
    again = await seal(fields + MESSAGE)
    assert again.startswith(b"ARC-Seal: i=2; a=ed25519-sha256; cv=pass;")


async def test_what_is_not_sealed() -> None:
    assert await seal(keys=None) == b""
    assert await seal(findings=None) == b""  # whatever the header says
    assert await seal(b"no header end") == b""
    assert await seal(missing=5) == b""  # and sending it will say why
    silent = FakeDns({}, failing=[(KEY.name, "TXT")])
    assert await seal((await seal()) + MESSAGE, dns=silent) == b""


async def test_a_store_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    async def fail(*_: object) -> bytes:
        raise StorageError("EIO")

    monkeypatch.setattr(Contents, "read", fail)
    assert await seal() == b""


async def test_a_signatory_that_fails() -> None:
    class Broken(SignsHere):
        async def sign_digest(self, keys: KeySet, digest: bytes) -> bytes:
            raise SigningFailed("no process")

    assert await seal(signatory=Broken()) == b""
