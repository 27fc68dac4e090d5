import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.smtp.xtext import InvalidXtext, decode_xtext, encode_xtext

PRINTABLE = st.text(st.characters(min_codepoint=32, max_codepoint=126))


@given(PRINTABLE)
def test_decode_of_encode_is_identity(text: str) -> None:
    encoded = encode_xtext(text)
    assert decode_xtext(encoded) == text
    assert not set(encoded) & set(" =")


def test_known_answers() -> None:
    assert encode_xtext("a+b=c d") == "a+2Bb+3Dc+20d"
    assert decode_xtext("QQ314159") == "QQ314159"


@pytest.mark.parametrize(
    "text", ["+2b", "+", "+4", "a b", "a=b", "é", "+0D+0A", "+00", "+80", "+7F"]
)
def test_refused_on_decoding(text: str) -> None:
    with pytest.raises(InvalidXtext):
        decode_xtext(text)


@pytest.mark.parametrize("text", ["a\r\nb", "\0", "é", "\x7f"])
def test_refused_on_encoding(text: str) -> None:
    with pytest.raises(InvalidXtext):
        encode_xtext(text)
