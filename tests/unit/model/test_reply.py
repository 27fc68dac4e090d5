import pytest

from postroad.model import (
    Delivered,
    InvalidReply,
    PermanentFailure,
    Reply,
    TemporaryFailure,
    outcome_of,
)


@pytest.mark.parametrize(
    ("code", "enhanced", "text"),
    [
        (199, "", ""),
        (600, "", ""),
        (450, "5.1.1", "of another class"),
        (250, "2.0", "not three numbers"),
        (354, "3.0.0", "there is no class 3"),
        (250, "2.0.0", "a\rb"),
        (250, "2.0.0", "a\0b"),
    ],
)
def test_refuses_what_is_no_reply(code: int, enhanced: str, text: str) -> None:
    with pytest.raises(InvalidReply):
        Reply(code, enhanced, text)


def test_bytes() -> None:
    assert Reply(250, "2.1.0", "Ok").to_bytes() == b"250 2.1.0 Ok\r\n"
    assert Reply(250, "2.1.0", "a\nb").to_bytes() == b"250-2.1.0 a\r\n250 2.1.0 b\r\n"
    assert Reply(220, "", "mx ESMTP").to_bytes() == b"220 mx ESMTP\r\n"
    assert Reply(250, "2.1.0", "Ok").to_bytes(enhanced=False) == b"250 Ok\r\n"


def test_words() -> None:
    assert str(Reply(550, "5.1.1", "No such user\nhere")) == "550 5.1.1 No such user here"


def test_meaning() -> None:
    assert outcome_of(Reply(250)) == Delivered(Reply(250))
    assert outcome_of(Reply(451)) == TemporaryFailure(Reply(451))
    assert outcome_of(Reply(354)) == TemporaryFailure(Reply(354))
    assert outcome_of(Reply(550)) == PermanentFailure(Reply(550))
