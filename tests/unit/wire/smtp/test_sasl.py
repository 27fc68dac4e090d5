from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.smtp import Auth, RemoteProtocolError
from postroad.wire.smtp.sasl import SaslClient, SaslServer

WORD = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=20)


@given(WORD, WORD)
def test_plain_from_end_to_end(username: str, password: str) -> None:
    client = SaslClient("PLAIN", username, password)
    found = SaslServer("PLAIN").step(client.command.removeprefix("AUTH PLAIN "))
    assert found == Auth("PLAIN", "", username, password)
    assert client.answer() == "*"
    assert client.answer() is None


@given(WORD, WORD)
def test_login_from_end_to_end(username: str, password: str) -> None:
    client = SaslClient("LOGIN", username, password)
    server = SaslServer("LOGIN")
    assert client.command == "AUTH LOGIN"
    assert server.challenge == "VXNlcm5hbWU6"
    assert server.step(client.answer() or "") is None
    assert server.challenge == "UGFzc3dvcmQ6"
    assert server.step(client.answer() or "") == Auth("LOGIN", "", username, password)


def test_authorization_id() -> None:
    response = b64encode(b"other\0user\0secret").decode()
    assert SaslServer("PLAIN").step(response) == Auth("PLAIN", "other", "user", "secret")


@pytest.mark.parametrize(
    "response",
    [
        "=",
        "!",
        "YQ",
        "YQ==",
        "AAA=",
        b64encode(b"\0u\0p\0x").decode(),
        b64encode(b"\0\xff\0p").decode(),
    ],
)
def test_plain_refused(response: str) -> None:
    with pytest.raises(RemoteProtocolError):
        SaslServer("PLAIN").step(response)


def test_nul_in_a_name() -> None:
    with pytest.raises(RemoteProtocolError):
        SaslServer("LOGIN").step(b64encode(b"a\0b").decode())


def test_password_is_not_shown() -> None:
    assert "secret" not in repr(Auth("PLAIN", "", "user", "secret"))
