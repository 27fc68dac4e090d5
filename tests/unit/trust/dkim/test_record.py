from binascii import b2a_base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dkim import Result
from postroad.trust.dkim.record import find_key, key_name, parse_key
from postroad.trust.dkim.result import Refused
from tests.fake_dns import FakeDns
from tests.unit.trust.zone import ed25519_key, rsa_key, zone

# What canonical.com published when 512 bits were still in use (a test key of dkimpy).
SHORT = (
    "k=rsa; p=MFwwDQYJKoZIhvcNAQEBBQADSwAwSAJBANmBe10IgY+u7h3enWTukkqtUD5PR52T"
    "b/mPfjC0QJTocVBq6Za/PlzfV+Py92VaCak19F4WrbVTK5Gg5tW220MCAwEAAQ=="
)


def refusal(text: str) -> tuple[Result, str]:
    with pytest.raises(Refused) as caught:
        parse_key(text)
    return caught.value.result, caught.value.reason


def p_of(modulus: int, exponent: int) -> str:
    octets = RSAPublicNumbers(exponent, modulus).public_key()
    der = octets.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return "p=" + b2a_base64(der, newline=False).decode()


def test_flags() -> None:
    p = ed25519_key().record().partition("p=")[2]
    record = parse_key(f"v=DKIM1; k=ed25519; n=a note; g=*; t= y : s ; x=1; p={p}")
    assert (record.testing, record.strict, record.bits) == (True, True, 256)


def test_512_bits_are_too_few() -> None:
    assert refusal(SHORT) == (Result.POLICY, "512 bits are too few, 1024 the least")


def test_keys_that_only_make_us_work() -> None:
    modulus = (1 << 9000) + 1
    assert refusal(p_of(modulus, 65537)) == (
        Result.POLICY,
        "9001 bits are too many, 8192 the most",
    )
    exponent = (1 << 1999) + 1
    assert refusal(p_of((1 << 2047) + 1, exponent)) == (Result.POLICY, "its exponent is too great")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("v=DKIM1; p=", "it is revoked"),
        ("v=DKIM1", "no p="),
        ("v=DKIM2; p=AAAA", "its v= is not DKIM1 or not first"),
        ("p=AAAA; v=DKIM1", "its v= is not DKIM1 or not first"),
        ("h=sha1; p=AAAA", "it does not allow sha256"),
        ("s=tlsrpt; p=AAAA", "it is not for mail"),
        ("k=dsa; p=AAAA", "its k= is no kind of key that we know"),
        ("k=ed25519; p=AAAA", "its p= is no Ed25519 key"),
        ("p=AAAA", "its p= is no public key"),
        ("p=%%%", "p= is not base64"),
        ("v=spf1 -all", "its v= is not DKIM1 or not first"),
        ("hello", "what is between two semicolons is no tag"),
        ("p=AAAA\0", "a control character between the tags"),
    ],
)
def test_records_of_no_use(text: str, reason: str) -> None:
    assert refusal(text) == (Result.PERMERROR, reason)


def test_an_ed25519_key_that_says_it_is_rsa() -> None:
    der = (
        Ed25519PrivateKey.generate()
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    assert refusal("p=" + b2a_base64(der, newline=False).decode()) == (
        Result.PERMERROR,
        "its p= is no RSA key",
    )


@given(
    st.text(max_size=80)
    | st.binary(max_size=60).map(lambda octets: "p=" + b2a_base64(octets, newline=False).decode())
)
def test_nothing_but_refused_is_raised(text: str) -> None:
    try:
        parse_key(text)
    except Refused:
        return


async def test_where_keys_are() -> None:
    dns = zone()
    assert (await find_key("r", "example.test", dns)).bits == 2048
    assert dns.asked == [("r._domainkey.example.test", "TXT")]


async def test_no_key_and_no_answer() -> None:
    with pytest.raises(Refused) as caught:
        await find_key("x", "example.test", zone())
    assert caught.value.result is Result.PERMERROR
    with pytest.raises(Refused) as caught:
        await find_key("x", "example.test", FakeDns({}, [("x._domainkey.example.test", "TXT")]))
    assert caught.value.result is Result.TEMPERROR
    assert "x._domainkey.example.test" in caught.value.reason


async def test_a_key_is_found_among_other_records() -> None:
    name = rsa_key().name
    dns = zone({name: ("v=spf1 -all", "verification=1", rsa_key().record())})
    assert (await find_key("r", "example.test", dns)).bits == 2048
    many = zone({name: ("junk",) * 1000 + (rsa_key().record(),)})
    with pytest.raises(Refused):
        await find_key("r", "example.test", many)


def test_names_beyond_ascii_are_looked_up_as_a_labels() -> None:
    assert key_name("s", "bücher.example") == "s._domainkey.xn--bcher-kva.example"
    for strange in ("a\u2028b.example", "x" * 63 + ".é" * 80):
        with pytest.raises(Refused):
            key_name("s", strange)
    with pytest.raises(Refused):
        key_name("s" * 63, ".".join(["x" * 60] * 4))
