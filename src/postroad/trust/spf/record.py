"""Reading an SPF record (RFC 7208 §4.6.1, §12): the whole of it, before any of it is used.

A record that breaks the grammar anywhere is refused whole, with the term and what is wrong with it.
Records that were read are kept, so that a busy sender's record is read once.
"""

import re
from enum import Enum
from functools import lru_cache
from ipaddress import AddressValueError, IPv4Address, IPv6Address

from msgspec import Struct

from postroad.trust.spf.macro import (
    InvalidMacro,
    MacroString,
    read_domain_spec,
    read_macro_string,
)
from postroad.trust.spf.result import SpfResult

MAX_RECORD_OCTETS = 16_384
MAX_TERM_OCTETS = 512
_CACHED_RECORDS = 2048

_MODIFIER = re.compile(r"([A-Za-z][A-Za-z0-9_.\-]*)=(.*)")
_MECHANISM = re.compile(r"([+\-?~]?)([A-Za-z][A-Za-z0-9_.\-]*)(.*)")
_TARGET_AND_PREFIXES = re.compile(r"(?::(.*?))?(?:/([0-9]+))?(?://([0-9]+))?")
_NETWORK = re.compile(r":([0-9A-Fa-f:.]+)(?:/([0-9]+))?")
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")

QUALIFIERS = {
    "": SpfResult.PASS,
    "+": SpfResult.PASS,
    "-": SpfResult.FAIL,
    "~": SpfResult.SOFTFAIL,
    "?": SpfResult.NEUTRAL,
}


class InvalidRecord(ValueError):
    """The record breaks the grammar; the message names the term and says what is wrong with it."""


class Kind(Enum):
    """The mechanisms of RFC 7208 §5."""

    ALL = "all"
    INCLUDE = "include"
    A = "a"
    MX = "mx"
    PTR = "ptr"
    IP4 = "ip4"
    IP6 = "ip6"
    EXISTS = "exists"


_KINDS = {kind.value: kind for kind in Kind}
_NEEDS_TARGET = (Kind.INCLUDE, Kind.EXISTS)


class Mechanism(Struct, frozen=True):
    """A mechanism. `target` None is the domain of the record. `shift4` and `shift6` are how many bits of
    an address do not count; `network` is that of ip4 and ip6, already shifted.
    """

    kind: Kind
    result: SpfResult
    text: str
    target: MacroString | None = None
    shift4: int = 0
    shift6: int = 0
    network: int = 0


class SpfRecord(Struct, frozen=True):
    """A record that keeps to the grammar. Modifiers that RFC 7208 does not know are left out."""

    text: str
    mechanisms: tuple[Mechanism, ...]
    redirect: MacroString | None = None
    explanation: MacroString | None = None


def is_spf(text: str) -> bool:
    """Whether a TXT record says that it is one of SPF (RFC 7208 §4.5)."""
    return text[:6].lower() == "v=spf1" and (len(text) == 6 or text[6] == " ")


def read_record(text: str) -> SpfRecord:
    """Read a record that `is_spf`. Raises `InvalidRecord`."""
    # Long ones are refused before they could fill the cache.
    if len(text) > MAX_RECORD_OCTETS:
        raise InvalidRecord(f"the record is longer than {MAX_RECORD_OCTETS} octets")
    outcome = _read(text)
    if isinstance(outcome, str):
        raise InvalidRecord(outcome)
    return outcome


@lru_cache(maxsize=_CACHED_RECORDS)
def _read(text: str) -> SpfRecord | str:
    """Return the record, or what is wrong with it: errors are cached as well."""
    if not text.isascii():
        return "the record holds a character that is not ASCII"
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, MacroString] = {}
    for term in text[6:].split(" "):
        if not term:
            continue
        try:
            if len(term) > MAX_TERM_OCTETS:
                raise InvalidMacro(f"longer than {MAX_TERM_OCTETS} octets")
            modifier = _MODIFIER.fullmatch(term)
            if modifier is None:
                mechanisms.append(_mechanism(term))
            else:
                _modifier(modifier[1].lower(), modifier[2], modifiers)
        except (InvalidMacro, AddressValueError) as error:
            return f"{term[:80]!r}: {error}"
    return SpfRecord(text, tuple(mechanisms), modifiers.get("redirect"), modifiers.get("exp"))


def _modifier(name: str, value: str, modifiers: dict[str, MacroString]) -> None:
    """RFC 7208 §6: redirect and exp once each; others are only checked for their grammar."""
    if name not in ("redirect", "exp"):
        read_macro_string(value)
        return
    if name in modifiers:
        raise InvalidMacro(f"{name}= is there twice")
    modifiers[name] = read_domain_spec(value)


def _mechanism(term: str) -> Mechanism:
    match = _MECHANISM.fullmatch(term)
    if match is None:
        raise InvalidMacro("neither a mechanism nor a modifier")
    result = QUALIFIERS[match[1]]
    kind = _KINDS.get(match[2].lower())
    rest = match[3]
    if kind is None:
        raise InvalidMacro(f"there is no mechanism {match[2]!r}")
    if kind is Kind.ALL:
        if rest:
            raise InvalidMacro("all takes nothing behind it")
        return Mechanism(kind, result, term)
    if kind is Kind.IP4 or kind is Kind.IP6:
        return _ip(kind, result, term, rest)
    target: str | None
    if kind is Kind.A or kind is Kind.MX:
        parts = _TARGET_AND_PREFIXES.fullmatch(rest)
        if parts is None:
            raise InvalidMacro(f"{rest!r} is neither a domain nor a prefix length")
        target = parts[1]
        shift4 = 32 - _prefix(parts[2], 32)
        shift6 = 128 - _prefix(parts[3], 128)
    else:
        if rest and not rest.startswith(":"):
            raise InvalidMacro(f"{rest!r} is no domain")
        target = rest[1:] if rest else None
        shift4 = shift6 = 0
        if target is None and kind in _NEEDS_TARGET:
            raise InvalidMacro("the domain is missing")
    spec = None if target is None else read_domain_spec(target)
    return Mechanism(kind, result, term, spec, shift4, shift6)


def _ip(kind: Kind, result: SpfResult, term: str, rest: str) -> Mechanism:
    """RFC 7208 §5.6."""
    match = _NETWORK.fullmatch(rest)
    if match is None:
        raise InvalidMacro(f"{rest!r} is no network")
    if kind is Kind.IP4:
        shift = 32 - _prefix(match[2], 32)
        network = int(IPv4Address(match[1]))
        return Mechanism(kind, result, term, None, shift, 0, network >> shift)
    shift = 128 - _prefix(match[2], 128)
    network = int(IPv6Address(match[1]))
    return Mechanism(kind, result, term, None, 0, shift, network >> shift)


def _prefix(digits: str | None, width: int) -> int:
    if digits is None:
        return width
    if not _PREFIX.fullmatch(digits) or int(digits) > width:
        raise InvalidMacro(f"/{digits[:8]} is no prefix length of at most {width}")
    return int(digits)
