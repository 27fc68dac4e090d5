"""Arguments that are taken from the results of earlier calls (RFC 8620 §3.7)."""

from collections.abc import Sequence
from typing import Any

import msgspec

from postroad.wire.jmap.errors import MethodError
from postroad.wire.jmap.request import Invocation

MAX_VALUES = 100_000
"""Values that one reference collects."""


def resolve_references(
    arguments: dict[str, Any], responses: Sequence[Invocation]
) -> dict[str, Any]:
    """Return the arguments with each ``#name`` replaced by what it refers to.

    Raises `MethodError`: ``invalidResultReference`` where there is no such result,
    ``invalidArguments`` where an argument is given in both ways.
    """
    found = {}
    for name, value in arguments.items():
        if not name.startswith("#"):
            found[name] = value
            continue
        plain = name[1:]
        if plain in arguments:
            raise MethodError("invalidArguments", f"{plain} is there twice")
        found[plain] = _resolve(value, responses)
    return found


def _resolve(reference: Any, responses: Sequence[Invocation]) -> Any:
    parts = reference if isinstance(reference, dict) else {}
    call, name, path = (parts.get(key) for key in ("resultOf", "name", "path"))
    if not (isinstance(call, str) and isinstance(name, str) and isinstance(path, str)):
        raise _wrong("a reference has resultOf, name and path")
    for response in responses:
        if response.call == call:
            if response.name != name:
                raise _wrong(f"the response to {call!r} is {response.name}, not {name}")
            return evaluate(path, response.arguments)
    raise _wrong(f"there is no response to {call!r}")


def evaluate(path: str, value: Any) -> Any:
    """Return what a JSON pointer (RFC 6901) finds, in which ``*`` stands for all of an array; what it
    finds in each is put together. Raises `MethodError`.
    """
    if path and not path.startswith("/"):
        raise _wrong("a path begins with /")
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in path.split("/")[1:]]
    return _follow(tokens, value)


def _follow(tokens: Sequence[str], value: Any) -> Any:
    if isinstance(value, msgspec.Raw):
        value = msgspec.json.decode(value)  # of a response, what was only passed on
    for position, token in enumerate(tokens):
        if token == "*" and isinstance(value, list):
            rest = tokens[position + 1 :]
            together: list[Any] = []
            for item in value:
                found = _follow(rest, item)
                together.extend(found) if isinstance(found, list) else together.append(found)
                if len(together) > MAX_VALUES:
                    raise _wrong(f"it refers to more than {MAX_VALUES} values")
            return together
        value = _step(token, value)
        if isinstance(value, msgspec.Raw):
            value = msgspec.json.decode(value)
    return value


def _step(token: str, value: Any) -> Any:
    if isinstance(value, dict) and token in value:
        return value[token]
    if isinstance(value, list) and token.isascii() and token.isdigit():
        index = int(token) if len(token) < 10 and str(int(token)) == token else len(value)
        if index < len(value):
            return value[index]
    raise _wrong(f"there is no {token[:80]!r}")


def _wrong(description: str) -> MethodError:
    return MethodError("invalidResultReference", description)
