"""Work is counted, not timed: lines of Python that run, and octets that a search walks over."""

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any, SupportsIndex


class Counted(bytes):
    """Bytes that count what `find` and slices look at."""

    looked_at = 0

    def find(self, sub: Any, start: Any = 0, end: Any = None) -> int:
        stop = len(self) if end is None else min(end, len(self))
        found = super().find(sub, start, stop)
        Counted.looked_at += max(0, (stop if found < 0 else found) - start) + len(sub)
        return found

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        found = super().__getitem__(key)
        Counted.looked_at += len(found) if isinstance(found, bytes) else 1
        return found


def work(function: Callable[[], Any], limit: int = 20_000_000) -> int:
    """Return lines run and octets looked at; fail where it is absurdly much, instead of waiting."""
    lines = 0
    Counted.looked_at = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += event == "line"
        assert lines < limit, "much too much work"
        return trace

    before = sys.gettrace()
    gc.collect()
    gc.disable()  # what is cleared away meanwhile is of others, and is no work of ours
    sys.settrace(trace)
    try:
        function()
    finally:
        sys.settrace(before)
        gc.enable()
    return lines + Counted.looked_at


def grows(make: Callable[[int], bytes], read: Callable[[bytes], Any], size: int) -> float:
    """Return by what factor the work grows when the input of `size` is made four times as large."""
    small, large = Counted(make(size)), Counted(make(4 * size))
    return work(lambda: read(large)) / work(lambda: read(small)) * len(small) * 4 / len(large)
