"""Patch objects (RFC 8620 §5.3): what an update changes, told by paths."""

import copy
import itertools
from typing import Any

from postroad.wire.jmap.errors import SetError

MAX_PATHS = 1_000


def patched(before: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """Return an object with a patch applied, `before` left as it is.

    Raises `SetError`, ``invalidPatch``: a path leads through what is not there or is no object, or one
    path is the beginning of another.
    """
    if len(patch) > MAX_PATHS:
        raise _wrong(f"a patch has at most {MAX_PATHS} paths")
    paths = sorted(_tokens(path) for path in patch)
    for shorter, longer in itertools.pairwise(paths):
        if longer[: len(shorter)] == shorter:
            raise _wrong(f"{'/'.join(shorter)!r} is the beginning of another path")
    after = copy.deepcopy(before)
    for path, value in patch.items():
        *parents, last = _tokens(path)
        inside = after
        for token in parents:
            inner = inside.get(token)
            if not isinstance(inner, dict):
                raise _wrong(f"{path[:80]!r} leads through what is no object")
            inside = inner
        if value is None and parents:
            inside.pop(last, None)
        else:
            inside[last] = value
    return after


def _tokens(path: str) -> tuple[str, ...]:
    return tuple(
        token.replace("~1", "/").replace("~0", "~") for token in path.removeprefix("/").split("/")
    )


def _wrong(description: str) -> SetError:
    return SetError("invalidPatch", description)
