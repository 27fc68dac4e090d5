"""SPF macros (RFC 7208 §7): reading macro-strings and filling them in.

Reading is done once per record; a macro-string is a tuple of literal pieces and macros. Filling in takes
plain values: the caller finds out the validated name of the client (``%{p}``) before, where one is used.
"""

import re
from urllib.parse import quote

from msgspec import Struct

MAX_DOMAIN_OCTETS = 253  # RFC 7208 §7.3

_PIECE = re.compile(r"%(?:\{([a-zA-Z])([0-9]*)([rR]?)([.\-+,/_=]*)\}|([%_\-]))|([^%]+)")
_ESCAPES = {"%": "%", "_": " ", "-": "%20"}
_LETTERS = "slodiphv"
_LETTERS_OF_EXPLANATIONS = "crt"
# RFC 7208 §7.1: a domain-spec ends in a macro or in a top label, which is not all digits.
_TOP_LABEL = re.compile(r"[0-9A-Za-z]+(?:-+[0-9A-Za-z]+)*")
_NOT_LITERAL = re.compile(r"[^!-~]")
_NOT_PRINTABLE = re.compile(r"[^ -~]")


class InvalidMacro(ValueError):
    """The text is no macro-string; the message says why, in an operator's words."""


class Macro(Struct, frozen=True):
    """``%{letter digits r delimiters}``. `count` is how many parts at the right to keep, 0 all."""

    letter: str
    count: int
    reverse: bool
    delimiters: str
    escape: bool


class MacroString(Struct, frozen=True):
    """A macro-string that was read; `letters` are those of its macros, in lower case.

    `tail` is the literal text at its end, empty where it ends in a macro or an escape.
    """

    text: str
    pieces: tuple[str | Macro, ...]
    letters: frozenset[str]
    tail: str


class MacroValues(Struct, frozen=True):
    """What the macro letters stand for (RFC 7208 §7.2).

    `dotted` is the client's address in the form that is asked for in the DNS, `readable` as people write
    it. `validated` is the client's validated name, ``"unknown"`` where there is none.
    """

    sender: str
    local_part: str
    sender_domain: str
    domain: str
    dotted: str
    readable: str
    family: str
    helo: str
    validated: str = "unknown"
    receiver: str = "unknown"
    at: int = 0


def read_macro_string(text: str, *, explanation: bool = False) -> MacroString:
    """Read a macro-string (RFC 7208 §7.1), with `explanation` one that may hold spaces and c, r, t.

    Raises `InvalidMacro`.
    """
    pieces: list[str | Macro] = []
    letters = set()
    literal = ""
    at = 0
    while at < len(text):
        match = _PIECE.match(text, at)
        if match is None:
            raise InvalidMacro(f"{text[at : at + 12]!r} is no macro: a lone % is written %%")
        at = match.end()
        letter, digits, reverse, delimiters, escape, literal = match.groups()
        if literal:
            _check_literal(literal, explanation)
            pieces.append(literal)
        elif escape is not None:
            pieces.append(_ESCAPES[escape])
        else:
            lower = letter.lower()
            if lower not in _LETTERS and not (explanation and lower in _LETTERS_OF_EXPLANATIONS):
                where = "" if lower not in _LETTERS_OF_EXPLANATIONS else " outside of explanations"
                raise InvalidMacro(f"there is no macro letter {letter!r}{where}")
            letters.add(lower)
            pieces.append(
                Macro(lower, _count(digits), bool(reverse), delimiters or ".", letter != lower)
            )
    return MacroString(text, tuple(pieces), frozenset(letters), literal or "")


def read_domain_spec(text: str) -> MacroString:
    """Read a domain-spec (RFC 7208 §7.1): a macro-string that ends in a macro or a top label.

    Raises `InvalidMacro`.
    """
    if not text:
        raise InvalidMacro("the domain is missing")
    spec = read_macro_string(text)
    if not spec.tail:
        return spec
    before, dot, top = spec.tail.removesuffix(".").rpartition(".")
    if not dot:
        raise InvalidMacro(f"{text!r} is no domain of two labels or more")
    if top.isdigit():
        hint = "; an address is matched by ip4:" if before.replace(".", "").isdigit() else ""
        raise InvalidMacro(f"{text!r} ends in a label of digits{hint}")
    if not _TOP_LABEL.fullmatch(top):
        raise InvalidMacro(f"{top!r} cannot be the last label of a domain")
    return spec


def expand(string: MacroString, values: MacroValues) -> str:
    """Fill in the macros (RFC 7208 §7.3)."""
    return "".join(
        piece if isinstance(piece, str) else _expand_one(piece, values) for piece in string.pieces
    )


def expand_domain(string: MacroString, values: MacroValues) -> str:
    """Fill in the macros of a domain-spec; what is too long loses labels at the left (RFC 7208 §7.3)."""
    domain = expand(string, values).removesuffix(".")
    if len(domain) > MAX_DOMAIN_OCTETS:
        dot = domain.find(".", len(domain) - MAX_DOMAIN_OCTETS - 1)
        domain = domain[dot + 1 :] if dot >= 0 else ""
    return domain


def _check_literal(literal: str, explanation: bool) -> None:
    wrong = (_NOT_PRINTABLE if explanation else _NOT_LITERAL).search(literal)
    if wrong is not None:
        raise InvalidMacro(f"character {wrong.group()!r} is not allowed")


def _count(digits: str) -> int:
    if not digits:
        return 0
    digits = digits.lstrip("0")
    if not digits:
        raise InvalidMacro("a macro cannot keep 0 parts")
    return int(digits[:4])  # more than any value has parts


def _expand_one(macro: Macro, values: MacroValues) -> str:
    value = _value(macro.letter, values)
    if macro.count or macro.reverse or macro.delimiters != ".":
        for delimiter in macro.delimiters:
            value = value.replace(delimiter, "\0")
        parts = value.split("\0")
        if macro.reverse:
            parts.reverse()
        value = ".".join(parts[-macro.count :] if macro.count else parts)
    return quote(value, safe="") if macro.escape else value


def _value(letter: str, values: MacroValues) -> str:
    match letter:
        case "s":
            return values.sender
        case "l":
            return values.local_part
        case "o":
            return values.sender_domain
        case "d":
            return values.domain
        case "i":
            return values.dotted
        case "p":
            return values.validated
        case "v":
            return values.family
        case "h":
            return values.helo
        case "c":
            return values.readable
        case "r":
            return values.receiver
        case _:
            return str(values.at)
