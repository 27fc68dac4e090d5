"""Filters and sort criteria of emails, from what clients send to what stores understand
(RFC 8621 §4.4.1, RFC 8621 §4.4.2).
"""

import re
from datetime import datetime
from typing import Any, TypeAlias

from postroad.model import (
    THREAD_FIELDS,
    WORD_FIELDS,
    Combined,
    Condition,
    Field,
    InvalidKeyword,
    Operator,
    Sort,
    SortBy,
    parse_keyword,
)
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind
from postroad.wire.jmap import MethodError
from postroad.wire.jmap.arguments import is_number

Where: TypeAlias = Condition | Combined | None

MAX_CONDITIONS = 200
"""Conditions of one filter."""

MAX_SORTS = 10
MAX_PHRASES = 50
NOWHERE = -1
"""A mailbox that there is not: nothing is in it."""

_FIELDS = {field.value: field for field in Field}
_SORTS = {sort.value: sort for sort in SortBy}
_KEYWORD_SORTS = (SortBy.KEYWORD, SortBy.ALL_IN_THREAD, SortBy.SOME_IN_THREAD)
_KEYWORDS = (Field.KEYWORD, Field.NOT_KEYWORD, *THREAD_FIELDS)
_DATES = (Field.BEFORE, Field.AFTER)
_SIZES = (Field.MIN_SIZE, Field.MAX_SIZE)
_PHRASE = re.compile(r'"((?:[^"\\]|\\.)*)"|\'((?:[^\'\\]|\\.)*)\'|(\S+)')
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(?:\.\d{1,6})?Z")
NEWEST_FIRST = (Sort(SortBy.RECEIVED_AT, ascending=False),)


def parse_filter(context: Context, given: Any) -> Where:
    """Return a filter. Raises `MethodError`: ``invalidArguments``, ``unsupportedFilter``."""
    if given is None:
        return None
    return _Filter(context).read(given)


def parse_sort(given: list[dict[str, Any]] | None) -> tuple[Sort, ...]:
    """Return the sort criteria. Raises `MethodError`."""
    if not given:
        return NEWEST_FIRST
    if len(given) > MAX_SORTS:
        raise MethodError("unsupportedSort", f"at most {MAX_SORTS} criteria")
    return tuple(_sort(each) for each in given)


def _sort(given: dict[str, Any]) -> Sort:
    by = _SORTS.get(str(given.get("property")))
    if by is None or given.get("collation") not in (None, "i;unicode-casemap", "i;ascii-casemap"):
        raise MethodError("unsupportedSort", "emails are not sorted like that")
    ascending = given.get("isAscending", True)
    if not isinstance(ascending, bool):
        raise _wrong("isAscending has to be true or false")
    return Sort(by, ascending, _keyword(given.get("keyword")) if by in _KEYWORD_SORTS else "")


class _Filter:
    def __init__(self, context: Context) -> None:
        self._context = context
        self._left = MAX_CONDITIONS

    def read(self, given: Any) -> Condition | Combined:
        """Return a filter; how deep it lies in others is bounded by the request."""
        if not isinstance(given, dict):
            raise _wrong("a filter has to be an object")
        if "operator" not in given:
            return self._conditions(given)
        parts = given.get("conditions")
        if not isinstance(parts, list) or given["operator"] not in ("AND", "OR", "NOT"):
            raise _wrong("a filter has the operator AND, OR or NOT, and conditions")
        return Combined(Operator(given["operator"]), tuple(self.read(part) for part in parts))

    def _conditions(self, given: dict[str, Any]) -> Condition | Combined:
        found = tuple(self._condition(name, value) for name, value in given.items())
        return found[0] if len(found) == 1 else Combined(Operator.AND, found)

    def _condition(self, name: str, value: Any) -> Condition | Combined:
        self._left -= 1
        if self._left < 0:
            raise MethodError("unsupportedFilter", f"at most {MAX_CONDITIONS} conditions")
        field = _FIELDS.get(name)
        if field is None:
            raise MethodError("unsupportedFilter", f"there is no condition {name[:80]!r} here")
        if field is Field.IN_MAILBOX:
            return Condition(field, self._mailbox(value))
        if field is Field.IN_MAILBOX_OTHER_THAN:
            if not isinstance(value, list) or len(value) > MAX_CONDITIONS:
                raise _wrong(f"{name} has to be a list of ids")
            return Condition(field, tuple(self._mailbox(each) for each in value))
        if field in _DATES:
            return Condition(field, parse_date(value, name))
        if field in _SIZES:
            if not is_number(value):
                raise _wrong(f"{name} has to be a whole number")
            return Condition(field, int(value))
        if field in _KEYWORDS:
            return Condition(field, _keyword(value))
        if field in WORD_FIELDS:
            if not isinstance(value, str):
                raise _wrong(f"{name} has to be a text")
            phrases = phrases_of(value)
            return Condition(field, phrases) if phrases else Combined(Operator.OR, ())
        if not isinstance(value, bool):
            raise _wrong(f"{name} has to be true or false")
        return Condition(field, value)

    def _mailbox(self, value: Any) -> int:
        number = self._context.read(Kind.MAILBOX, value)
        return NOWHERE if number is None else number


def phrases_of(text: str) -> tuple[str, ...]:
    """Return the words and quoted phrases of a search that have letters or digits."""
    found = []
    for match in _PHRASE.finditer(text[:10_000]):
        phrase = match[1] or match[2] or match[3] or ""
        if any(letter.isalnum() for letter in phrase):
            found.append(phrase)
    return tuple(found[:MAX_PHRASES])


def parse_date(value: Any, name: str) -> float:
    """Return a UTCDate (RFC 8620 §1.4) as seconds since 1970. Raises `MethodError`."""
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            return datetime.fromisoformat(value).timestamp()
        except ValueError:
            pass
    raise _wrong(f"{name} has to be a date like 2026-11-25T12:00:00Z")


def _keyword(value: Any) -> str:
    try:
        return parse_keyword(value if isinstance(value, str) else "")
    except InvalidKeyword as error:
        raise _wrong(str(error)) from None


def _wrong(description: str) -> MethodError:
    return MethodError("invalidArguments", description)
