import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.sasl import Challenge, PasswordGiven, SaslClient, make_client, make_server
from postroad.wire.sasl.client import LoginClient, PlainClient

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(WORD, WORD, st.booleans())
def test_passwords_from_end_to_end(username: str, password: str, plain: bool) -> None:
    client: SaslClient = (PlainClient if plain else LoginClient)(username, password)
    server = make_server(client.mechanism)
    step = server.step(client.first)
    while isinstance(step, Challenge):
        step = server.step(client.answer(step.data))
    assert step == PasswordGiven("", username, password)
    assert client.answer(b"more?") is None


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["LOGIN", "PLAIN", "SCRAM-SHA-256"], "SCRAM-SHA-256"),
        (["LOGIN", "PLAIN"], "PLAIN"),
        (["LOGIN", "GSSAPI"], "LOGIN"),
    ],
)
def test_the_best_is_chosen(offered: list[str], chosen: str) -> None:
    client = make_client(offered, "u", "p", "nonce")
    assert client is not None
    assert client.mechanism == chosen


def test_nothing_to_choose() -> None:
    assert make_client(["GSSAPI"], "u", "p", "nonce") is None
