"""What a receiver will say, told beforehand."""

import pytest

from postroad.model import Address
from postroad.service.preview import Preview, preview
from postroad.trust.dkim import Algorithm, generate, sign
from tests.fake_dns import FakeDns

KEY = generate("here.test", "s1", Algorithm.ED25519_SHA256)
DNS = {
    "here.test": {"TXT": ["v=spf1 ip4:198.51.100.7 -all"]},
    "_dmarc.here.test": {"TXT": ["v=DMARC1; p=reject"]},
    KEY.name: {"TXT": [KEY.record()]},
    "mail.here.test": {"TXT": ["v=spf1 ip4:198.51.100.7 -all"]},
}
MESSAGE = b"From: jo@here.test\r\nTo: a@there.test\r\nSubject: x\r\n\r\nhello\r\n"
OURS, STRANGE = "198.51.100.7", "198.51.100.8"


async def say(
    message: bytes = MESSAGE,
    sender: str | None = "jo@here.test",
    address: str = OURS,
    **more: list[str],
) -> Preview:
    dns = dict(DNS) | {name.replace("__", "."): {"TXT": texts} for name, texts in more.items()}
    return await preview(
        message,
        Address.parse(sender) if sender else None,
        address=address,
        helo="mail.here.test",
        resolver=FakeDns(dns),
        now=1_800_000_000.0,
    )


def signed() -> bytes:
    return sign(MESSAGE, [KEY], 1_799_999_000) + MESSAGE


def words(found: Preview) -> tuple[str, list[str], str, bool]:
    return (
        found.spf.result.value,
        [each.result.value for each in found.dkim],
        found.dmarc.result.value,
        found.fails,
    )


async def test_what_passes() -> None:
    assert words(await say()) == ("pass", [], "pass", False)
    assert words(await say(signed())) == ("pass", ["pass"], "pass", False)
    # By the signature alone.
    assert words(await say(signed(), address=STRANGE)) == ("fail", ["pass"], "pass", False)
    assert words(await say(signed(), sender=None)) == ("pass", ["pass"], "pass", False)


async def test_what_fails() -> None:
    assert words(await say(address=STRANGE)) == ("fail", [], "fail", True)
    changed = signed().replace(b"hello", b"hallo")
    assert words(await say(changed, address=STRANGE)) == ("fail", ["fail"], "fail", True)
    other = MESSAGE.replace(b"jo@here.test", b"jo@elsewhere.test")
    forged = await say(other, elsewhere__test=[], _dmarc__elsewhere__test=["v=DMARC1; p=none"])
    assert words(forged) == ("pass", [], "fail", False)  # nobody asks for anything
    assert forged.doubtful
    # Bounces: HELO does not count for DMARC.
    assert words(await say(sender=None)) == ("pass", [], "fail", True)
    two = MESSAGE.replace(b"To:", b"From: x@y.test\r\nTo:")
    assert (await say(two)).fails


@pytest.mark.parametrize("address", [OURS, STRANGE])
async def test_without_any_policy_spf_decides(address: str) -> None:
    found = await say(address=address, _dmarc__here__test=[])
    assert found.dmarc.result.value == "none"
    assert found.doubtful
    assert found.fails is (address == STRANGE)


async def test_a_key_in_test_mode_proves_nothing() -> None:
    trying = [KEY.record() + "; t=y"]
    found = await say(signed(), address=STRANGE, s1___domainkey__here__test=trying)
    assert words(found) == ("fail", ["pass"], "fail", True)
