"""Verifying the signatures of one message while it arrives (RFC 6376 §6).

The header tells which body hashes are wanted; the body is hashed as it comes; at the end each signature
gets its result. Nothing here raises for what a message or the DNS says.
"""

import hashlib
from binascii import b2a_base64
from hmac import compare_digest

from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.ports.resolver import Resolver
from postroad.trust.dkim.canonical import BodyHasher
from postroad.trust.dkim.record import KeyRecord, find_key, key_name, verifies
from postroad.trust.dkim.result import Checked, Refused, Result
from postroad.trust.dkim.selection import Selection, hash_own_field
from postroad.trust.dkim.signature import Signature, parse_signature, read_tags
from postroad.trust.dkim.tags import TagList


class VerifySettings(Struct, frozen=True):
    """Bounds. Signatures beyond the first `max_signatures` are not looked at."""

    max_signatures: int = 8
    clock_skew_seconds: int = 300


DEFAULT_SETTINGS = VerifySettings()


class Verification:
    """The signatures of one message, topmost first. Feed it the body, then ask for the results."""

    def __init__(self, header: Header, settings: VerifySettings = DEFAULT_SETTINGS) -> None:
        self._settings = settings
        fields = [field for field in header.fields if field.name.lower() == "dkim-signature"]
        self.found = len(fields)
        self._readings = [_read(field.raw) for field in fields[: settings.max_signatures]]
        signatures = [each for each in self._readings if isinstance(each, Signature)]
        self._selection = Selection(header) if signatures else None
        self._hasher = BodyHasher({each.body_kind for each in signatures})

    @property
    def wants_body(self) -> bool:
        """Whether any signature can be read; if not, the body need not be fed."""
        return self._selection is not None

    def key_names(self) -> tuple[str, ...]:
        """Return the names that `results` will look up, so that they can be asked together."""
        names: dict[str, None] = {}
        for each in self._readings:
            if isinstance(each, Signature):
                try:
                    names[key_name(each.selector, each.domain)] = None
                except Refused:
                    continue
        return tuple(names)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next part of the body (what is behind the blank line)."""
        self._hasher.write(chunk)

    async def results(self, resolver: Resolver, now: float) -> tuple[Checked, ...]:
        """End the body; return a result for each signature. `now` is in seconds since 1970."""
        results = []
        for each in self._readings:
            if isinstance(each, Checked):
                results.append(each)
            else:
                results.append(await self._check(each, resolver, now))
        return tuple(results)

    async def _check(self, signature: Signature, resolver: Resolver, now: float) -> Checked:
        record = None
        try:
            self._check_time(signature, now)
            self._check_body(signature)
            record = await find_key(signature.selector, signature.domain, resolver)
            self._check_header(signature, record)
            result, reason = self._judge_length(signature)
        except Refused as refused:
            result, reason = refused.result, refused.reason
        if record is not None and record.testing:
            reason = f"{reason} (the domain is only testing)"
        return Checked(
            result=result,
            reason=reason,
            domain=signature.domain,
            selector=signature.selector,
            identity=signature.identity,
            algorithm=signature.algorithm.value,
            key_bits=0 if record is None else record.bits,
            testing=record is not None and record.testing,
            start=b2a_base64(signature.signature[:6], newline=False).decode("ascii"),
        )

    def _check_time(self, signature: Signature, now: float) -> None:
        if signature.expires is not None and signature.expires < now:
            raise Refused(Result.FAIL, "the signature has expired")
        if signature.time is not None and signature.time > now + self._settings.clock_skew_seconds:
            raise Refused(Result.POLICY, "the signature is from the future")

    def _check_body(self, signature: Signature) -> None:
        kind = signature.body_kind
        if kind.length is not None and kind.length > self._hasher.length(kind.form):
            raise Refused(Result.PERMERROR, "l= is more than there is of the body")
        if not compare_digest(self._hasher.digest(kind), signature.body_hash):
            raise Refused(Result.FAIL, "the body was changed: its hash differs")

    def _check_header(self, signature: Signature, record: KeyRecord) -> None:
        check_key(signature, record)
        if self._selection is None:
            raise Refused(Result.NEUTRAL, "no signature can be read")
        froms = self._selection.count("from")
        if not froms:
            raise Refused(Result.PERMERROR, "there is no From")
        if froms > signature.signed.count("from"):
            raise Refused(Result.POLICY, "there is a From that is not signed")
        hashed = hashlib.sha256(self._selection.octets(signature.signed, signature.header_form))
        digest = hash_own_field(hashed, signature.unsigned_field, signature.header_form)
        if not verifies(record, signature.signature, digest):
            raise Refused(Result.FAIL, "the header was changed: the signature does not verify")

    def _judge_length(self, signature: Signature) -> tuple[Result, str]:
        """What l= leaves out anybody may have added (RFC 6376 §8.2)."""
        kind = signature.body_kind
        if kind.length is not None and kind.length < self._hasher.length(kind.form):
            rest = self._hasher.length(kind.form) - kind.length
            return Result.POLICY, f"the last {rest} octets of the body are not signed (l=)"
        return Result.PASS, "the signature verifies"


async def verify(
    message: bytes, resolver: Resolver, now: float, settings: VerifySettings = DEFAULT_SETTINGS
) -> tuple[Checked, ...]:
    """Verify the signatures of a whole message."""
    end = header_end(message)
    verification = Verification(Header.parse(message), settings)
    if end >= 0:
        verification.write(memoryview(message)[end:])
    return await verification.results(resolver, now)


def check_key(signature: Signature, record: KeyRecord) -> None:
    """Whether a key is one for that signature (RFC 6376 §6.1.2). Raises `Refused`."""
    if record.algorithm is not signature.algorithm:
        raise Refused(Result.PERMERROR, f"the key is not for {signature.algorithm.value}")
    if record.strict and signature.identity.rpartition("@")[2] != signature.domain:
        raise Refused(Result.PERMERROR, "the key does not allow i= in a subdomain of d=")


def _read(raw: bytes) -> Signature | Checked:
    tags = None
    try:
        tags = read_tags(raw)
        return parse_signature(raw, tags)
    except Refused as refused:
        return Checked(
            refused.result,
            refused.reason,
            domain=_shown(tags, "d"),
            selector=_shown(tags, "s"),
            algorithm=_shown(tags, "a"),
        )


def _shown(tags: TagList | None, name: str) -> str:
    """A value of a signature that cannot be used, if it is harmless to show."""
    text = tags.values.get(name, b"").decode("ascii", "replace") if tags else ""
    return text if text.isascii() and text.replace(".", "").replace("-", "").isalnum() else ""
