"""The domains of a message's author: what is in its From field (RFC 5322 §3.6.2, §3.4).

This reads what a forger wrote for others to misread, so it reads strictly: whatever is unclear makes the
author malformed, and a domain that any reader could take for the author's is among the domains. Time is
linear, addresses are counted, no field is too long to be refused.
"""

import re
from enum import Enum
from typing import TypeAlias

from msgspec import Struct

from postroad.message.header import Header
from postroad.model import InvalidAddress, parse_domain

MAX_FIELD_OCTETS = 16_384
MAX_DOMAINS = 8
MAX_COMMENT_DEPTH = 20

_TOKEN = re.compile(
    r'(?P<space>[ \t]+)|(?P<quoted>"(?:[^"\\]|\\.)*")|(?P<literal>\[[^\[\]\\]*\])'
    r'|(?P<special>[<>:;@,(])|(?P<atom>[^ \t"\[\]<>:;@,()\\]+)'
)
_ONE_ADDRESS = re.compile(
    r'([^<>@]*)<[ \t]*[^ \t"()<>:;@,\[\]\\]+@([^ \t"()<>:;@,\[\]\\]+)[ \t]*>([^<>@]*)'
)
_COMMENT = re.compile(r"[()]|\\.")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

# A token: its kind ("atom", "quoted", "literal" or the special itself) and its text.
_Token: TypeAlias = tuple[str, str]


class AuthorProblem(Enum):
    """Why the author cannot be relied on."""

    MISSING = "there is no From field"
    REPEATED = "there is more than one From field"
    UNREADABLE = "the From field is no list of addresses"
    NO_ADDRESS = "the From field has no address with a domain"
    TOO_MANY = "the From field has addresses of too many domains"


class Author(Struct, frozen=True):
    """The author's domains, lower case in A-labels, each once; address literals are no domains.

    With a `problem` the domains are those that could be read, and the author must not be believed.
    """

    domains: tuple[str, ...]
    problem: AuthorProblem | None = None
    detail: str = ""


class _Unreadable(ValueError):
    pass


def author_of(header: Header) -> Author:
    """Return the domains of all From fields. Never raises."""
    values = header.get_all("from")
    if not header.complete:
        return Author((), AuthorProblem.UNREADABLE, "the header has too many fields")
    if not values:
        return Author((), AuthorProblem.MISSING)
    if len(values) == 1:
        return read_author(values[0])
    domains: dict[str, None] = {}
    for value in values[: MAX_DOMAINS + 1]:
        domains.update(dict.fromkeys(read_author(value).domains))
    return Author(tuple(domains)[:MAX_DOMAINS], AuthorProblem.REPEATED, f"{len(values)} of them")


def read_author(value: str) -> Author:
    """Return the domains in the unfolded value of a From field. Never raises.

    Groups (RFC 6854) are looked into. A display name that holds an address without quotes is an address.
    What is no list of addresses is read all the same where it holds one ``@``, in one address in angle
    brackets (``Doe, John <john@example.org>``): nobody can take it for another's.
    """
    domains: dict[str, None] = {}
    try:
        literals = _read(value, domains)
    except _Unreadable as error:
        only = _only_domain(value)
        if only:
            return Author((only,))
        return Author(tuple(domains)[:MAX_DOMAINS], AuthorProblem.UNREADABLE, str(error))
    found = tuple(domains)
    if len(found) > MAX_DOMAINS:
        return Author(
            found[:MAX_DOMAINS], AuthorProblem.TOO_MANY, f"{len(found)}, at most {MAX_DOMAINS}"
        )
    if not found and not literals:
        return Author((), AuthorProblem.NO_ADDRESS)
    return Author(found)


def _only_domain(value: str) -> str:
    match = _ONE_ADDRESS.fullmatch(value)
    if match is None or len(value) > MAX_FIELD_OCTETS or _CONTROL.search(value):
        return ""
    for around in (match[1], match[3]):
        if around.count('"') % 2 or around.count("(") != around.count(")"):
            return ""  # it may be in quotes or a comment
    try:
        return parse_domain(match[2].removesuffix("."))
    except InvalidAddress:
        return ""


def _read(value: str, domains: dict[str, None]) -> bool:
    """Add the domains as they are found; return whether there was an address literal."""
    tokens = _tokens(value)
    literals = grouped = False
    start = 0
    for index, (kind, _) in enumerate(tokens):
        if kind == ",":
            literals |= _mailbox(tokens[start:index], domains)
        elif kind == ";":
            if not grouped:
                raise _Unreadable("a ; outside of a group")
            grouped = False
            literals |= _mailbox(tokens[start:index], domains)
        elif kind == ":":
            if grouped:
                raise _Unreadable("a group within a group")
            grouped = True
            _group_name(tokens[start:index])
        else:
            continue
        start = index + 1
    if grouped:
        raise _Unreadable("the group is not closed")
    return literals | _mailbox(tokens[start:], domains)


def _group_name(tokens: list[_Token]) -> None:
    if not tokens or any(kind not in ("atom", "quoted") for kind, _ in tokens):
        raise _Unreadable("a : that is behind no name of a group")


def _mailbox(tokens: list[_Token], domains: dict[str, None]) -> bool:
    """RFC 5322 §3.4 mailbox, or nothing at all. Return whether it is at an address literal."""
    literal = False
    in_angle = angle_done = found = False
    index = 0
    while index < len(tokens):
        kind = tokens[index][0]
        if angle_done:
            raise _Unreadable("text behind the address in angle brackets")
        if kind == "@":
            if index == 0 or tokens[index - 1][0] not in ("atom", "quoted"):
                raise _Unreadable("an address without local part")
            index += 1
            literal |= _domain(tokens, index, domains)
            if in_angle and (index + 1 >= len(tokens) or tokens[index + 1][0] != ">"):
                raise _Unreadable("the address in angle brackets is not closed")
            found = True
        elif kind == "<":
            if in_angle:
                raise _Unreadable("angle brackets within angle brackets")
            in_angle, found = True, False
        elif kind == ">":
            if not in_angle or not found:
                raise _Unreadable("angle brackets without an address in them")
            in_angle, angle_done = False, True
        elif kind == "literal":
            raise _Unreadable("square brackets where no domain is")
        index += 1
    if in_angle:
        raise _Unreadable("the angle brackets are not closed")
    if tokens and not found:
        raise _Unreadable("an author without an address")
    return literal


def _domain(tokens: list[_Token], index: int, domains: dict[str, None]) -> bool:
    kind, text = tokens[index] if index < len(tokens) else ("", "")
    following = tokens[index + 1] if index + 1 < len(tokens) else ("", "")
    if kind == "literal":
        try:
            parse_domain(text, literal=True)
        except InvalidAddress as error:
            raise _Unreadable(str(error)[:200]) from None
        return True
    if kind != "atom" or following[0] == "@" or (following[0] == "atom" and following[1][0] == "."):
        raise _Unreadable("an address without a domain that can be read")
    try:
        # A dot at the end is not in the grammar, and leads every reader to the same domain.
        domains[parse_domain(text.removesuffix("."))] = None
    except InvalidAddress as error:
        raise _Unreadable(str(error)[:200]) from None
    return False


def _tokens(value: str) -> list[_Token]:
    """Cut the value up, without white space and comments (RFC 5322 §3.2.2)."""
    if len(value) > MAX_FIELD_OCTETS:
        raise _Unreadable(f"it is longer than {MAX_FIELD_OCTETS} octets")
    control = _CONTROL.search(value)
    if control is not None:
        raise _Unreadable(f"it holds the control character {ord(control.group()):#04x}")
    tokens: list[_Token] = []
    at = 0
    while at < len(value):
        match = _TOKEN.match(value, at)
        if match is None:
            raise _Unreadable(f"it cannot be read from {value[at : at + 16]!r} on")
        at = match.end()
        kind = match.lastgroup or ""
        if kind == "special":
            kind = match.group()
            if kind == "(":
                at = _comment_end(value, at)
                continue
        if kind != "space":
            tokens.append((kind, match.group()))
    return tokens


def _comment_end(value: str, at: int) -> int:
    depth = 1
    for match in _COMMENT.finditer(value, at):
        if match.group() == "(":
            depth += 1
            if depth > MAX_COMMENT_DEPTH:
                raise _Unreadable("comments are nested too deeply")
        elif match.group() == ")":
            depth -= 1
            if not depth:
                return match.end()
    raise _Unreadable("a comment is not closed")
