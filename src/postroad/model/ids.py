"""Ids of messages, contents and accounts: 63-bit integers that sort by time, shown as 13 letters.

The upper 42 bits are milliseconds since 1970, the lower 21 are random or counted, so any node makes
its own ids without asking another. People see them in Crockford's base 32 (no I, L, O, U).
"""

from functools import lru_cache

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_VALUES.update({letter.lower(): value for letter, value in list(_VALUES.items())})
_LENGTH = 13
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]


class InvalidId(ValueError):
    """The text is no id of ours."""


# The trace field, the journey and the reply to the client each show the id of the same message.
@lru_cache(maxsize=1024)
def format_id(number: int) -> str:
    """Return the 13 letters that stand for `number` (0 to 2**63-1)."""
    pairs = _PAIRS
    return (
        _ALPHABET[number >> 60]
        + pairs[(number >> 50) & 1023]
        + pairs[(number >> 40) & 1023]
        + pairs[(number >> 30) & 1023]
        + pairs[(number >> 20) & 1023]
        + pairs[(number >> 10) & 1023]
        + pairs[number & 1023]
    )


def parse_id(text: str) -> int:
    """Return the number that `text` stands for; upper or lower case. Raises `InvalidId`."""
    if len(text) != _LENGTH:
        raise InvalidId(f"{text!r} is not a queue id: these have {_LENGTH} letters and digits")
    number = 0
    for letter in text:
        value = _VALUES.get(letter)
        if value is None:
            raise InvalidId(f"{text!r} is not a queue id: {letter!r} is not one of its letters")
        number = number << 5 | value
    if number >> 63:
        raise InvalidId(f"{text!r} is not a queue id: its first letter is beyond 7")
    return number
