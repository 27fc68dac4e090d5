"""Moments as people type them."""

import pytest

from postroad.cli.errors import CommandFailed, Exit
from postroad.cli.moment import parse_future, parse_moment

NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-23T14:05", 1_795_442_700.0),
        ("2026-11-23 14:05:30", 1_795_442_730.0),
        ("2026-11-23T14:05:30.5", 1_795_442_730.5),
        ("2026-11-23T14:05Z", 1_795_442_700.0),
        (" 2026-11-23T15:05+01:00 ", 1_795_442_700.0),
        ("2026-11-23T08:05-06:00", 1_795_442_700.0),
        ("2026-11-23", 1_795_392_000.0),
    ],
)
def test_times(text: str, at: float) -> None:
    assert parse_moment(text, NOW) == at


@pytest.mark.parametrize(
    "text", ["", "yesterday", "14:05", "2026-13-01", "2026-11-23T25:00", "1e9"]
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(CommandFailed, match="is not a time; write it as 2026-11-23T14:05") as error:
        parse_moment(text, NOW)
    assert error.value.code is Exit.USAGE


def test_the_future() -> None:
    assert parse_moment("2027-01-15T08:00:00", NOW) == NOW
    with pytest.raises(CommandFailed, match="in the future: it is 2027-01-15 08:00:00 UTC"):
        parse_moment("2027-01-15T08:01", NOW)


def test_moments_to_come() -> None:
    assert parse_future("2027-01-15T08:00:01", NOW) == NOW + 1
    for text, words in (("2027-01-15T08:00", "in the past"), ("2029-01-01", "a year ahead")):
        with pytest.raises(CommandFailed, match=words) as error:
            parse_future(text, NOW)
        assert error.value.code is Exit.USAGE
