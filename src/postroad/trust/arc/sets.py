"""The ARC sets of a header, and whether they are built as they have to be (RFC 8617 §4)."""

import re

from msgspec import Struct

from postroad.message.header import Header
from postroad.trust.dkim.result import Refused, Result
from postroad.trust.dkim.signature import Algorithm, algorithm, read_tags, unsigned_field
from postroad.trust.dkim.tags import TagList, base64, domain, number

MAX_SETS = 50  # RFC 8617 §5.1.1.1

RESULTS = "arc-authentication-results"
MESSAGE_SIGNATURE = "arc-message-signature"
SEAL = "arc-seal"
FIELDS = (RESULTS, MESSAGE_SIGNATURE, SEAL)

_RESULTS_INSTANCE = re.compile(rb"[^:]*:[ \t\r\n]*i[ \t\r\n]*=[ \t\r\n]*([0-9]{1,2})[ \t\r\n]*;")


class Seal(Struct, frozen=True):
    """An ARC-Seal (RFC 8617 §4.1.3). `status` is its cv=."""

    algorithm: Algorithm
    signature: bytes
    domain: str
    selector: str
    status: str
    unsigned_field: bytes


class ArcSet(Struct, frozen=True):
    """The raw fields of one instance, and its seal."""

    results: bytes
    message_signature: bytes
    message_tags: TagList
    raw_seal: bytes
    seal: Seal


def highest_instance(header: Header) -> int:
    """Return the highest instance that any ARC field names, as well as it can be read."""
    highest = 0
    for field in header.fields:
        if field.name.lower() in FIELDS:
            try:
                highest = max(highest, _instance(field.name.lower(), field.raw)[0])
            except Refused:
                continue
    return highest


def read_sets(header: Header) -> list[ArcSet]:
    """Return the sets from the first instance to the newest, none where there are none.

    Raises `Refused` where the chain is broken (RFC 8617 §5.2, steps 2 and 3).
    """
    found: dict[str, dict[int, tuple[bytes, TagList | None]]] = {name: {} for name in FIELDS}
    for field in header.fields:
        name = field.name.lower()
        if name in found:
            instance, tags = _instance(name, field.raw)
            if instance in found[name]:
                raise Refused(Result.FAIL, f"two fields {field.name} i={instance}")
            found[name][instance] = (field.raw, tags)
    count = max(len(fields) for fields in found.values())
    for name, fields in found.items():
        if fields.keys() != set(range(1, count + 1)):
            raise Refused(Result.FAIL, f"{name} is not there for each instance to {count}")
    return [_read_set(found, instance) for instance in range(1, count + 1)]


def _instance(name: str, raw: bytes) -> tuple[int, TagList | None]:
    tags = None
    if name == RESULTS:
        match = _RESULTS_INSTANCE.match(raw)
        instance = int(match[1]) if match else None
    else:
        tags = read_tags(raw)
        instance = number(tags, "i", 2)
    if instance is None or not 1 <= instance <= MAX_SETS:
        raise Refused(Result.FAIL, f"{name} has no i= from 1 to {MAX_SETS}")
    return instance, tags


def _read_set(found: dict[str, dict[int, tuple[bytes, TagList | None]]], instance: int) -> ArcSet:
    message_signature, message_tags = found[MESSAGE_SIGNATURE][instance]
    raw_seal, tags = found[SEAL][instance]
    assert message_tags is not None
    assert tags is not None
    return ArcSet(
        found[RESULTS][instance][0],
        message_signature,
        message_tags,
        raw_seal,
        _read_seal(raw_seal, tags, instance),
    )


def _read_seal(raw: bytes, tags: TagList, instance: int) -> Seal:
    status = tags.need("cv").decode("ascii", "replace")
    if status not in ("none", "pass", "fail"):
        raise Refused(Result.FAIL, f"ARC-Seal i={instance} has no cv= that we know")
    if "h" in tags.values:
        raise Refused(Result.FAIL, f"ARC-Seal i={instance} has an h=")
    number(tags, "t", 12)
    return Seal(
        algorithm=algorithm(tags),
        signature=base64(tags, "b"),
        domain=domain(tags.need("d"), "d", 2),
        selector=domain(tags.need("s"), "s"),
        status=status,
        unsigned_field=unsigned_field(raw, tags),
    )
