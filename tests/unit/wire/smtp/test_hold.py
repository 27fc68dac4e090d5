"""FUTURERELEASE: what MAIL may ask, and what EHLO offers."""

import pytest

from postroad.wire.smtp.errors import RemoteProtocolError
from postroad.wire.smtp.hold import (
    hold_too_long,
    read_hold_for,
    read_hold_until,
    refusal_of_hold,
    write_offer,
)
from postroad.wire.smtp.parameters import read_mail_parameters

MOMENT = 1_795_629_600.0  # 2026-11-25T18:00:00Z


@pytest.mark.parametrize(
    ("text", "seconds"), [("1", 1), ("86400", 86400), ("999999999", 999999999)]
)
def test_seconds(text: str, seconds: int) -> None:
    assert read_hold_for(text) == seconds


@pytest.mark.parametrize("text", [None, "", "0", "01", "-1", "1.5", "1000000000", "x", "１"])
def test_no_seconds(text: str | None) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_hold_for(text)
    assert caught.value.reply is not None
    assert (caught.value.reply.code, caught.value.reply.enhanced) == (501, "5.5.4")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-25T18:00:00Z", MOMENT),
        ("2026-11-25t18:00:00z", MOMENT),
        ("2026-11-25T19:30:00+01:30", MOMENT),
        ("2026-11-25T18:00:00.5Z", MOMENT + 0.5),
        ("2026-11-25T18:00:00.123456789Z", MOMENT + 0.123456),
        ("2026-12-31T23:59:60Z", 1_798_761_599.0),
    ],
)
def test_moments(text: str, moment: float) -> None:
    assert read_hold_until(text) == pytest.approx(moment)


@pytest.mark.parametrize(
    "text",
    [None, "", "now", "2026-11-25", "2026-11-25T18:00:00", "2026-02-30T00:00:00Z",
     "2026-11-25T25:00:00Z", "2026-11-25T18:00Z", "2026-11-25T18:00:00+99:00"],
)  # fmt: skip
def test_no_moments(text: str | None) -> None:
    with pytest.raises(RemoteProtocolError) as caught:
        read_hold_until(text)
    assert caught.value.reply is not None
    assert caught.value.reply.code == 501


def test_they_exclude_each_other_and_are_known_only_where_offered() -> None:
    assert read_mail_parameters("HOLDFOR=60", auth=False, hold=True) == {"hold_for": 60}
    until = {"hold_until": MOMENT}
    assert read_mail_parameters("HOLDUNTIL=2026-11-25T18:00:00Z", auth=False, hold=True) == until
    both = "HOLDFOR=60 HOLDUNTIL=2026-11-25T18:00:00Z"
    for text, hold, code in ((both, True, 501), ("HOLDFOR=60", False, 555)):
        with pytest.raises(RemoteProtocolError) as caught:
            read_mail_parameters(text, auth=False, hold=hold)
        assert caught.value.reply is not None
        assert caught.value.reply.code == code


def test_the_offer_and_its_limits() -> None:
    assert write_offer(3600, MOMENT + 0.9) == "FUTURERELEASE 3600 2026-11-25T19:00:00Z"
    assert refusal_of_hold(MOMENT + 1, MOMENT, 60) is None
    assert refusal_of_hold(MOMENT + 60, MOMENT, 60) is None
    assert refusal_of_hold(MOMENT + 61, MOMENT, 60) == hold_too_long(60)
    past = refusal_of_hold(MOMENT, MOMENT, 60)
    assert past is not None
    assert (past.code, past.enhanced) == (501, "5.5.4")
