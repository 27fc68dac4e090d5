"""Ids as clients see them: a letter that says of what, then the id as people see it."""

from enum import Enum

from postroad.model import InvalidId, format_id, parse_id


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
    return kind.value + format_id(number)


def read(kind: Kind, text: object) -> int | None:
    """Return the number that an id stands for, None where it is no such id."""
    if not isinstance(text, str) or text[:1] != kind.value:
        return None
    try:
        number = parse_id(text[1:])
    except InvalidId:
        return None
    return number if show(kind, number) == text else None
