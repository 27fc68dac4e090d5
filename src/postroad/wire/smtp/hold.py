"""HOLDFOR= and HOLDUNTIL= of MAIL: messages that are to be held for a while (RFC 4865)."""

import re
from datetime import UTC, datetime

from postroad.model import Reply
from postroad.wire.smtp.errors import wrong

_SECONDS = re.compile(r"[1-9][0-9]{0,8}")
# RFC 3339 §5.6 date-time; a leap second is read as the last second before it.
_MOMENT = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:)([0-9]{2})(\.[0-9]{1,9})?"
    r"(?:[Zz]|([+-][0-9]{2}:[0-9]{2}))"
)


def read_hold_for(value: str | None) -> int:
    """Return how many seconds: 1 to 999999999. Raises `RemoteProtocolError` (501)."""
    if value is None or not _SECONDS.fullmatch(value):
        raise wrong(501, "5.5.4", "HOLDFOR takes a number of seconds, 1 to 999999999")
    return int(value)


def read_hold_until(value: str | None) -> float:
    """Return the moment in seconds since 1970. Raises `RemoteProtocolError` (501)."""
    match = _MOMENT.fullmatch(value or "")
    if match is not None:
        day, minutes, seconds, fraction, offset = match.groups()
        seconds = "59" if seconds == "60" else seconds
        text = f"{day}T{minutes}{seconds}{(fraction or '')[:7]}{offset or '+00:00'}"
        try:
            return datetime.fromisoformat(text).timestamp()
        except (ValueError, OverflowError):
            pass  # a 30th of February is told like any other nonsense
    raise wrong(501, "5.5.4", "HOLDUNTIL takes a time like 2026-11-25T18:00:00Z")


def write_offer(most_seconds: int, now: float) -> str:
    """Return the line of EHLO's answer: how long messages may be held, and until when. `now` is in
    seconds since 1970 (RFC 4865).
    """
    until = datetime.fromtimestamp(int(now) + most_seconds, UTC)
    return f"FUTURERELEASE {most_seconds} {until:%Y-%m-%dT%H:%M:%SZ}"


def hold_too_long(most_seconds: int) -> Reply:
    """Return the refusal of a message that is to be held longer than we offer."""
    return Reply(501, "5.5.4", f"Messages are held for {most_seconds} seconds at most")


def refusal_of_hold(until: float, now: float, most_seconds: int) -> Reply | None:
    """Return why a message is not held until then, None where it is. Both in seconds since 1970: the
    machine knows no wall clock, so its driver asks.
    """
    if until <= now:
        return Reply(501, "5.5.4", "HOLDUNTIL is in the past")
    return hold_too_long(most_seconds) if until > now + most_seconds else None
