"""Bounces in words for people, as servers wrote and write them, read by `flufl.bounce`.

That library knows formats that no document describes. It was made for mailing lists and trusts what it
reads: its patterns may take time in the square or the cube of a line's length, and broken MIME may make
it raise. So it gets a copy that is small: few lines, none long, few parts, nothing encoded, and of the
header only what its detectors ask for.
"""

import logging
import re
from collections.abc import Sequence
from email import message_from_bytes

from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.message.parts import Part

MAX_OCTETS = 65_536
MAX_LINE_OCTETS = 240
MAX_LINES = 1_500
MAX_NESTED = 20
WORK = 1_500_000
"""How large the sum of the squares of the lines' lengths may be; what follows is not read."""

_MAX_FIELD_OCTETS = 300
_MAX_FAILED = 100
_ASKED_FOR = ("x-mailer", "subject", "content-type", "mime-version")
# Its detector for Yale raises where From has no address, and no other is asked then.
_NO_AUTHOR = "unknown@invalid"
_NESTING = re.compile(rb"multipart/|message/", re.IGNORECASE)
_ENCODING = re.compile(rb"content-transfer-encoding", re.IGNORECASE)
_PLAIN_ADDRESS = re.compile(r"[^\s<>,;:()\"]{1,64}@[^\s<>,;:()\"]{1,255}")
# The detectors log each other's names, and the failures that we expect of hostile mail.
logging.getLogger("flufl.bounce").setLevel(logging.CRITICAL + 1)


class OddBounce(Struct, frozen=True):
    """Addresses as the words have them: those that failed, and those that are only late."""

    failed: tuple[str, ...] = ()
    delayed: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.failed or self.delayed)


def read_odd_bounce(message: bytes, parts: Sequence[Part]) -> OddBounce:
    """Return the addresses that a bounce names, none where it is no bounce. Never raises.

    `parts` are the leaves of the message: where nothing is found in it as it stands, its first text is
    read without its encoding.
    """
    end = header_end(message)
    head = message[: end if end >= 0 else MAX_OCTETS]
    header = Header.parse(head[:MAX_OCTETS])
    exim = _failed_recipients(header)
    if exim:
        return OddBounce(failed=exim)
    author = header.get("from") or ""
    top = b"from: %s\n" % (author if "@" in author else _NO_AUTHOR)[:_MAX_FIELD_OCTETS].encode(
        "ascii", "replace"
    )
    top += b"".join(
        b"%s: %s\n" % (name.encode(), value[:_MAX_FIELD_OCTETS].encode("ascii", "replace"))
        for name in _ASKED_FOR
        if (value := header.get(name)) is not None
    )
    body = _tamed(message[len(head) : len(head) + MAX_OCTETS])
    if len(_NESTING.findall(body)) <= MAX_NESTED:
        found = _ask(top + b"\n" + _ENCODING.sub(b"X-Encoding", body))
        if found:
            return found
    text = next((part.body for part in parts if part.media_type == "text/plain"), b"")
    plain = top.replace(b"content-type:", b"x-content-type:")
    return _ask(plain + b"\n" + _tamed(text[:MAX_OCTETS])) if text else OddBounce()


def _ask(message: bytes) -> OddBounce:
    from flufl.bounce import all_failures  # a tenth of a second: only who reads bounces pays it

    try:
        delayed, failed = all_failures(message_from_bytes(message))
    except Exception:
        # Foreign code on hostile bytes: what it cannot read names nobody.
        return OddBounce()
    return OddBounce(_texts(failed), _texts(delayed))


def _tamed(body: bytes) -> bytes:
    lines: list[bytes] = []
    work = 0
    for line in body.replace(b"\r\n", b"\n").split(b"\n", MAX_LINES)[:MAX_LINES]:
        line = line[:MAX_LINE_OCTETS]
        work += len(line) ** 2
        if work > WORK:
            break
        lines.append(line)
    return b"\n".join(lines) + b"\n"


def _failed_recipients(header: Header) -> tuple[str, ...]:
    """Exim's field, read here: the library asks `email.utils.getaddresses` (CVE-2023-27043)."""
    found: list[str] = []
    for value in header.get_all("x-failed-recipients")[:_MAX_FAILED]:
        found += _PLAIN_ADDRESS.findall(value[:8_192])
    return tuple(dict.fromkeys(found))[:_MAX_FAILED]


def _texts(addresses: frozenset[bytes]) -> tuple[str, ...]:
    return tuple(sorted(each.decode("ascii", "replace") for each in addresses if each))
