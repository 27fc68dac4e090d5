"""An e-mail address, split once, at the edge, into local part and domain.

What RFC 5321 §4.1.2 allows as a Mailbox is accepted, with the internationalised forms of RFC 6531
§3.3; what only RFC 5322 allows (comments, folding, obsolete forms) is refused, since no RCPT may
carry it. The domain is kept in lower case as A-labels (RFC 5890), so equal domains compare equal.
"""

import ipaddress
import re
from functools import lru_cache

import idna
from msgspec import Struct

LOCAL_PART_MAX_OCTETS = 64  # RFC 5321 §4.5.3.1.1
DOMAIN_MAX_OCTETS = 255  # RFC 5321 §4.5.3.1.2
LABEL_MAX_OCTETS = 63  # RFC 1035 §2.3.4
ADDRESS_MAX_OCTETS = 254  # RFC 5321 §4.5.3.1.3: a path has 256, two of them the angle brackets

# RFC 5322 §3.2.3 atext; RFC 6531 §3.3 adds UTF8-non-ascii, of which C1 controls are no text.
_ATEXT = r"[0-9A-Za-z!#$%&'*+\-/=?^_`{|}~\u00a0-\U0010ffff]"
_DOT_STRING = re.compile(rf"{_ATEXT}+(?:\.{_ATEXT}+)*")
# RFC 5321 §4.1.2: qtextSMTP and quoted-pairSMTP. No control character can be quoted.
_QUOTED_STRING = re.compile(
    r'"((?:[ !#-\[\]-~\u00a0-\U0010ffff]|\\[ -~])*)"',
)
_QUOTED_PAIR = re.compile(r"\\(.)")
_NEEDS_BACKSLASH = re.compile(r'(["\\])')
_LDH_DOMAIN = re.compile(
    r"[0-9a-z](?:[0-9a-z-]*[0-9a-z])?(?:\.[0-9a-z](?:[0-9a-z-]*[0-9a-z])?)*", re.IGNORECASE
)
_IPV4 = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}")


class InvalidAddress(ValueError):
    """The text is no address that SMTP can carry; the message says what is wrong with it."""


class Address(Struct, frozen=True, array_like=True):
    """`local_part` without quotes or backslashes; `domain` in lower-case A-labels or a literal.

    Build one from text with `Address.parse`; the constructor takes parts that are already checked.
    """

    local_part: str
    domain: str

    @classmethod
    def parse(cls, text: str) -> "Address":
        """Split and check `text` (a Mailbox, RFC 5321 §4.1.2), without angle brackets.

        Raises `InvalidAddress`.
        """
        local_text, rest = _split(text)
        domain = parse_domain(rest, literal=True)
        local_part = _unquote(local_text)
        if len(local_text.encode()) > LOCAL_PART_MAX_OCTETS:
            raise InvalidAddress(f"local part is longer than {LOCAL_PART_MAX_OCTETS} octets")
        if len(local_text.encode()) + 1 + len(domain) > ADDRESS_MAX_OCTETS:
            raise InvalidAddress(f"address is longer than {ADDRESS_MAX_OCTETS} octets")
        return cls(local_part, domain)

    @property
    def literal(self) -> str | None:
        """The IP address of an address literal (``user@[192.0.2.1]``), else None."""
        if not self.domain.startswith("["):
            return None
        return self.domain[1:-1].removeprefix("ipv6:")

    @property
    def is_ascii(self) -> bool:
        """Whether the address can travel without SMTPUTF8 (RFC 6531)."""
        return self.local_part.isascii()

    @property
    def quoted_local_part(self) -> str:
        """The local part as it goes over the wire: quoted only where it has to be."""
        return _quoted(self.local_part)

    @property
    def folded(self) -> str:
        """For comparing addresses of ours: local parts of local accounts ignore case."""
        return _folded(self.local_part, self.domain)

    def __str__(self) -> str:
        return _text(self.local_part, self.domain)


# A message asks ten times for the text of its few addresses.
@lru_cache(maxsize=4096)
def _folded(local_part: str, domain: str) -> str:
    return f"{_quoted(local_part).lower()}@{domain}"


@lru_cache(maxsize=4096)
def _text(local_part: str, domain: str) -> str:
    return f"{_quoted(local_part)}@{domain}"


@lru_cache(maxsize=1024)
def _quoted(local_part: str) -> str:
    if _DOT_STRING.fullmatch(local_part):
        return local_part
    return '"' + _NEEDS_BACKSLASH.sub(r"\\\1", local_part) + '"'


def parse_domain(text: str, *, literal: bool = False) -> str:
    """Return the domain in lower-case A-labels; with `literal`, an address literal also serves.

    Raises `InvalidAddress`.
    """
    if literal and text.startswith("["):
        return _parse_literal(text)
    if not text:
        raise InvalidAddress("domain is missing")
    ascii_text = domain_to_ascii(text)
    if not _LDH_DOMAIN.fullmatch(ascii_text):
        raise InvalidAddress(
            f"domain {text!r} has an empty label, a hyphen at an edge or a character beyond a-z 0-9 -"
        )
    if len(ascii_text) > DOMAIN_MAX_OCTETS:
        raise InvalidAddress(f"domain is longer than {DOMAIN_MAX_OCTETS} octets")
    if max(map(len, ascii_text.split("."))) > LABEL_MAX_OCTETS:
        raise InvalidAddress(f"a label of the domain is longer than {LABEL_MAX_OCTETS} octets")
    return ascii_text.lower()


def domain_to_ascii(text: str) -> str:
    """Return `text` with U-labels turned into A-labels (RFC 5891). Raises `InvalidAddress`."""
    if text.isascii():
        return text
    try:
        return idna.encode(text, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise InvalidAddress(f"domain {text!r} is no internationalised name: {error}") from None


def _split(text: str) -> tuple[str, str]:
    """Part the text at the ``@`` that ends the local part, which may hold ``@`` itself in quotes."""
    if text.startswith('"'):
        match = _QUOTED_STRING.match(text)
        if match is None:
            raise InvalidAddress("quoted local part is not closed or holds a control character")
        local_text, rest = match.group(), text[match.end() :]
    else:
        at = text.find("@")
        local_text, rest = (text, "") if at < 0 else (text[:at], text[at:])
    if not rest.startswith("@"):
        if rest:
            raise InvalidAddress(f"text after the quoted local part: {rest!r}")
        raise InvalidAddress("address has no @ and domain")
    if not local_text:
        raise InvalidAddress("local part is missing")
    return local_text, rest[1:]


def _unquote(local_text: str) -> str:
    if local_text.startswith('"'):
        return _QUOTED_PAIR.sub(r"\1", local_text[1:-1])
    if not _DOT_STRING.fullmatch(local_text):
        raise InvalidAddress(
            f"local part {local_text!r} has an empty atom or a character that must be quoted"
        )
    return local_text


def _parse_literal(text: str) -> str:
    """RFC 5321 §4.1.3. General-address-literal has no registered tag, so none is accepted."""
    inner = text[1:-1]
    if not text.endswith("]"):
        raise InvalidAddress(f"address literal {text!r} is not closed")
    try:
        if inner[:5].lower() == "ipv6:":
            if "%" in inner:
                raise ValueError("scope ids have no place in mail")
            return f"[ipv6:{_ipv6(inner[5:])}]"
        if not _IPV4.fullmatch(inner):
            raise ValueError("it is neither IPv4 nor IPv6:")
        return f"[{ipaddress.IPv4Address(inner)}]"
    except ValueError as error:
        raise InvalidAddress(f"address literal {text!r} is wrong: {error}") from None


def _ipv6(text: str) -> ipaddress.IPv6Address:
    """RFC 5321 §4.1.3: ``::`` stands for at least two groups, stricter than RFC 4291."""
    address = ipaddress.IPv6Address(text)
    if "::" in text:
        groups = [group for group in text.split(":") if group]
        width = sum(2 if "." in group else 1 for group in groups)
        if width > 6:
            raise ValueError("'::' must stand for two groups or more")
    return address
