import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.model import Address
from postroad.trust.return_path import (
    MAX_BASE_OCTETS,
    TOKEN_LETTERS,
    ReturnPathInvalid,
    ReturnPaths,
    ReturnTo,
    looks_like_one,
)

BASE = Address("bounce", "here.test")
NOW = 1_795_600_000.0
DAY = 86_400.0
PATHS = ReturnPaths(b"a secret that nobody knows")


@given(
    st.integers(0, 2**63 - 1),
    st.none() | st.integers(0, 0xFFFE),
    st.floats(0, 30 * DAY),
    st.integers(0, 2**33).map(float),
)
def test_there_and_back(message: int, ordinal: int | None, later: float, now: float) -> None:
    to = ReturnTo(message, ordinal)
    path = PATHS.make(BASE, to, now)
    assert Address.parse(str(path)) == path
    assert looks_like_one(path)
    assert PATHS.read(path, now + later) == to
    # Letters may change their case on the way.
    assert PATHS.read(Address(path.local_part.upper(), path.domain), now + later) == to


def test_the_longest_fits() -> None:
    base = Address("b" * MAX_BASE_OCTETS, "here.test")
    path = PATHS.make(base, ReturnTo(2**63 - 1, 0xFFFE), NOW)
    assert len(path.local_part) == 64
    assert Address.parse(str(path)) == path


def test_more_recipients_than_there_is_room_for() -> None:
    assert PATHS.read(PATHS.make(BASE, ReturnTo(7, 70_000), NOW), NOW) == ReturnTo(7, None)


def test_every_letter_counts() -> None:
    path = PATHS.make(BASE, ReturnTo(7, 0), NOW)
    for at in range(len("bounce+"), len(path.local_part) - 1):
        letter = "b" if path.local_part[at] != "b" else "c"
        forged = path.local_part[:at] + letter + path.local_part[at + 1 :]
        with pytest.raises(ReturnPathInvalid, match="not made here"):
            PATHS.read(Address(forged, path.domain), NOW)


@pytest.mark.parametrize(
    "path",
    [
        PATHS.make(Address("other", "here.test"), ReturnTo(7, 0), NOW).local_part.replace(
            "other", "bounce"
        ),
        ReturnPaths(b"the secret of another").make(BASE, ReturnTo(7, 0), NOW).local_part,
        "bounce+" + "a" * TOKEN_LETTERS,
    ],
)
def test_forged_ones_are_refused(path: str) -> None:
    with pytest.raises(ReturnPathInvalid, match="not made here"):
        PATHS.read(Address(path, "here.test"), NOW)


def test_of_another_domain() -> None:
    path = PATHS.make(BASE, ReturnTo(7, 0), NOW)
    with pytest.raises(ReturnPathInvalid, match="not made here"):
        PATHS.read(Address(path.local_part, "elsewhere.test"), NOW)


@pytest.mark.parametrize(
    "local_part", ["bounce", "bounce+short", "+" + "a" * 36, "bounce+" + "1" * 36]
)
def test_what_has_not_the_form(local_part: str) -> None:
    with pytest.raises(ReturnPathInvalid, match="no address of this form"):
        PATHS.read(Address(local_part, "here.test"), NOW)


def test_they_do_not_live_for_ever() -> None:
    path = PATHS.make(BASE, ReturnTo(7, 0), NOW)
    assert PATHS.read(path, NOW + 30 * DAY) == ReturnTo(7, 0)
    with pytest.raises(ReturnPathInvalid, match="older than 30 days"):
        PATHS.read(path, NOW + 31 * DAY)
    # A server whose clock is a day behind takes it, too; one that is a week behind does not.
    assert PATHS.read(path, NOW - DAY) == ReturnTo(7, 0)
    with pytest.raises(ReturnPathInvalid, match="older"):
        PATHS.read(path, NOW - 7 * DAY)


def test_a_secret_that_can_be_guessed() -> None:
    with pytest.raises(ValueError, match="can be guessed"):
        ReturnPaths(b"short")


@given(st.text(max_size=80))
def test_nothing_makes_it_raise_anything_else(local_part: str) -> None:
    with pytest.raises(ReturnPathInvalid):
        PATHS.read(Address(local_part, "here.test"), NOW)
