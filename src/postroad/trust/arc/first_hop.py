"""What the first who sealed a message saw of DMARC (RFC 8617 §7.2.1, RFC 8601 §2.2).

It is only of worth where the chain passes and all its sealers are believed. Whatever is unclear is told
as no pass.
"""

import re

from msgspec import Struct

from postroad.message.header import Header
from postroad.model import InvalidAddress, parse_domain
from postroad.trust.arc.sets import read_sets
from postroad.trust.dkim.result import Refused

_WORDS = re.compile(rb'("(?:[^"\\]|\\.)*+")|\((?:[^()\\]|\\.)*+\)|([^"()]+)', re.DOTALL)
_S = rb"[ \t\r\n]"
_DMARC = re.compile(rb"%b*dmarc(?![A-Za-z0-9-])" % _S, re.IGNORECASE)
_RESULT = re.compile(
    rb"%b*dmarc%b*(?:/%b*[0-9]+%b*)?=%b*([A-Za-z0-9-]++)(?=%b|\Z)" % (_S, _S, _S, _S, _S, _S),
    re.IGNORECASE,
)
_PROPERTY = re.compile(
    rb"%b+([A-Za-z0-9-]++(?:%b*\.%b*[A-Za-z0-9-]++)?)%b*=%b*"
    rb'("(?:[^"\\]|\\.)*+"|[^ \t\r\n";]++)' % (_S, _S, _S, _S, _S),
    re.DOTALL,
)


class SeenDmarc(Struct, frozen=True):
    """One result: for which domain of the author (A-labels; ``""``: it cannot be read), and whether it
    passed.
    """

    domain: str
    passed: bool


def first_hop_dmarc(header: Header) -> tuple[SeenDmarc, ...]:
    """Return the results of DMARC in the first set, none where there are none to be read."""
    try:
        sets = read_sets(header)
    except Refused:
        return ()
    if not sets:
        return ()
    pieces = _pieces(sets[0].results)
    # Before the results stand the instance and the name of who found them.
    return tuple(_seen(piece) for piece in pieces[2:] if _DMARC.match(piece))


def _pieces(raw: bytes) -> list[bytes]:
    """Cut at each ``;`` that is not quoted, without comments; nothing where one has no end."""
    pieces = [b""]
    at = 0
    while at < len(raw):
        match = _WORDS.match(raw, at)
        if match is None:
            return []  # comments within comments, or what has no end: who knows
        at = match.end()
        quoted, plain = match.groups()
        if plain is not None:
            first, *others = plain.split(b";")
            pieces[-1] += first
            pieces += others
        else:
            pieces[-1] += quoted or b" "
    return pieces


def _seen(piece: bytes) -> SeenDmarc:
    result = _RESULT.match(piece)
    if result is None:
        return SeenDmarc("", False)
    domains = []
    at = result.end()
    while (match := _PROPERTY.match(piece, at)) is not None:
        at = match.end()
        if re.sub(_S, b"", match[1]).lower() == b"header.from":
            domains.append(match[2].strip(b'"'))
    if piece[at:].strip(b" \t\r\n") or len(domains) != 1:
        return SeenDmarc("", False)
    try:
        domain = parse_domain(domains[0].decode().removesuffix("."))
    except (InvalidAddress, UnicodeDecodeError):
        return SeenDmarc("", False)
    return SeenDmarc(domain, result[1].lower() == b"pass")
