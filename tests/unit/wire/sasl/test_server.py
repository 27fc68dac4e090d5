"""Each mechanism's server, alone and against our client."""

import pytest

from postroad.wire.sasl import (
    MECHANISMS,
    Challenge,
    Failed,
    KeysWanted,
    PasswordGiven,
    Proven,
    SaslMalformed,
    ScramServer,
    derive_keys,
    make_server,
)
from postroad.wire.sasl.client import ScramClient

SALT = b"0123456789abcdef"
KEYS = derive_keys("secret", SALT, 4)
OTHER = derive_keys("other", SALT, 4)
BINDING = b"\x01" * 32


def scram_server(*, binding: bytes | None = None, plus: bool = False) -> ScramServer:
    return ScramServer(plus=plus, plus_offered=binding is not None, binding=binding)


def play(client: ScramClient, server: ScramServer, *, real: bool = True) -> object:
    """The whole exchange; None where the client gives up."""
    asked = server.step(client.first)
    assert asked == KeysWanted("", "ann@example.test")
    step: object = server.offer([OTHER, KEYS], "snonce", real=real)
    while isinstance(step, Challenge):
        answer = client.answer(step.data)
        if answer is None:
            return None
        step = server.step(answer)
    return step


def test_plain() -> None:
    server = make_server("PLAIN")
    assert server.step(None) == Challenge(b"")
    assert server.step(b"other\0user\0secret") == PasswordGiven("other", "user", "secret")


@pytest.mark.parametrize(
    "response", [b"", b"a", b"\0\0", b"\0u\0", b"\0\0p", b"\0u\0p\0x", b"\0\xff\0p"]
)
def test_plain_refused(response: bytes) -> None:
    with pytest.raises(SaslMalformed):
        make_server("PLAIN").step(response)


@pytest.mark.parametrize("at_once", [False, True])
def test_login(at_once: bool) -> None:
    server = make_server("LOGIN")
    if not at_once:
        assert server.step(None) == Challenge(b"Username:")
    assert server.step(b"user") == Challenge(b"Password:")
    assert server.step(b"secret") == PasswordGiven("", "user", "secret")


def test_login_refused() -> None:
    with pytest.raises(SaslMalformed):
        make_server("LOGIN").step(b"a\0b")


def test_passwords_are_not_shown() -> None:
    assert "secret" not in repr(PasswordGiven("", "user", "secret"))


def test_scram() -> None:
    assert play(ScramClient("ann@example.test", "secret", "cnonce"), scram_server()) == Proven(1)
    assert play(ScramClient("ann@example.test", "other", "cnonce"), scram_server()) == Proven(0)


def test_scram_without_an_initial_response() -> None:
    server = scram_server()
    assert server.step(None) == Challenge(b"")
    assert play(ScramClient("ann@example.test", "secret", "cnonce"), server) == Proven(1)


def test_scram_with_a_wrong_password_or_without_such_a_user() -> None:
    wrong = ScramClient("ann@example.test", "guess", "cnonce")
    assert play(wrong, scram_server()) == Failed()
    right = ScramClient("ann@example.test", "secret", "cnonce")
    assert play(right, scram_server(), real=False) == Failed()


def test_scram_plus() -> None:
    client = ScramClient("ann@example.test", "secret", "cnonce", binding=BINDING)
    assert play(client, scram_server(binding=BINDING, plus=True)) == Proven(1)
    elsewhere = ScramClient("ann@example.test", "secret", "cnonce", binding=b"\x02" * 32)
    assert play(elsewhere, scram_server(binding=BINDING, plus=True)) == Failed()


@pytest.mark.parametrize(
    ("first", "plus", "binding", "words"),
    [
        (b"p=tls-server-end-point,,n=u,r=1", False, BINDING, "only for that"),
        (b"n,,n=u,r=1", True, BINDING, "channel binding is for"),
        (b"p=tls-unique,,n=u,r=1", True, BINDING, "tls-server-end-point"),
        (b"p=tls-server-end-point,,n=u,r=1", True, None, "tls-server-end-point"),
        # RFC 5802 §6: the client believes that we do not offer PLUS, but we do
        (b"y,,n=u,r=1", False, BINDING, "hides that"),
    ],
)
def test_scram_binding_that_does_not_fit(
    first: bytes, plus: bool, binding: bytes | None, words: str
) -> None:
    with pytest.raises(SaslMalformed, match=words):
        scram_server(binding=binding, plus=plus).step(first)


def test_a_client_that_could_bind_where_nobody_offers_it() -> None:
    assert scram_server().step(b"y,,n=u,r=1") == KeysWanted("", "u")


def test_scram_with_somebody_elses_nonce() -> None:
    server = scram_server()
    server.step(b"n,,n=u,r=1")
    server.offer([KEYS], "2")
    with pytest.raises(SaslMalformed, match="nonce"):
        server.step(b"c=biws,r=1,p=AAAA")


def test_scram_out_of_turn() -> None:
    server = scram_server()
    server.step(b"n,,n=u,r=1")
    with pytest.raises(SaslMalformed, match="first"):
        server.step(b"c=biws,r=1,p=AAAA")


def test_a_client_finds_out_a_server_that_does_not_know_the_password() -> None:
    client = ScramClient("u", "secret", "c")
    assert client.answer(b"r=c1,s=AAAA,i=4") is not None
    assert client.answer(b"v=AAAA") is None
    assert client.answer(b"v=AAAA") is None


@pytest.mark.parametrize(
    "challenge",
    [b"r=other,s=AAAA,i=4", b"r=c,s=AAAA,i=4", b"r=c1,s=AAAA,i=9999999", b"e=x", b"\xff"],
)
def test_a_client_gives_up(challenge: bytes) -> None:
    assert ScramClient("u", "secret", "c").answer(challenge) is None


def test_all_can_be_made() -> None:
    for mechanism in MECHANISMS:
        assert make_server(mechanism).step(None).__class__ is Challenge
    with pytest.raises(ValueError, match="CRAM-MD5"):
        make_server("CRAM-MD5")
