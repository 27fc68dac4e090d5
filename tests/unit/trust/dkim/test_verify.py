import hashlib
import time
from binascii import b2a_base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.header import Header, header_end
from postroad.trust.dkim import (
    Algorithm,
    Checked,
    Form,
    Result,
    SigningKey,
    SignSettings,
    Verification,
    VerifySettings,
    canonical,
    generate,
    sign,
    verify,
)
from tests.fake_dns import FakeDns
from tests.unit.trust.zone import MESSAGE, NOW, ed25519_key, rsa_key, zone

SIMPLE = SignSettings(Form.SIMPLE, Form.SIMPLE)


def signed(message: bytes = MESSAGE, settings: SignSettings | None = None) -> bytes:
    return sign(message, (ed25519_key(),), NOW, settings or SignSettings()) + message


def by_hand(tags: str, message: bytes = MESSAGE, key: SigningKey | None = None) -> bytes:
    """Sign From with tags of one's own; `%(bh)s` stands for the simple hash of the first `l` octets."""
    key = key or ed25519_key()
    body = message[header_end(message) :].rstrip(b"\r\n") + b"\r\n"
    length = int(tags.partition(" l=")[2].partition(";")[0] or len(body))
    body_hash = b2a_base64(hashlib.sha256(body[:length]).digest(), newline=False).decode()
    field = (
        f"DKIM-Signature: v=1; a={key.algorithm.value}; c=relaxed/simple; d={key.domain}; "
        f"s={key.selector}; h=from; bh={body_hash};{tags} b="
    ).encode()
    first = Header.parse(message).fields[0].raw
    octets = canonical.field(first, Form.RELAXED) + canonical.field(field, Form.RELAXED)[:-2]
    signature = key.sign(hashlib.sha256(octets).digest())
    return field + b2a_base64(signature, newline=False) + b"\r\n" + message


async def one(message: bytes, dns: FakeDns | None = None, now: float = NOW) -> Checked:
    results = await verify(message, dns or zone(), now)
    assert len(results) == 1
    return results[0]


async def test_what_is_known_of_a_signature() -> None:
    checked = await one(sign(MESSAGE, (rsa_key(),), NOW) + MESSAGE)
    assert checked.result is Result.PASS
    assert (checked.domain, checked.selector) == ("example.test", "r")
    assert (checked.identity, checked.algorithm) == ("@example.test", "rsa-sha256")
    assert checked.key_bits == 2048
    assert len(checked.start) == 8
    assert not checked.testing


async def test_no_signature() -> None:
    assert await verify(MESSAGE, zone(), NOW) == ()
    assert await verify(b"", zone(), NOW) == ()
    assert not Verification(Header.parse(MESSAGE)).wants_body


@pytest.mark.parametrize("settings", [SignSettings(), SIMPLE])
async def test_any_octet_that_is_signed_matters(settings: SignSettings) -> None:
    message = signed(settings=settings)
    body = header_end(message)
    for change in (b"won", b"lost ", b"LOST"):
        changed = message[:body] + message[body:].replace(b"lost", change)
        if settings is SIMPLE or change != b"lost ":
            checked = await one(changed)
            assert checked.result is Result.FAIL
            assert "body" in checked.reason
    for change in (b"Is dinner ready!", b"Is  dinner  ready"):
        checked = await one(message.replace(b"Is  dinner\tready?", change))
        assert checked.result is Result.FAIL
        assert "header" in checked.reason


async def test_relaxed_survives_white_space_and_simple_does_not() -> None:
    def refold(message: bytes) -> bytes:
        return message.replace(b"To:   suzie", b"TO: suzie").replace(b"game. \t\r\n", b"game.\r\n")

    assert (await one(refold(signed()))).result is Result.PASS
    assert (await one(refold(signed(settings=SIMPLE)))).result is Result.FAIL


@pytest.mark.parametrize(
    "field",
    [b"From: evil@evil.test", b"Subject: Win", b"To: you@x", b"Date: now", b"Reply-To: evil@x"],
)
@pytest.mark.parametrize("where", ["above", "below"])
async def test_fields_that_readers_see_cannot_be_added(field: bytes, where: str) -> None:
    message = signed()
    if where == "above":
        message = field + b"\r\n" + message
    else:
        message = message.replace(b"\r\n\r\n", b"\r\n" + field + b"\r\n\r\n", 1)
    assert (await one(message)).result is not Result.PASS


async def test_a_from_above_a_signature_that_did_not_oversign() -> None:
    message = by_hand("")
    assert (await one(message)).result is Result.PASS
    checked = await one(b"From: evil@evil.test\r\n" + message)
    assert (checked.result, checked.reason) == (
        Result.POLICY,
        "there is a From that is not signed",
    )


async def test_no_from() -> None:
    message = MESSAGE.replace(b"From:", b"Form:")
    assert sign(message, (ed25519_key(),), NOW) == b""
    checked = await one(by_hand("", MESSAGE).replace(b"\r\nFrom:", b"\r\nForm:"))
    assert (checked.result, checked.reason) == (Result.PERMERROR, "there is no From")


async def test_what_length_leaves_out_is_not_authenticated() -> None:
    body = MESSAGE[header_end(MESSAGE) :].rstrip(b"\r\n") + b"\r\n"
    whole = by_hand(f" l={len(body)};")
    assert (await one(whole)).result is Result.PASS
    checked = await one(whole + b"<h1>Buy</h1>\r\n")
    assert checked.result is Result.POLICY
    assert checked.reason.endswith("octets of the body are not signed (l=)")
    assert (await one(by_hand(" l=0;"))).result is Result.POLICY
    assert (await one(by_hand(" l=5;").replace(b"Hi.", b"Ho."))).result is Result.FAIL
    checked = await one(by_hand(f" l={len(body) + 1};"))
    assert (checked.result, checked.reason) == (
        Result.PERMERROR,
        "l= is more than there is of the body",
    )


async def test_times() -> None:
    message = signed(settings=SignSettings(expires_seconds=60))
    assert (await one(message, now=NOW + 60)).result is Result.PASS
    checked = await one(message, now=NOW + 61)
    assert (checked.result, checked.reason) == (Result.FAIL, "the signature has expired")
    assert (await one(message, now=NOW - 299)).result is Result.PASS
    checked = await one(message, now=NOW - 301)
    assert (checked.result, checked.reason) == (Result.POLICY, "the signature is from the future")


async def test_keys_that_do_not_fit() -> None:
    message = signed()
    name = ed25519_key().name
    record = ed25519_key().record()
    checked = await one(message, zone({name: rsa_key().record()}))
    assert checked.result is Result.PERMERROR
    other = generate("example.test", "e", Algorithm.ED25519_SHA256)
    assert (await one(message, zone({name: other.record()}))).result is Result.FAIL
    assert (await one(message, zone({}))).result is Result.PERMERROR
    assert (await one(message, FakeDns({}, [(name, "TXT")]))).result is Result.TEMPERROR
    checked = await one(message, zone({name: record + "; t=y"}))
    assert checked.result is Result.PASS
    assert checked.testing
    strict = zone({name: record + "; t=s"})
    assert (await one(message, strict)).result is Result.PASS
    checked = await one(by_hand(" i=@sub.example.test;"), strict)
    assert (checked.result, checked.reason) == (
        Result.PERMERROR,
        "the key does not allow i= in a subdomain of d=",
    )
    assert (await one(by_hand(" i=@sub.example.test;"))).result is Result.PASS


async def test_a_changed_body_costs_no_look_up() -> None:
    dns = zone()
    await one(signed() + b"more", dns)
    assert dns.asked == []


async def test_no_more_signatures_than_bounded() -> None:
    dns = zone()
    field = sign(MESSAGE, (ed25519_key(),), NOW)
    verification = Verification(Header.parse(field * 1000 + MESSAGE), VerifySettings(3))
    assert verification.found == 1000
    verification.write(MESSAGE[header_end(MESSAGE) :])
    assert len(await verification.results(dns, NOW)) == 3
    assert len(dns.asked) == 3


async def test_names_to_look_up_early() -> None:
    fields = sign(MESSAGE, (rsa_key(), ed25519_key(), rsa_key()), NOW)
    verification = Verification(Header.parse(fields + b"DKIM-Signature: junk\r\n" + MESSAGE))
    assert verification.key_names() == ("r._domainkey.example.test", "e._domainkey.example.test")


async def test_unusable_signatures_say_what_they_claim_and_nothing_that_is_not_harmless() -> None:
    sha1 = b"DKIM-Signature: v=1; a=rsa-sha1; d=a.example; s=x; h=from; b=AA==; bh=AA==\r\n"
    checked = await one(sha1 + MESSAGE)
    assert (checked.result, checked.domain, checked.algorithm) == (
        Result.POLICY,
        "a.example",
        "rsa-sha1",
    )
    odd = b'DKIM-Signature: v=1; a=(x); d=<a>"; s=a\r\n\tb; h=from; b=AA==; bh=AA==\r\n'
    checked = await one(odd + MESSAGE)
    assert (checked.result, checked.domain, checked.selector, checked.algorithm) == (
        Result.PERMERROR,
        "",
        "",
        "",
    )


@given(st.binary(max_size=120), st.binary(max_size=60))
async def test_nothing_is_raised_for_what_a_message_says(value: bytes, body: bytes) -> None:
    message = b"DKIM-Signature:" + value + b"\r\nFrom: a\r\n\r\n" + body
    for checked in await verify(message, zone(), NOW):
        assert checked.result is not Result.PASS


@given(st.data())
async def test_damage_anywhere_is_seen(data: st.DataObject) -> None:
    fields = sign(MESSAGE, (ed25519_key(),), 1.0, SIMPLE)
    message = bytearray(fields + MESSAGE)
    at = data.draw(st.integers(0, len(message) - 1))
    message[at] ^= 1 << data.draw(st.integers(0, 7))
    for checked in await verify(bytes(message), zone(), NOW):
        if checked.result is Result.PASS:
            # base64 has unused bits in the last letter of b=, the only thing that is not signed
            assert fields[at + 1 : at + 2] == b"="


async def test_hostile_headers_take_linear_time() -> None:
    names = ":".join(["from"] * 3000)
    many = b"".join(b"X%d: y\r\n" % index for index in range(9000))
    field = (
        f"DKIM-Signature: v=1; a=rsa-sha256; d=example.test; s=r; h={names}; b=AA==; bh=AA==\r\n"
    )
    before = time.process_time()
    await verify(field.encode() * 8 + many + MESSAGE, zone(), NOW)
    assert time.process_time() - before < 1
