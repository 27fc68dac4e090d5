"""Reading a DMARC policy record (RFC 9989 §4.7, §4.8; RFC 7489 §6.3).

Reading is tolerant, as both RFCs ask: tags that are unknown or wrong count as absent. What was wrong is
told in `problems`, so that who publishes the record can be told; a record without problems is strictly
right.
"""

import re
from enum import Enum
from functools import lru_cache

from msgspec import Struct

MAX_RECORD_OCTETS = 8_192
MAX_URIS = 20
_CACHED_RECORDS = 2048

# RFC 9989 §4.8: dmarc-version, case-sensitive in its value; white space around = and ;.
_VERSION = re.compile(r"[vV][ \t]*=[ \t]*DMARC1[ \t]*(?:;|\Z)")
_TAG = re.compile(r"([A-Za-z]+)[ \t]*=[ \t]*([ -:<-~]+)")
# RFC 3986 §3, without comma, semicolon and exclamation mark, which RFC 9989 §4.8 has encoded.
_URI = re.compile(
    r"([A-Za-z][A-Za-z0-9+.\-]*:[A-Za-z0-9\-._~:/?#\[\]@$&'()*+=%]+)(?:!([0-9]+)([kmgtKMGT]?))?"
)
_SCALES = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


class Policy(Enum):
    """What the owner of a domain asks for, from mild to strict."""

    NONE = "none"
    QUARANTINE = "quarantine"
    REJECT = "reject"

    @property
    def strictness(self) -> int:
        """Orders policies: the higher, the stricter."""
        return _STRICTNESS[self]

    @property
    def lower(self) -> "Policy":
        """One level milder (RFC 9989 §4.7, tag t; RFC 7489 §6.6.4)."""
        return Policy.QUARANTINE if self is Policy.REJECT else Policy.NONE


_STRICTNESS = {Policy.NONE: 0, Policy.QUARANTINE: 1, Policy.REJECT: 2}


class PublicSuffix(Enum):
    """The psd tag: is the domain a public suffix (RFC 9989 §4.7)?"""

    YES = "y"
    NO = "n"
    UNKNOWN = "u"


class ReportUri(Struct, frozen=True):
    """Where reports go. `max_octets` is the obsolete limit behind ``!``, which RFC 9989 §4.8 ignores."""

    uri: str
    max_octets: int | None = None


class DmarcRecord(Struct, frozen=True):
    """A record. Policies are as published; None is an absent tag.

    `usable` is False where it asks for nothing: a policy is wrong or missing and nobody wants reports
    (RFC 9989 §4.10.1). Then only `psd` counts.
    """

    text: str
    p: Policy = Policy.NONE
    sp: Policy | None = None
    np: Policy | None = None
    strict_dkim: bool = False
    strict_spf: bool = False
    psd: PublicSuffix = PublicSuffix.UNKNOWN
    testing: bool = False
    pct: int = 100
    failure_options: frozenset[str] = frozenset("0")
    rua: tuple[ReportUri, ...] = ()
    ruf: tuple[ReportUri, ...] = ()
    usable: bool = True
    problems: tuple[str, ...] = ()


def is_dmarc(text: str) -> bool:
    """Whether a TXT record says that it is one of DMARC: its first tag is ``v=DMARC1``."""
    return _VERSION.match(text) is not None


def read_dmarc_record(text: str) -> DmarcRecord | None:
    """Read a record; None where it is none of DMARC or beyond all bounds. Never raises."""
    if len(text) > MAX_RECORD_OCTETS or not is_dmarc(text):
        return None
    return _read(text)


@lru_cache(maxsize=_CACHED_RECORDS)
def _read(text: str) -> DmarcRecord:
    problems: list[str] = []
    tags = _split(text, problems)
    p = _policy("p", tags, problems)
    sp = _policy("sp", tags, problems)
    np = _policy("np", tags, problems)
    rua = _uris("rua", tags, problems)
    ruf = _uris("ruf", tags, problems)
    usable = True
    if p is None or (sp is None and "sp" in tags) or (np is None and "np" in tags):
        # RFC 9989 §4.10.1, RFC 7489 §6.6.3: who wants reports gets them, and asks for nothing else.
        if "p" not in tags:
            problems.append("the tag p is missing")
        usable = bool(rua)
        p, sp, np = Policy.NONE, None, None
    return DmarcRecord(
        text=text,
        p=p,
        sp=sp,
        np=np,
        strict_dkim=_choice("adkim", "rs", tags, problems, "r") == "s",
        strict_spf=_choice("aspf", "rs", tags, problems, "r") == "s",
        psd=PublicSuffix(_choice("psd", "ynu", tags, problems, "u")),
        testing=_choice("t", "yn", tags, problems, "n") == "y",
        pct=_percent(tags, problems),
        failure_options=_failure_options(tags, problems),
        rua=rua,
        ruf=ruf,
        usable=usable,
        problems=tuple(problems),
    )


def _split(text: str, problems: list[str]) -> dict[str, str]:
    tags: dict[str, str] = {}
    pieces = text.split(";")
    if not pieces[-1].strip(" \t"):
        pieces.pop()
    for piece in pieces:
        match = _TAG.fullmatch(piece.strip(" \t"))
        if match is None:
            problems.append(f"{piece.strip()[:40]!r} is no tag with a value")
            continue
        name = match[1].lower()
        if name in tags:
            # RFC 6376 §3.2 calls such a list invalid; RFC 9989 §4.8 has errors ignored one by one.
            problems.append(f"the tag {name} is there twice; the first counts")
        else:
            tags[name] = match[2].rstrip(" \t")
    return tags


def _policy(name: str, tags: dict[str, str], problems: list[str]) -> Policy | None:
    value = tags.get(name)
    if value is None:
        return None
    try:
        return Policy(value.lower())
    except ValueError:
        problems.append(f"{name}={value[:40]} is none of none, quarantine, reject")
        return None


def _choice(
    name: str, allowed: str, tags: dict[str, str], problems: list[str], default: str
) -> str:
    value = tags.get(name, default).lower()
    if len(value) == 1 and value in allowed:
        return value
    problems.append(f"{name}={value[:40]} is none of {', '.join(allowed)}")
    return default


def _percent(tags: dict[str, str], problems: list[str]) -> int:
    """RFC 7489 §6.3; RFC 9989 has dropped the tag."""
    value = tags.get("pct", "100")
    if value.isascii() and value.isdigit() and len(value) <= 3 and int(value) <= 100:
        return int(value)
    problems.append(f"pct={value[:40]} is no number from 0 to 100")
    return 100


def _failure_options(tags: dict[str, str], problems: list[str]) -> frozenset[str]:
    value = tags.get("fo", "0").lower()
    options = [option.strip(" \t") for option in value.split(":")]
    known = frozenset(options) & frozenset("01ds")
    if len(known) != len(options):
        problems.append(f"fo={value[:40]} is no list of 0, 1, d, s, each once")
    return known or frozenset("0")


def _uris(name: str, tags: dict[str, str], problems: list[str]) -> tuple[ReportUri, ...]:
    value = tags.get(name)
    if value is None:
        return ()
    uris: list[ReportUri] = []
    pieces = value.split(",")
    if len(pieces) > MAX_URIS:
        problems.append(f"{name} has more than {MAX_URIS} addresses; the rest is ignored")
    for piece in pieces[:MAX_URIS]:
        match = _URI.fullmatch(piece.strip(" \t"))
        if match is None:
            problems.append(f"{name}: {piece.strip()[:80]!r} is no URI; an address needs mailto:")
            continue
        limit = int(match[2][:15]) * _SCALES[match[3].lower()] if match[2] else None
        uris.append(ReportUri(match[1], limit))
    return tuple(uris)
