"""JSON may name half of a character (``"\\ud800"``, a lone surrogate, RFC 8259 §8.2), which no text has.
The decoder only says that something is wrong; this says in which field.
"""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from postroad.web.problem import Problem, invalid

T = TypeVar("T")

MAX_OCTETS = 1024 * 1024
"""How much is looked through: it is slow, and done for who sends nonsense."""


def read_json(decode: Callable[[bytes | msgspec.Raw], T], body: bytes | msgspec.Raw) -> T:
    """Decode. Raises `msgspec.DecodeError`, and `Problem` that names the field."""
    try:
        return decode(body)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        if (field := half_character(bytes(body))) is not None:
            raise invalid(field, "is no text: it holds half of a character") from None
        raise


def half_character(body: bytes) -> str | None:
    """Return the path of a field that holds half of a character, None where there is none (or the body
    is too large to look). Raises `Problem` where it is nested too deeply.
    """
    if b"\\u" not in body or len(body) > MAX_OCTETS:
        return None
    try:
        return _find(json.loads(body), "")
    except ValueError:
        return None  # it is no JSON at all
    except RecursionError:
        raise Problem(400, "malformed", "the body is nested too deeply") from None


def _find(value: Any, path: str) -> str | None:
    match value:
        case str():
            return path if any("\ud800" <= letter <= "\udfff" for letter in value) else None
        case list():
            parts = ((each, f"{path}[{place}]") for place, each in enumerate(value))
        case dict():
            if any(_find(name, "") is not None for name in value):
                return f"{path} (a name in it)".strip()
            parts = ((each, f"{path}.{name}".lstrip(".")) for name, each in value.items())
        case _:
            return None
    return next((found for each, there in parts if (found := _find(each, there)) is not None), None)
