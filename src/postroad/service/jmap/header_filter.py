"""The condition ``header`` (RFC 8621 §4.4.1): header fields are not kept beside messages, so they are
looked for in those messages that fit all other conditions, `MAX_LOOKED_AT` of them at most.
"""

from typing import Any

from msgspec import Struct

from postroad.message.header import Header, header_end
from postroad.message.mime.forms import as_text
from postroad.service.jmap.desk import Context
from postroad.service.jmap.lists import Found
from postroad.wire.jmap import MethodError

MAX_LOOKED_AT = 2_000
MAX_CONDITIONS = 20
READ_OCTETS = 65_536
"""Of a message no more is looked at."""


class HeaderCondition(Struct, frozen=True):
    """A field of that `name` is there, and `text` in one of its values; both in lower case."""

    name: str
    text: str

    def fits(self, header: Header) -> bool:
        """Whether a header has it."""
        for value in header.get_all(self.name):
            if not self.text or self.text in as_text(value.encode("utf-8", "replace")).lower():
                return True
        return False


def split_filter(given: Any) -> tuple[Any, tuple[HeaderCondition, ...]]:
    """Return a filter without the conditions on header fields, and these. They may stand alone, beside
    others, and under AND; what is under OR and NOT stays where it is. Raises `MethodError`.
    """
    found: list[HeaderCondition] = []
    rest = _split(given, found)
    if len(found) > MAX_CONDITIONS:
        raise MethodError("unsupportedFilter", f"at most {MAX_CONDITIONS} conditions on headers")
    return rest, tuple(found)


def _split(given: Any, found: list[HeaderCondition]) -> Any:
    if not isinstance(given, dict):
        return given
    if "operator" not in given:
        if "header" not in given:
            return given
        found.append(_condition(given["header"]))
        return {name: value for name, value in given.items() if name != "header"} or None
    parts = given.get("conditions")
    if given["operator"] != "AND" or not isinstance(parts, list):
        return given
    rest = [_split(part, found) for part in parts]
    return {**given, "conditions": [part for part in rest if part is not None]}


def _condition(value: Any) -> HeaderCondition:
    sound = isinstance(value, list) and len(value) in (1, 2)
    if not sound or not all(isinstance(each, str) for each in value) or not value[0]:
        raise MethodError("invalidArguments", "header has to be a name, and a text perhaps")
    return HeaderCondition(value[0].lower(), value[1].lower() if len(value) > 1 else "")


async def with_headers(
    context: Context, found: Found, conditions: tuple[HeaderCondition, ...]
) -> Found:
    """Return those of the emails that have these header fields, in the same order. Raises `MethodError`
    where they are too many to be looked at.
    """
    if len(found) > MAX_LOOKED_AT:
        raise MethodError(
            "unsupportedFilter",
            f"more than {MAX_LOOKED_AT} emails would have to be looked at: add other conditions",
        )
    desk = context.desk
    fit = set()
    for each in await desk.emails.bytes_of(context.number, [email for email, _ in found]):
        data = each.prefix + await desk.content.read(each.content, 0, READ_OCTETS)
        end = header_end(data)
        header = Header.parse(data if end < 0 else data[:end])
        if all(condition.fits(header) for condition in conditions):
            fit.add(each.id)
    return [(email, thread) for email, thread in found if email in fit]
