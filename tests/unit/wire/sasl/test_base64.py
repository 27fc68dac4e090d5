import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.sasl import SaslMalformed, decode_message, encode_initial, encode_message


@given(st.binary(max_size=40))
def test_there_and_back(message: bytes) -> None:
    assert decode_message(encode_message(message)) == message
    assert decode_message(encode_initial(message).encode()) == message


@pytest.mark.parametrize("text", ["!", "YQ", "YQ==x", "AGEAYg==\r\n", "AGE AYg==", "é"])
def test_it_is_strict(text: str) -> None:
    with pytest.raises(SaslMalformed):
        decode_message(text)
