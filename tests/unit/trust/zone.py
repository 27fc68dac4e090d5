"""Keys that are made once, a DNS that has them, and a message to sign."""

from collections.abc import Mapping
from functools import cache

from postroad.trust.dkim import Algorithm, SigningKey, generate
from tests.fake_dns import FakeDns

NOW = 1_795_000_000.0

MESSAGE = (
    b"From: Joe <joe@example.test>\r\n"
    b"To:   suzie@shop.test,\r\n\t bob@shop.test\r\n"
    b"Subject: Is  dinner\tready?\r\n"
    b"Date: Fri, 11 Jul 2003 21:00:37 -0700\r\n"
    b"Message-ID: <1@example.test>\r\n"
    b"\r\n"
    b"Hi.\r\n\r\nWe lost  the game. \t\r\n \t \r\nAre you hungry yet?\r\n\r\n\r\n"
)


@cache
def rsa_key() -> SigningKey:
    return generate("example.test", "r", Algorithm.RSA_SHA256)


@cache
def ed25519_key() -> SigningKey:
    return generate("example.test", "e", Algorithm.ED25519_SHA256)


def zone(records: Mapping[str, str | tuple[str, ...]] | None = None) -> FakeDns:
    """A DNS with the TXT records given, else with those of both keys."""
    if records is None:
        records = {key.name: key.record() for key in (rsa_key(), ed25519_key())}
    return FakeDns(
        {
            name: {"TXT": (texts,) if isinstance(texts, str) else texts}
            for name, texts in records.items()
        }
    )
