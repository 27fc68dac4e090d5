import pytest

from postroad.wire.sasl.prepare import Unprepared, password_octets, saslprep


# RFC 4013 §3
@pytest.mark.parametrize(
    ("text", "prepared"),
    [
        ("I\u00adX", "IX"),
        ("user", "user"),
        ("USER", "USER"),
        ("\u00aa", "a"),
        ("\u2168", "IX"),
        ("a\u00a0b", "a b"),
        ("", ""),
        ("\u0627\u0628", "\u0627\u0628"),
    ],
)
def test_examples(text: str, prepared: str) -> None:
    assert saslprep(text) == prepared


@pytest.mark.parametrize("text", ["\x07", "\u0627\u0031", "a\u0627", "\ue000", "\u200e", "é\x00"])
def test_forbidden(text: str) -> None:
    with pytest.raises(Unprepared):
        saslprep(text)


def test_what_cannot_be_prepared_is_taken_as_it_is() -> None:
    assert password_octets("\ue000") == "\ue000".encode()
    assert password_octets("pa\u00adss") == b"pass"
