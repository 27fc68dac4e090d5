import dkim as dkimpy
import pytest

from postroad.message.header import Header
from postroad.trust import arc
from postroad.trust.arc import NO_CHAIN, Chain, ChainStatus
from postroad.trust.results import Finding, results_value
from tests.unit.trust.zone import MESSAGE, NOW, ed25519_key, rsa_key, zone

RESULTS = results_value("mx.example.test", (Finding("spf", "pass"), Finding("dkim", "fail")))
ANSWERS = {key.name.encode() + b".": key.record().encode() for key in (rsa_key(),)}


def dkimpy_status(message: bytes) -> bytes:
    status, _, _ = dkimpy.arc_verify(message, dnsfunc=lambda name, timeout=5: ANSWERS[name])
    return bytes(status)


async def test_a_set_that_others_verify() -> None:
    first = arc.seal(MESSAGE, rsa_key(), RESULTS, NO_CHAIN, NOW) + MESSAGE
    assert [field.name for field in Header.parse(first).fields[:3]] == [
        "ARC-Seal",
        "ARC-Message-Signature",
        "ARC-Authentication-Results",
    ]
    chain = await arc.verify(first, zone())
    assert chain.status is ChainStatus.PASS
    assert dkimpy_status(first) == b"pass"
    second = arc.seal(first, rsa_key(), RESULTS, chain, NOW) + first
    assert (await arc.verify(second, zone())).status is ChainStatus.PASS
    assert dkimpy_status(second) == b"pass"


async def test_a_chain_of_dkimpy_is_continued() -> None:
    headers = dkimpy.arc_sign(
        b"Authentication-Results: mx.example.test; spf=pass\r\n" + MESSAGE,
        b"r",
        b"example.test",
        rsa_key().pem().encode(),
        b"mx.example.test",
    )
    first = b"".join(headers) + MESSAGE
    chain = await arc.verify(first, zone())
    assert chain.status is ChainStatus.PASS, chain.reason
    second = arc.seal(first, ed25519_key(), RESULTS, chain, NOW) + first
    assert (await arc.verify(second, zone())).sealers == ("example.test", "example.test")


async def test_a_failure_is_sealed_once_and_alone() -> None:
    first = arc.seal(MESSAGE, rsa_key(), RESULTS, NO_CHAIN, NOW) + MESSAGE
    broken = first.replace(b"lost", b"won")
    chain = await arc.verify(broken, zone())
    fields = arc.seal(broken, rsa_key(), RESULTS, chain, NOW)
    assert b"ARC-Seal: i=2; a=rsa-sha256; cv=fail;" in fields
    ended = await arc.verify(fields + broken, zone())
    assert (ended.status, ended.terminated) == (ChainStatus.FAIL, True)
    assert arc.seal(fields + broken, rsa_key(), RESULTS, ended, NOW) == b""


def test_no_more_than_fifty() -> None:
    field = b"ARC-Authentication-Results: i=50; x\r\n"
    chain = Chain(ChainStatus.FAIL, "")
    assert arc.seal(field + MESSAGE, rsa_key(), RESULTS, chain, NOW) == b""


@pytest.mark.parametrize("key", [rsa_key, ed25519_key])
def test_lines_are_short(key: "object") -> None:
    assert callable(key)
    fields = arc.seal(MESSAGE, key(), RESULTS, NO_CHAIN, NOW)
    assert all(len(line) <= 78 for line in fields.split(b"\r\n"))
