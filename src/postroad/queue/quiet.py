"""Quiet hours: the part of each day in which nothing of a stream is sent."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct
from msgspec.structs import replace

from postroad.model import Delivery, Ruling, RulingKind

_HOURS = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


_DAY = 86_400


class QuietHours(Struct, frozen=True):
    """From `begin` to `end`, in minutes since midnight of the clocks in `zone` (a name of the IANA time
    zone database); over midnight where `end` is not after `begin`. They are never the whole day.
    """

    begin: int
    end: int
    zone: str = "UTC"

    def after(self, at: float) -> float:
        """Return `at` where it is not in quiet hours, and else when these end (seconds since 1970)."""
        zone = ZoneInfo(self.zone)
        begun = int(at // 1)
        offset = _offset(begun, zone)
        second = (begun + offset) % _DAY
        if not self._quiet(second):
            return at
        end = begun + (self.end * 60 - second) % _DAY
        if _offset(end, zone) == offset:
            return float(end)
        # The clocks are changed before that: the end may be in what they leave out, or come later.
        early, late = begun, end
        while late - early > 1:
            middle = (early + late) // 2
            early, late = (middle, late) if _offset(middle, zone) == offset else (early, middle)
        return self.after(float(late))

    def _quiet(self, second: int) -> bool:
        """Whether a second of the day is."""
        if self.end < self.begin:
            return not self.end * 60 <= second < self.begin * 60
        return self.begin * 60 <= second < self.end * 60

    def __str__(self) -> str:
        hours = f"{self.begin // 60:02}:{self.begin % 60:02}-{self.end // 60:02}:{self.end % 60:02}"
        return f"{hours} {self.zone}"


def _offset(at: int, zone: ZoneInfo) -> int:
    """Return how many seconds the clocks of a zone are ahead of UTC."""
    ahead = datetime.fromtimestamp(at, zone).utcoffset()
    assert ahead is not None, "a zone has clocks"
    return int(ahead.total_seconds())


def parse_quiet_hours(text: str, zone: str = "UTC") -> QuietHours:
    """Read hours as ``22:00-07:00``. Raises `ValueError`, also where nobody knows the zone."""
    match = _HOURS.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{text!r} are no hours; write them as 22:00-07:00")
    first, second, third, fourth = map(int, match.groups())
    begin, end = first * 60 + second, third * 60 + fourth
    if begin == end:
        raise ValueError(f"{text!r} is the whole day, or nothing: nothing would ever be sent")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"{zone!r} is no time zone that is known here; write it as Europe/Berlin"
        ) from None
    return QuietHours(begin, end, zone)


def waited_out(
    quiet: QuietHours, deliveries: Sequence[Delivery], rulings: tuple[Ruling, ...], now: float
) -> tuple[tuple[Delivery, ...], tuple[Ruling, ...]]:
    """Return new deliveries, due outside of quiet hours, and what the journey says of that."""
    moved = tuple(replace(each, due_at=quiet.after(each.due_at)) for each in deliveries)
    latest = max((each.due_at for each in moved), default=0.0)
    if all(old.due_at == new.due_at for old, new in zip(deliveries, moved, strict=True)):
        return tuple(deliveries), rulings
    until = datetime.fromtimestamp(latest, UTC).strftime("%Y-%m-%d %H:%M:%S")
    reason = f"quiet hours of the stream ({quiet}): not before {until} UTC"
    return moved, (*rulings, Ruling("quiet-hours", RulingKind.ACCEPT, reason, now, 0.0))
