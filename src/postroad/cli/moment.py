"""Moments as people type them: ``2026-11-23T14:05``, in UTC unless they say otherwise."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.show import when

MOST_AHEAD_SECONDS = 366 * 86_400.0

At = Annotated[
    str | None,
    typer.Option(
        "--at",
        metavar="TIME",
        help="As it stood then: 2026-11-23T14:05[:30], in UTC; or with an offset, as in …+02:00.",
    ),
]


def parse_moment(text: str, now: float | None = None) -> float:
    """Return seconds since 1970. UTC, like all times that we print, where no offset is given.

    Raises `CommandFailed` for what is no time, and for the future.
    """
    at = _read(text)
    now = time.time() if now is None else now
    if at > now:
        raise CommandFailed(
            f"--at {text!r} is in the future: it is {when(now)} UTC (a time without an offset is UTC)",
            Exit.USAGE,
        )
    return at


def parse_future(text: str, now: float | None = None) -> float:
    """Return seconds since 1970, of a moment to come within a year. Raises `CommandFailed`."""
    at = _read(text)
    now = time.time() if now is None else now
    if not now < at <= now + MOST_AHEAD_SECONDS:
        where = "is in the past" if at <= now else "is more than a year ahead"
        raise CommandFailed(
            f"--at {text!r} {where}: it is {when(now)} UTC (a time without an offset is UTC)",
            Exit.USAGE,
        )
    return at


def _read(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return moment.timestamp()
    except (ValueError, OverflowError):
        raise CommandFailed(
            f"--at {text!r} is not a time; write it as 2026-11-23T14:05, which is UTC, "
            "or with an offset, as in 2026-11-23T15:05+01:00",
            Exit.USAGE,
        ) from None
