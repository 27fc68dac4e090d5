import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header
from postroad.trust import arc
from postroad.trust.arc import NO_CHAIN, ChainStatus, ChainVerification
from tests.fake_dns import FakeDns
from tests.unit.trust.zone import MESSAGE, NOW, ed25519_key, rsa_key, zone

RESULTS = b"mx.example.test; spf=pass"


def sealed(sets: int, message: bytes = MESSAGE) -> bytes:
    chain = NO_CHAIN
    for instance in range(sets):
        key = rsa_key() if instance % 2 else ed25519_key()
        message = arc.seal(message, key, RESULTS, chain, NOW) + message
        chain = arc.Chain(ChainStatus.PASS, "")
    return message


async def test_no_chain() -> None:
    verification = ChainVerification(Header.parse(MESSAGE))
    assert not verification.wants_body
    assert await verification.result(zone()) == NO_CHAIN


async def test_a_chain_of_many() -> None:
    chain = await arc.verify(sealed(50), zone())
    assert chain.status is ChainStatus.PASS
    assert chain.sealers == ("example.test",) * 50


async def test_what_was_changed_behind_the_last_sealer() -> None:
    message = sealed(2)
    for old, new in (
        (b"lost", b"won"),
        (b"Subject: Is", b"Subject: Was"),
        (b"spf=pass", b"spf=none"),
    ):
        chain = await arc.verify(message.replace(old, new, 1), zone())
        assert chain.status is ChainStatus.FAIL
        assert not chain.terminated
        assert not chain.temporary


async def test_a_key_that_cannot_be_asked_for_is_temporary() -> None:
    dns = FakeDns({rsa_key().name: {"TXT": (rsa_key().record(),)}}, [(ed25519_key().name, "TXT")])
    chain = await arc.verify(sealed(2), dns)
    assert (chain.status, chain.temporary) == (ChainStatus.FAIL, True)


@pytest.mark.parametrize(
    "name", [b"ARC-Seal", b"ARC-Message-Signature", b"ARC-Authentication-Results"]
)
@pytest.mark.parametrize(
    "value", [b"", b"i=1", b"i=0; x", b"i=51; x=y", b"i=3; x=y", b"i=x;", b"i=1;\0"]
)
async def test_a_field_that_does_not_belong(name: bytes, value: bytes) -> None:
    chain = await arc.verify(name + b": " + value + b"\r\n" + sealed(1), zone())
    assert chain.status is ChainStatus.FAIL


async def test_a_part_of_the_body_is_not_enough() -> None:
    message = sealed(1).replace(b"c=relaxed/relaxed;", b"c=relaxed/relaxed; l=0;")
    assert (await arc.verify(message, zone())).status is ChainStatus.FAIL


@given(
    st.sampled_from(["Seal", "Message-Signature", "Authentication-Results"]), st.binary(max_size=99)
)
async def test_nothing_is_raised_for_what_a_message_says(name: str, value: bytes) -> None:
    message = b"ARC-" + name.encode() + b":" + value + b"\r\n" + sealed(1)
    await arc.verify(message, zone())


async def test_floods_take_linear_time() -> None:
    flood = b"".join(b"ARC-Seal: i=%d; a=b\r\n" % index for index in range(9000))
    before = time.process_time()
    chain = await arc.verify(flood + MESSAGE, zone())
    assert time.process_time() - before < 1
    assert chain.status is ChainStatus.FAIL
