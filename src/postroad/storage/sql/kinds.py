"""What the frequent changes become: rows, each behind a number that says what is to be done with it.

An engine writes the rows of many groups together, in its own way (`sqlite.writing`, `postgres.writing`),
by the statements that `DOES` names.
"""

import re
from collections.abc import Sequence
from typing import Any, TypeAlias

Row: TypeAlias = tuple[object, ...]

# What is to be done with a row: its first value. The others are those of the statement, in its order.
CONTENT, ENTRY, ENTRY_LATER, MESSAGE, DELIVERY, ATTEMPT, JOURNEY, ENDED = range(1, 9)

WIDTH = 14  # values of a row, with the first
BLANK: Row = (None,) * WIDTH
REST = [BLANK[given + 1 :] for given in range(WIDTH)]  # what makes a row of that many values whole

_MAILBOX = "NEW.c1"
_NEXT_UID = f"(SELECT uid_next FROM mailbox WHERE id = {_MAILBOX})"
_NEXT_MODSEQ = f"(SELECT modseq + 1 FROM mailbox WHERE id = {_MAILBOX})"


def _columns(first: int, last: int) -> list[str]:
    return [f"NEW.c{number}" for number in range(first, last + 1)]


_ENTRY = [_MAILBOX, _NEXT_UID, _NEXT_MODSEQ, *_columns(2, 9)]
_GROWN = ("mailbox_grown", [_MAILBOX, "1"])

# Of each kind: the statements with what they are given, and whether each must change a row.
DOES: dict[int, tuple[Sequence[tuple[str, Sequence[str]]], bool]] = {
    CONTENT: ([("content_insert", _columns(1, 6))], False),
    ENTRY: ([("entry_deposit", _ENTRY[:10]), _GROWN], True),
    ENTRY_LATER: ([("entry_deposit_later", _ENTRY), _GROWN], True),
    MESSAGE: ([("message_insert", _columns(1, 7))], False),
    DELIVERY: ([("delivery_insert", _columns(1, 13))], False),
    ATTEMPT: ([("delivery_attempted", _columns(1, 8))], True),
    JOURNEY: ([("journey_insert", _columns(1, 5))], False),
    ENDED: ([("content_sweep_message", _columns(1, 1))], False),
}


def given(sql: str, values: Sequence[str]) -> str:
    """Return the statement with expressions in the places of its parameters, `?` or `?3`."""
    following = iter(values)

    def expression(match: "re.Match[str]") -> str:
        number: Any = match[1]
        return values[int(number) - 1] if number else next(following)

    return re.sub(r"\?(\d*)", expression, sql)
