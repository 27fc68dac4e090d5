"""The grammar of POP3 commands (RFC 1939 §3, RFC 2449 §8) and of SASL PLAIN (RFC 4616 §2).

What does not fit raises `CommandError` with words for the client.
"""

import binascii
import re
from enum import Enum

_CONTROL = re.compile(rb"[\x00-\x1f\x7f]")
_MAX_DIGITS = 10


class CommandError(ValueError):
    """The command is malformed; the message tells the client how."""


class ResponseCode(Enum):
    """Extended response codes (RFC 2449 §8, RFC 3206 §4)."""

    AUTH = "AUTH"
    IN_USE = "IN-USE"
    LOGIN_DELAY = "LOGIN-DELAY"
    SYS_TEMP = "SYS/TEMP"
    SYS_PERM = "SYS/PERM"


def parse_line(line: bytes) -> tuple[bytes, bytes]:
    """Return keyword and the rest behind one space, of a line with its line end.

    Raises `CommandError` for a line end that is not CRLF and for control characters.
    """
    if not line.endswith(b"\r\n"):
        raise CommandError("lines end in CRLF")
    line = line[:-2]
    if _CONTROL.search(line):
        raise CommandError("control character in command")
    keyword, _, argument = line.partition(b" ")
    return keyword, argument


def no_argument(argument: bytes) -> None:
    """Raise `CommandError` if there is an argument (trailing spaces are forgiven)."""
    if argument.strip(b" "):
        raise CommandError("no argument is allowed here")


def number(argument: bytes) -> int:
    """Return a message number or a count of lines. Raises `CommandError`."""
    if not argument.isdigit():
        argument = argument.rstrip(b" ")
    if not argument.isdigit() or len(argument) > _MAX_DIGITS:
        raise CommandError("a number is missing or malformed")
    return int(argument)


def two_numbers(argument: bytes) -> tuple[int, int]:
    """Return the message number and the count of lines of TOP (RFC 1939 §7). Raises `CommandError`."""
    first, _, second = argument.rstrip(b" ").partition(b" ")
    return number(first), number(second)


def text(argument: bytes) -> str:
    """Return a name or password, which may hold spaces and UTF-8 (RFC 1939 §7, RFC 6856 §2.2).

    Raises `CommandError`.
    """
    if not argument:
        raise CommandError("an argument is missing")
    try:
        return argument.decode()
    except UnicodeDecodeError:
        raise CommandError("the argument is not UTF-8") from None


def parse_plain(encoded: bytes) -> tuple[str, str, str]:
    """Return authorization identity, user name and password of a PLAIN message in base 64.

    RFC 4616 §2: ``[authzid] NUL authcid NUL passwd``, in UTF-8. Raises `CommandError`.
    """
    try:
        message = binascii.a2b_base64(encoded, strict_mode=True).decode()
    except ValueError:
        raise CommandError("the response is not base 64 of UTF-8") from None
    parts = message.split("\0")
    if len(parts) != 3 or not parts[1] or not parts[2]:
        raise CommandError("the response is not a PLAIN message: [authzid] NUL authcid NUL passwd")
    return parts[0], parts[1], parts[2]
