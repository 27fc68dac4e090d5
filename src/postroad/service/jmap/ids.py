"""Ids as clients see them: a letter that says of what, then the id as people see it."""

import re
from enum import Enum

from postroad.model import format_id

# A thousand ids come in one request: they are read by what costs least.
_CANONICAL = re.compile(r"[0-7][0-9A-HJKMNP-TV-Z]{12}").fullmatch
_DIGITS = str.maketrans("ABCDEFGHJKMNPQRSTVWXYZ", "ABCDEFGHIJKLMNOPQRSTUV")


class Kind(Enum):
    """What an id is of."""

    ACCOUNT = "a"
    MAILBOX = "m"
    EMAIL = "e"
    THREAD = "t"
    IDENTITY = "i"
    SUBMISSION = "s"
    UPLOAD = "u"


def show(kind: Kind, number: int) -> str:
    """Return the id of a thing."""
    return kind._value_ + format_id(number)


def read(kind: Kind, text: object) -> int | None:
    """Return the number that an id stands for, None where it is no such id."""
    if not isinstance(text, str) or text[:1] != kind._value_ or not _CANONICAL(text, 1):
        return None
    return int(text[1:].translate(_DIGITS), 32)
