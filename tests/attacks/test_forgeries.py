"""Forged senders against a real server: nothing forged gets in, and no result that is not ours."""

import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from postroad.lab.dns import DnsFault, DnsServer
from postroad.model import Address
from postroad.runtime.compose import System
from postroad.trust import arc
from postroad.trust.dkim import Algorithm, SigningKey, generate, sign
from tests.attacks.serving import BOB, connected, inbox, serving
from tests.fake_dns import FakeDns

KEY = generate("author.test", "k1", Algorithm.ED25519_SHA256)
OTHER = generate("list.test", "k1", Algorithm.ED25519_SHA256)

RECORDS: dict[str, dict[str, list[str]]] = {
    "author.test": {"TXT": ["v=spf1 -all"]},
    "_dmarc.author.test": {"TXT": ["v=DMARC1; p=reject"]},
    KEY.name: {"TXT": [KEY.record()]},
    OTHER.name: {"TXT": [OTHER.record()]},
    "mild.test": {"TXT": ["v=spf1 -all"]},
    "_dmarc.mild.test": {"TXT": ["v=DMARC1; p=quarantine"]},
    "strict.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
    "_dmarc.strict.test": {"TXT": ["v=DMARC1; p=reject"]},
    "free.test": {"TXT": ["v=spf1 ip4:127.0.0.1 -all"]},
    "broken.test": {"TXT": ["!"]},
    "_dmarc.broken.test": {"TXT": ["!"]},
    "client.test": {"A": ["127.0.0.1"]},
}

SEEN = b"dmarc=pass header.from=author.test"
BODY = "Hello\r\n"


def letter(*fields: str, body: str = BODY) -> bytes:
    head = "\r\n".join([*fields, "To: bob@us.test", "Subject: hi"])
    return f"{head}\r\n\r\n{body}".encode()


def signed(message: bytes, key: SigningKey = KEY) -> bytes:
    return sign(message, [key], time.time()) + message


@asynccontextmanager
async def world(tmp_path: Path, **trust: Any) -> AsyncIterator[System]:
    async with serving(tmp_path, resolver=FakeDns(RECORDS), trust=trust) as system:
        yield system


async def hand_in(system: System, message: bytes, sender: str = "a@free.test") -> str:
    """Return the reply to the final dot."""
    async with connected(system, "mx") as client:
        for line in ("EHLO client.test", f"MAIL FROM:<{sender}>", f"RCPT TO:<{BOB}>", "DATA"):
            reply = await client.ask(line)
            assert reply[0] in "23", reply
        for start in range(0, len(message), 7):
            client.send(message[start : start + 7])
        client.send(b".\r\n")
        return await client.reply()


async def one(system: System) -> bytes:
    (message,) = await inbox(system, wait_for=1)
    return message


async def told(system: System) -> dict[str, str]:
    """What the checks said of the newest message."""
    (message, *_) = await system.journeys.find(address=BOB)
    journey = await system.journeys.of(message.id)
    texts = [line.text for line in journey.lines if line.what == "check"]
    return {text.partition(":")[0]: text for text in texts}


async def test_a_signed_author_is_believed_and_told_of(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        message = signed(letter("From: Ann <ann@author.test>"))
        assert (await hand_in(system, message, "ann@author.test")).startswith("250")
        stored = await one(system)
        found = re.search(rb"Authentication-Results: mx.us.test;.*?(?=\r\n\S)", stored, re.DOTALL)
        assert found is not None
        for word in (b"spf=fail", b"dkim=pass", b"header.d=author.test", b"dmarc=pass"):
            assert word in found[0]
        assert stored.endswith(message)
        assert stored.index(b"Authentication-Results:") < stored.index(b"Received:")
        checks = await told(system)
        assert checks["spf"].startswith("spf: accept")
        assert "pass of author.test (k1)" in checks["dkim"]
        assert "dkim for author.test (k1) passed" in checks["dmarc"]


async def test_a_forged_author_is_refused_with_the_reason(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        reply = await hand_in(system, letter("From: ann@author.test"))
        assert reply.startswith("550 5.7.1")
        assert "p=reject of author.test" in reply
        assert await inbox(system) == []


async def test_a_changed_body_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        message = signed(letter("From: ann@author.test")).replace(b"Hello", b"Hullo")
        assert (await hand_in(system, message)).startswith("550 5.7.1")


async def test_a_doubtful_author_goes_to_junk(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        assert (await hand_in(system, letter("From: ann@mild.test"))).startswith("250")
        account = await system.store.directory.account(Address.parse(BOB))
        assert account is not None
        junk = await system.store.mailboxes.named(account.id, "Junk")
        assert junk is not None
        listing = await system.store.mailboxes.listing(junk.id)
        assert listing is not None
        assert len(listing.uids) == 1
        assert await inbox(system) == []


@pytest.mark.parametrize(
    "froms",
    [
        ("From: ann@author.test", "From: mallory@free.test"),
        ("From: mallory@free.test", "From: ann@author.test"),
        ("From: Ann:ann@author.test;", ""),
        ("From: mallory@free.test, ann@author.test", ""),
        ("From: ann@author.test <mallory@free.test>", ""),
        ("", ""),
        ('From: "ann@author.test', ""),
        ("From: ann@[author.test]", ""),
        ("From: Ann, ann@author.test <mallory@free.test>", ""),
    ],
)
@pytest.mark.parametrize("signature", [False, True], ids=["unsigned", "signed by another"])
async def test_an_author_that_readers_may_take_for_another(
    tmp_path: Path, froms: tuple[str, str], signature: bool
) -> None:
    async with world(tmp_path) as system:
        message = letter(*filter(None, froms))
        if signature:
            message = signed(message, OTHER)
        assert (await hand_in(system, message)).startswith("550 5.7.1")


@pytest.mark.parametrize("author", ["Doe, Ann <{}>", "[JIRA] Ann <{}>", "<{}> Ann", "A \\ <{}.>"])
async def test_an_author_who_is_no_address_list_and_clear(tmp_path: Path, author: str) -> None:
    async with world(tmp_path) as system:
        message = letter("From: " + author.format("ann@author.test"))
        assert (await hand_in(system, signed(message))).startswith("250")
        assert "pass" in (await told(system))["dmarc"]
        assert (await hand_in(system, message)).startswith("550 5.7.1")


async def test_an_author_in_doubt_is_only_told_where_nothing_is_enforced(tmp_path: Path) -> None:
    async with world(tmp_path, enforce=False) as system:
        message = letter("From: ann@author.test, <ann@author.test> x")
        assert (await hand_in(system, message)).startswith("250")
        assert "not applied" in (await told(system))["dmarc"]


async def test_a_from_above_a_signed_one_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        message = b"From: mallory@free.test\r\n" + signed(letter("From: ann@author.test"))
        assert (await hand_in(system, message)).startswith("550 5.7.1")


async def test_a_body_that_is_not_signed_to_its_end_proves_nothing(tmp_path: Path) -> None:
    """An l= is taken for what it is (RFC 6376 §8.2): whatever follows is anybody's."""
    import base64
    import hashlib

    head = b"From: ann@author.test\r\n"
    digest = base64.b64encode(hashlib.sha256(b"Hello\r\n").digest())
    unsigned = (
        b"DKIM-Signature: v=1; a=ed25519-sha256; c=simple/simple; d=author.test; s=k1; l=7; "
        b"h=from; bh=" + digest + b"; b="
    )
    proof = KEY.sign(hashlib.sha256(head + unsigned).digest())
    message = unsigned + base64.b64encode(proof) + b"\r\n" + head + b"\r\nHello\r\n"
    async with world(tmp_path) as system:
        assert (await hand_in(system, message)).startswith("250")
        assert (await hand_in(system, message + b"Send money.\r\n")).startswith("550 5.7.1")


async def test_results_in_our_name_are_removed_and_no_others(tmp_path: Path) -> None:
    forged = [
        b"Authentication-Results: mx.us.test; dmarc=pass header.from=bank.test\r\n",
        b"authentication-results: (x) MX.US.test 1;\r\n dkim=pass\r\n",
        b'Authentication-Results: "mx.us\\.test"; spf=pass\r\n',
        b"Authentication-Results: (never ends mx.us.test; spf=pass\r\n",
    ]
    foreign = b"Authentication-Results: mx.other.test; spf=pass\r\n"
    async with world(tmp_path) as system:
        plain = letter("From: a@free.test")
        message = b"".join(forged) + foreign + plain
        assert (await hand_in(system, message)).startswith("250")
        stored = await one(system)
        assert stored.endswith(foreign + plain)
        head = stored[: -len(foreign + plain)]
        assert head.lower().count(b"authentication-results:") == 1
        assert b"bank.test" not in head
        assert "4 with our name" in (await told(system))["authentication-results"]


async def test_very_many_long_signatures(tmp_path: Path) -> None:
    domain = ".".join(["a" * 60] * 3) + ".x"
    long = f"DKIM-Signature: v=1; a=rsa-sha256; d={domain}; s={domain}; i={'q' * 200}@{domain}; "
    fields = (long + "h=from; bh=AAAA; b=AAAA\r\n").encode() * 99
    message = signed(letter("From: ann@author.test"))
    async with world(tmp_path, max_signatures=100) as system:
        assert (await hand_in(system, fields + message)).startswith("250")
        stored = await one(system)
        assert b"dkim=pass" in stored
        assert b"dmarc=pass" in stored
        assert "more are not told of" in (await told(system))["dkim"]


async def test_results_in_our_name_are_removed_by_whatever_door(tmp_path: Path) -> None:
    forged = b"Authentication-Results: mx.us.test; dmarc=pass header.from=bank.test\r\n"
    plain = letter("From: a@free.test")
    async with world(tmp_path, verify=False, authserv_id="rz.us.test") as system:
        other = forged.replace(b"mx.", b"rz.")
        assert (await hand_in(system, forged + other + plain)).startswith("250")
        stored = await one(system)
        assert b"authentication-results" not in stored.lower()
        assert stored.endswith(plain)


async def test_a_header_that_would_continue_our_own_is_refused(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        for first in (b" From: leaked@bank.test\r\n", b"\tx\r\n", b" \r\n"):
            reply = await hand_in(system, first + letter("From: a@free.test"))
            assert reply.startswith("554 5.6.0 The message header begins with white space")


async def test_what_hides_behind_too_many_fields_is_refused(tmp_path: Path) -> None:
    forged = b"Authentication-Results: mx.us.test; dmarc=pass header.from=bank.test\r\n"
    plain = letter("From: a@free.test")
    async with world(tmp_path) as system:
        message = b"A:\r\n" * 10_000 + forged + plain
        assert (await hand_in(system, message)).startswith("552 5.3.4 Message header has more than")
        async with connected(system, "mx") as client:
            await client.open_transaction()
            client.send(b"A:\r\n" * 9_000 + plain + b"\r\n.\r\n")
            assert (await client.reply()).startswith("250")


async def test_control_characters_in_a_signature_fail_it(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        for odd in (b"\x01", b"\r\n\t \x7f"):
            message = signed(letter("From: ann@author.test"))
            message = message.replace(b"d=author.test", b"d=author" + odd + b".test", 1)
            assert (await hand_in(system, message)).startswith("550 5.7.1")


async def test_a_dns_that_is_silent_defers(tmp_path: Path) -> None:
    async with world(tmp_path) as system:
        reply = await hand_in(system, letter("From: ann@broken.test"), "ann@broken.test")
        assert reply.startswith("451 4.7.0")
    (tmp_path / "again").mkdir()
    async with world(tmp_path / "again", dns_failure="accept") as system:
        reply = await hand_in(system, letter("From: ann@broken.test"), "ann@broken.test")
        assert reply.startswith("250")
        assert b"dmarc=temperror" in await one(system)


@pytest.mark.parametrize(
    ("trust", "words"),
    [
        ({"enforce": False}, "not applied"),
        ({"unenforced": ["author.test"]}, "not applied"),
        ({"relays": ["127.0.0.0/8"]}, ""),
    ],
)
async def test_local_override(tmp_path: Path, trust: dict[str, Any], words: str) -> None:
    async with world(tmp_path, **trust) as system:
        assert (await hand_in(system, letter("From: ann@author.test"))).startswith("250")
        assert words in (await told(system)).get("dmarc", "")
        assert (b"dmarc=fail" in await one(system)) == bool(words)


@pytest.mark.parametrize(
    ("sealers", "seen", "taken"),
    [
        (["list.test"], SEEN, True),
        (["list.test"], SEEN.replace(b"pass", b"fail"), False),
        (["other.test"], SEEN, False),
        ([], SEEN, False),
        (["list.test"], b"dmarc=pass", False),
        (["list.test"], b"dmarc=pass header.from=other.test", False),
        (["list.test"], SEEN.replace(b"pass", b"fail") + b"; dmarc=pass header.from=o.test", False),
        (["list.test"], SEEN + b"; dmarc=fail header.from=o.test", False),
    ],
)
async def test_a_forwarder_is_believed_only_if_it_is_trusted(
    tmp_path: Path, sealers: list[str], seen: bytes, taken: bool
) -> None:
    """A list changes the subject, which breaks the author's signature, and seals what it saw."""
    changed = letter("From: ann@author.test")
    results = b"mx.list.test; " + seen
    message = arc.seal(changed, OTHER, results, arc.NO_CHAIN, time.time()) + changed
    async with world(tmp_path, sealers=sealers) as system:
        reply = await hand_in(system, message, "bounces@list.test")
        assert reply.startswith("250" if taken else "550 5.7.1")
        if taken:
            assert "list.test saw it pass" in (await told(system))["dmarc"]
            stored = await one(system)
            assert b"arc=pass" in stored
            assert b"dmarc=fail" in stored
        forged = message.replace(b"Hello", b"Hullo")
        assert (await hand_in(system, forged, "x@list.test")).startswith("550 5.7.1")


async def test_spf_may_refuse_by_itself(tmp_path: Path) -> None:
    async with world(tmp_path, spf_failure="reject") as system, connected(system, "mx") as client:
        await client.ask("EHLO client.test")
        reply = await client.ask("MAIL FROM:<ann@author.test>")
        assert reply.startswith("550 5.7.1 SPF: 127.0.0.1 may not send")


async def test_the_null_sender_is_known_by_helo(tmp_path: Path) -> None:
    async with world(tmp_path, received_spf=True) as system:
        assert (await hand_in(system, letter("From: mailer@client.test"), "")).startswith("250")
        stored = await one(system)
        assert b"smtp.helo=client.test" in stored
        assert b"Received-SPF: none (mx.us.test" in stored


async def test_a_dry_run_of_who_recognises_refuses_nobody(tmp_path: Path) -> None:
    """DMARC needs what SPF found, whether or not SPF may refuse."""
    trust, policy = {"spf_failure": "reject"}, {"dry_run": ["spf"]}
    async with serving(tmp_path, resolver=FakeDns(RECORDS), trust=trust, policy=policy) as system:
        message = letter("From: ann@strict.test")
        assert (await hand_in(system, message, "ann@strict.test")).startswith("250")
        stored = await one(system)
    assert b"spf=pass" in stored
    assert b"dmarc=pass" in stored


async def test_what_is_found_in_a_dry_run_is_written_down(tmp_path: Path) -> None:
    trust, policy = {"spf_failure": "reject"}, {"dry_run": ["spf", "dmarc"]}
    async with serving(tmp_path, resolver=FakeDns(RECORDS), trust=trust, policy=policy) as system:
        message = letter("From: ann@author.test")
        assert (await hand_in(system, message, "ann@author.test")).startswith("250")
        stored = await one(system)
        checks = await told(system)
    assert b"spf=fail" in stored
    assert b"dmarc=fail" in stored
    assert "would reject" in checks["spf"]
    assert "would reject" in checks["dmarc"]


@asynccontextmanager
async def beside_silent_servers(tmp_path: Path, **abuse: Any) -> AsyncIterator[System]:
    """A system whose DNS knows the author, and says nothing about what is in silent.test."""
    async with DnsServer() as dns:
        zones = dns.zones
        for origin in ("author.test", "silent.test", "127.in-addr.arpa"):
            zones.add_zone(origin)
        zones.add(KEY.name, "TXT", f'"{KEY.record()}"')
        zones.add("_dmarc.author.test", "TXT", '"v=DMARC1; p=reject"')
        for number in range(5):
            zones.add("1.0.0.127.in-addr.arpa", "PTR", f"a{number}.silent.test.")
        dns.fail("silent.test", DnsFault.TIMEOUT)
        delivery = {
            "nameservers": [f"127.0.0.1:{dns.port}"],
            "dns_timeout_seconds": 2,
            "dns_total_seconds": 2,
        }
        async with serving(
            tmp_path,
            delivery=delivery,
            abuse={"reverse_dns_seconds": 1, **abuse},
            trust={"verify": True, "key_seconds": 1},
            limits={"check_seconds": 4},
        ) as system:
            yield system


async def test_signatures_of_dead_domains_do_not_hold_up_what_another_proves(
    tmp_path: Path,
) -> None:
    message = signed(letter("From: ann@author.test"))
    for number in range(5):
        dead = generate(f"d{number}.silent.test", "k", Algorithm.ED25519_SHA256)
        message = sign(message, [dead], time.time()) + message
    async with beside_silent_servers(tmp_path) as system:
        assert (await hand_in(system, message, "ann@author.test")).startswith("250")
        stored = await one(system)
    assert b"dmarc=pass" in stored
    assert stored.count(b"dkim=temperror") == 5
    assert stored.count(b"dkim=pass") == 1


async def test_names_of_dead_domains_hold_up_nobody(tmp_path: Path) -> None:
    message = signed(letter("From: ann@author.test"))
    async with beside_silent_servers(tmp_path, reverse_dns="note") as system:
        assert (await hand_in(system, message, "ann@author.test")).startswith("250")
        await one(system)
        checks = await told(system)
    assert checks["reverse-dns"].endswith("127.0.0.1 cannot be looked up now")
