"""Signatures as they are written in a header: DKIM-Signature, and ARC-Message-Signature, its like."""

import re
from enum import Enum

from msgspec import Struct

from postroad.trust.dkim.canonical import BodyKind, Form
from postroad.trust.dkim.result import Refused, Result
from postroad.trust.dkim.tags import TagList, base64, domain, number, words

_FIELD_NAME = re.compile(r"[!-9<-~]+\Z")


class Algorithm(Enum):
    """How is signed (RFC 6376 §3.3, RFC 8463 §3)."""

    RSA_SHA256 = "rsa-sha256"
    ED25519_SHA256 = "ed25519-sha256"


class Signature(Struct, frozen=True):
    """One signature. Times are in seconds since 1970.

    `signed` are the names of the signed fields (h=), in lower case; `unsigned_field` is the raw field
    with an empty b= and without its line end.
    """

    algorithm: Algorithm
    signature: bytes
    body_hash: bytes
    header_form: Form
    body_kind: BodyKind
    domain: str
    selector: str
    signed: tuple[str, ...]
    identity: str
    time: int | None
    expires: int | None
    unsigned_field: bytes


def read_tags(raw: bytes) -> TagList:
    """Read the tags of a raw header field. Raises `Refused`."""
    return TagList.parse(raw.partition(b":")[2])


def unsigned_field(raw: bytes, tags: TagList) -> bytes:
    """Return the raw field as it was signed: b= is empty, the line end is gone (RFC 6376 §3.7)."""
    return raw.partition(b":")[0] + b":" + tags.without("b")


def algorithm(tags: TagList) -> Algorithm:
    """Read a=. Raises `Refused`: rsa-sha1 is no longer acceptable (RFC 8301 §3.1)."""
    text = tags.need("a").decode("ascii", "replace")
    try:
        return Algorithm(text)
    except ValueError:
        pass
    if text == "rsa-sha1":
        raise Refused(Result.POLICY, "rsa-sha1 is obsolete and proves nothing")
    raise Refused(Result.PERMERROR, "a= is no algorithm that we know")


def parse_signature(raw: bytes, tags: TagList, *, arc: bool = False) -> Signature:
    """Read a raw DKIM-Signature field (RFC 6376 §3.5), or an ARC-Message-Signature.

    Raises `Refused`.
    """
    values = tags.values
    if not arc and tags.need("v") != b"1":
        raise Refused(Result.PERMERROR, "v= is not 1")
    header_form, body_form = _forms(values.get("c", b"simple/simple"))
    length = number(tags, "l", 76)
    signing_domain = domain(tags.need("d"), "d", 2)
    time, expires = number(tags, "t", 12), number(tags, "x", 12)
    if time is not None and expires is not None and expires <= time:
        raise Refused(Result.PERMERROR, "x= is not behind t=")
    if "dns/txt" not in words(values.get("q", b"dns/txt")):
        raise Refused(Result.PERMERROR, "q= has no way to the key that we know")
    return Signature(
        algorithm=algorithm(tags),
        signature=base64(tags, "b"),
        body_hash=base64(tags, "bh"),
        header_form=header_form,
        body_kind=BodyKind(body_form, length),
        domain=signing_domain,
        selector=domain(tags.need("s"), "s"),
        signed=_signed(tags.need("h"), arc),
        identity=f"@{signing_domain}" if arc else _identity(values.get("i"), signing_domain),
        time=time,
        expires=expires,
        unsigned_field=unsigned_field(raw, tags),
    )


def _forms(value: bytes) -> tuple[Form, Form]:
    header, _, body = value.decode("ascii", "replace").partition("/")
    try:
        return Form(header), Form(body or "simple")
    except ValueError:
        raise Refused(Result.PERMERROR, "c= is no canonicalisation that we know") from None


def _signed(value: bytes, arc: bool) -> tuple[str, ...]:
    names = words(value)
    if not all(_FIELD_NAME.match(name) for name in names):
        raise Refused(Result.PERMERROR, "h= has something that is no field name")
    if "from" not in names and not arc:
        raise Refused(Result.PERMERROR, "From is not signed")
    if arc and "arc-seal" in names:
        raise Refused(Result.PERMERROR, "ARC-Seal is signed by an ARC-Message-Signature")
    return names


def _identity(value: bytes | None, signing_domain: str) -> str:
    if value is None:
        return f"@{signing_domain}"
    local, at, rest = value.rpartition(b"@")
    if not at:
        raise Refused(Result.PERMERROR, "i= has no @")
    name = domain(rest, "i", 2)
    if name != signing_domain and not name.endswith(f".{signing_domain}"):
        raise Refused(Result.PERMERROR, "i= is outside of d=")
    return f"{local.decode('utf-8', 'replace')}@{name}"
