"""The header fields that we add: Received, Return-Path, and the Date and Message-ID of our own mail.

What a client said of itself is untrusted: anything that could end a line, a comment or a token is
replaced before it enters a field.
"""

import re
from datetime import UTC, datetime
from functools import lru_cache

from postroad.model import Address, Origin, format_id

MAX_NAME_OCTETS = 255

# RFC 5321 §4.1.2 and §4.1.3: what a Domain and an address literal are made of, and the underscore that
# many hosts carry in their names.
_NOT_IN_NAME = re.compile(r"[^0-9A-Za-z._-]")
_NOT_IN_LITERAL = re.compile(r"[^0-9A-Za-z.:-]")
_NOT_IN_COMMENT = re.compile(r"[^0-9A-Za-z._: -]")
_NOT_IN_TOKEN = re.compile(r"[^0-9A-Za-z.-]")

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def received(
    *, origin: Origin, hostname: str, message: int, at: float, recipient: Address | None
) -> bytes:
    """Return the Received field for a message that came in (RFC 5321 §4.4), folded, CRLF at its end.

    `recipient` is named only where there is just one, so that blind copies stay blind.
    """
    came = _came(origin.helo, origin.client, origin.tls, hostname, origin.protocol)
    if recipient is None:
        return f"{came}{format_id(message)};\r\n\t{rfc5322_date(at)}\r\n".encode()
    return (
        f"{came}{format_id(message)}\r\n\tfor <{recipient}>;\r\n\t{rfc5322_date(at)}\r\n".encode()
    )


def return_path(sender: Address | None) -> bytes:
    """Return the Return-Path field of final delivery (RFC 5321 §4.4); None is the null sender."""
    return b"Return-Path: <>\r\n" if sender is None else f"Return-Path: <{sender}>\r\n".encode()


def make_message_id(number: int, hostname: str) -> str:
    """Return a Message-ID with its angle brackets for the message of that id (RFC 5322 §3.6.4)."""
    return f"<{format_id(number)}@{hostname}>"


def rfc5322_date(at: float) -> str:
    """Return `at` (seconds since 1970) as a date-time, always in +0000 (RFC 5322 §3.3)."""
    return _date(int(at))


@lru_cache(maxsize=16)
def _date(second: int) -> str:
    when = datetime.fromtimestamp(second, UTC)
    return (
        f"{_DAYS[when.weekday()]}, {when.day} {_MONTHS[when.month - 1]} {when.year:04d} "
        f"{when.hour:02d}:{when.minute:02d}:{when.second:02d} +0000"
    )


@lru_cache(maxsize=1024)
def _came(helo: str, client: str, tls: str | None, hostname: str, protocol: str) -> str:
    """The field up to the queue id: the same for all messages of a connection."""
    helo = helo[:MAX_NAME_OCTETS]
    if helo.startswith("[") and helo.endswith("]"):
        name = f"[{_NOT_IN_LITERAL.sub('?', helo[1:-1])}]"
    else:
        name = _NOT_IN_NAME.sub("?", helo)
    literal = _literal(client)
    came = "Received:"
    if name or literal:
        came += f" from {name or literal}"
        if literal:
            came += f" ({literal})"
        came += "\r\n\t"
        if tls:
            version, _, cipher = _NOT_IN_COMMENT.sub("?", tls[:MAX_NAME_OCTETS]).partition(" ")
            came += f"(using {version}{f' with cipher {cipher}' if cipher else ''})\r\n\t"
    else:
        came += " "
    came += f"by {hostname}"
    if protocol:
        came += f" with {_NOT_IN_TOKEN.sub('?', protocol[:MAX_NAME_OCTETS])}"
    return came + " id "


def _literal(client: str) -> str:
    """RFC 5321 §4.1.3. A scope id says nothing outside of this host, so it goes."""
    if not client:
        return ""
    address = _NOT_IN_LITERAL.sub("?", client.partition("%")[0][:MAX_NAME_OCTETS])
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"
