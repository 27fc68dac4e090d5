import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dkim import Algorithm, BodyKind, Form, Result
from postroad.trust.dkim.result import Refused
from postroad.trust.dkim.signature import Signature, parse_signature, read_tags

TAGS = {
    "v": "1",
    "a": "rsa-sha256",
    "b": "aGVs\r\n\tbG8=",
    "bh": "d29ybGQ=",
    "d": "Example.org",
    "h": "From : To:\r\n\tSubject",
    "s": "brisbane",
}


def parse(changes: dict[str, str | None] | None = None) -> Signature:
    tags = {**TAGS, **(changes or {})}
    text = "; ".join(f"{name}={value}" for name, value in tags.items() if value is not None)
    raw = f"DKIM-Signature: {text}\r\n".encode()
    return parse_signature(raw, read_tags(raw))


def test_defaults() -> None:
    signature = parse()
    assert signature == Signature(
        algorithm=Algorithm.RSA_SHA256,
        signature=b"hello",
        body_hash=b"world",
        header_form=Form.SIMPLE,
        body_kind=BodyKind(Form.SIMPLE),
        domain="example.org",
        selector="brisbane",
        signed=("from", "to", "subject"),
        identity="@example.org",
        time=None,
        expires=None,
        unsigned_field=(
            b"DKIM-Signature: v=1; a=rsa-sha256; b=; bh=d29ybGQ=; d=Example.org; "
            b"h=From : To:\r\n\tSubject; s=brisbane"
        ),
    )


def test_everything_said() -> None:
    changes: dict[str, str | None] = {
        "a": "ed25519-sha256",
        "c": "relaxed",
        "i": "joe@Mail.example.org",
        "l": "12",
        "q": "dns/txt",
        "t": "1",
        "x": "2",
        "z": "From:a@b",
        "unknown": "yes",
    }
    signature = parse(changes)
    assert signature.algorithm is Algorithm.ED25519_SHA256
    assert (signature.header_form, signature.body_kind) == (Form.RELAXED, BodyKind(Form.SIMPLE, 12))
    assert signature.identity == "joe@mail.example.org"
    assert (signature.time, signature.expires) == (1, 2)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"v": None}, "no v="),
        ({"v": "2"}, "v= is not 1"),
        ({"a": None}, "no a="),
        ({"a": "rsa-md5"}, "a= is no algorithm that we know"),
        ({"b": ""}, "no b="),
        ({"b": "é"}, "b= is not base64"),
        ({"bh": "a"}, "bh= is not base64"),
        ({"c": "strict"}, "c= is no canonicalisation that we know"),
        ({"c": "simple/simple/simple"}, "c= is no canonicalisation that we know"),
        ({"d": "org"}, "d= is no domain name"),
        ({"d": "a b.org"}, "d= is no domain name"),
        ({"s": "a..b"}, "s= is no domain name"),
        ({"s": "a\0b"}, "a control character between the tags"),
        ({"d": "example.org\0.evil.test"}, "a control character between the tags"),
        ({"h": "to:subject"}, "From is not signed"),
        ({"h": "from:a b"}, "h= has something that is no field name"),
        ({"h": "from:"}, "h= has something that is no field name"),
        ({"i": "example.org"}, "i= has no @"),
        ({"i": "@example.com"}, "i= is outside of d="),
        ({"i": "@evilexample.org"}, "i= is outside of d="),
        ({"l": "-1"}, "l= is no number of at most 76 digits"),
        ({"t": "1 2345"}, "t= is no number of at most 12 digits"),
        ({"t": "5", "x": "5"}, "x= is not behind t="),
        ({"q": "http"}, "q= has no way to the key that we know"),
    ],
)
def test_what_cannot_be_used(changes: dict[str, str | None], reason: str) -> None:
    with pytest.raises(Refused) as caught:
        parse(changes)
    assert (caught.value.result, caught.value.reason) == (Result.PERMERROR, reason)


def test_rsa_sha1_is_refused_by_policy() -> None:
    with pytest.raises(Refused) as caught:
        parse({"a": "rsa-sha1"})
    assert caught.value.result is Result.POLICY
    assert "rsa-sha1" in caught.value.reason


@given(st.binary(max_size=300) | st.text("vabhds=;: \r\n\t1@.", max_size=80).map(str.encode))
def test_nothing_but_refused_is_raised(data: bytes) -> None:
    try:
        parse_signature(data, read_tags(data))
    except Refused:
        return
