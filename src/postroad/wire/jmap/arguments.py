"""The arguments of a method call, taken one by one and checked; what is not taken is refused."""

import re
from typing import Any

from postroad.wire.jmap.errors import MethodError

_ID = re.compile(r"[A-Za-z0-9_-]{1,255}")
MAX_NUMBER = 2**53 - 1
"""The largest number (RFC 8620 §1.3)."""


class Arguments:
    """Each method takes an argument away and raises `MethodError` (``invalidArguments``)."""

    def __init__(self, given: dict[str, Any]) -> None:
        self._left = dict(given)

    def done(self) -> None:
        """Refuse what nobody asked for."""
        if self._left:
            raise _wrong(f"there is no argument {next(iter(self._left))[:80]!r} here")

    def take(self, name: str) -> Any:
        """Return an argument whatever it is, None where it is not given."""
        return self._left.pop(name, None)

    def id(self, name: str) -> str:
        """Return an id (RFC 8620 §1.2)."""
        found = self.take(name)
        if not is_id(found):
            raise _wrong(f"{name} has to be an id")
        return str(found)

    def ids(self, name: str) -> list[str] | None:
        """Return a list of ids, None where it is null or not given. They need not be well formed: what
        is no id is not found.
        """
        return self.texts(name)

    def texts(self, name: str) -> list[str] | None:
        """Return a list of texts, None where it is null or not given."""
        found = self.take(name)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise _wrong(f"{name} has to be a list of texts")
        return list(found)

    def text(self, name: str) -> str | None:
        """Return a text, None where it is null or not given."""
        found = self.take(name)
        if found is not None and not isinstance(found, str):
            raise _wrong(f"{name} has to be a text")
        return found

    def state(self, name: str) -> str:
        """Return a text that has to be there."""
        found = self.text(name)
        if found is None:
            raise _wrong(f"{name} has to be there")
        return found

    def flag(self, name: str, default: bool = False) -> bool:
        """Return true or false."""
        found = self.take(name)
        if found is None:
            return default
        if not isinstance(found, bool):
            raise _wrong(f"{name} has to be true or false")
        return found

    def number(self, name: str, least: int = 0) -> int | None:
        """Return a whole number, None where it is null or not given."""
        found = self.take(name)
        if found is None:
            return None
        if not is_number(found, least):
            raise _wrong(f"{name} has to be a whole number of at least {least}")
        return int(found)

    def objects(self, name: str) -> dict[str, Any] | None:
        """Return an object, None where it is null or not given."""
        found = self.take(name)
        if found is not None and not isinstance(found, dict):
            raise _wrong(f"{name} has to be an object")
        return found

    def table(self, name: str) -> dict[str, dict[str, Any]]:
        """Return objects by name, none where it is null or not given."""
        found = self.objects(name) or {}
        if not all(isinstance(each, dict) for each in found.values()):
            raise _wrong(f"{name} has to be a table of objects")
        return found

    def list_of_objects(self, name: str) -> list[dict[str, Any]] | None:
        """Return a list of objects, None where it is null or not given."""
        found = self.take(name)
        if found is None:
            return None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise _wrong(f"{name} has to be a list of objects")
        return found


def is_id(value: Any) -> bool:
    """Whether it is an id."""
    return isinstance(value, str) and _ID.fullmatch(value) is not None


def is_number(value: Any, least: int = 0) -> bool:
    """Whether it is a whole number, and neither too small nor too large."""
    whole = isinstance(value, int) and not isinstance(value, bool)
    return whole and least <= value <= MAX_NUMBER


def _wrong(description: str) -> MethodError:
    return MethodError("invalidArguments", description)
