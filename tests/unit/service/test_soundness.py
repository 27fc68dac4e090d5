"""Headers that are refused."""

import pytest

from postroad.message.header import MAX_FIELDS
from postroad.service.soundness import refusal_of_header


@pytest.mark.parametrize(
    "header",
    [b"", b"\r\n", b"A: b\r\n c\r\n\r\n", b"no field\r\n\r\n", b"A:\r\n" * MAX_FIELDS + b"\r\n"],
)
def test_what_is_taken(header: bytes) -> None:
    assert refusal_of_header(header) is None


@pytest.mark.parametrize(
    ("header", "reply"),
    [
        (b" A: b\r\n\r\n", "554 5.6.0 The message header begins with white space"),
        (b"\tA: b\r\n\r\n", "554 5.6.0 The message header begins with white space"),
        (b"A: \0\r\n\r\n", "554 5.6.0 NUL character in the message header"),
        (
            b"A:\r\n" * (MAX_FIELDS + 1) + b"\r\n",
            "552 5.3.4 Message header has more than 10000 fields",
        ),
    ],
)
def test_what_is_refused(header: bytes, reply: str) -> None:
    assert str(refusal_of_header(header)) == reply
