"""Known answers, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.sasl import SaslMalformed, derive_keys, scram

# RFC 7677 §3
SALT = scram.decode("W22ZaJ0SNY7soEsUEjb6gQ==")
CLIENT_FIRST = "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
SERVER_FIRST = (
    "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
)
CLIENT_FINAL = (
    "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
)
SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_known_answer_of_rfc_7677() -> None:
    keys = derive_keys("pencil", SALT, 4096)
    first = scram.read_client_first(CLIENT_FIRST.encode())
    final = scram.read_client_final(CLIENT_FINAL.encode())
    assert (first.username, first.gs2, first.binding, first.could_bind) == (
        "user",
        "n,,",
        None,
        False,
    )
    assert final.bound == b"n,,"
    said = f"{first.bare},{SERVER_FIRST},{final.unproven}"
    assert scram.is_proof(keys, final.proof, said)
    assert scram.encode(scram.server_signature(keys, said)) == SIGNATURE
    proof, signature = scram.prove("pencil", SALT, 4096, said)
    assert proof == final.proof
    assert scram.encode(signature) == SIGNATURE
    assert not scram.is_proof(keys, final.proof, said + "x")
    assert not scram.is_proof(keys, final.proof[:-1], said)
    assert not scram.is_proof(derive_keys("pencils", SALT, 4096), final.proof, said)


def test_the_first_message_with_everything() -> None:
    first = scram.read_client_first(b"p=tls-server-end-point,a=o=2Cther,n=us=3Der,r=abc,x=1")
    assert first.binding == "tls-server-end-point"
    assert (first.authorization_id, first.username, first.nonce) == ("o,ther", "us=er", "abc")
    assert first.bare == "n=us=3Der,r=abc,x=1"
    assert scram.read_client_first(b"y,,n=u,r=1").could_bind


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"n,,",
        b"n,,n=user",
        b"n,,n=,r=abc",
        b"n,,m=must,n=user,r=abc",  # RFC 5802 §5.1: an extension that must be understood
        b"n,,n=us=er,r=abc",
        b"n,,n=us=,r=abc",
        b"n,,n=us\x00er,r=abc",
        b"x,,n=user,r=abc",
        b"p=,,n=user,r=abc",
        b"n,b=x,n=user,r=abc",
        b"n,,n=user,r=a b",
        b"n,,n=user,r=",
        b"n,,n=\xff,r=abc",
        b"n,,n=" + b"u" * 1025 + b",r=abc",
        b"n,,n=user,r=" + b"a" * 513,
    ],
)
def test_first_messages_that_are_none(message: bytes) -> None:
    with pytest.raises(SaslMalformed):
        scram.read_client_first(message)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"c=biws,r=abc",
        b"c=biws,p=AAAA",
        b"c=bi,r=abc,p=AAAA",
        b"c=biws,r=abc,p=A",
        b"c=!,r=a,p=A",
    ],
)
def test_second_messages_that_are_none(message: bytes) -> None:
    with pytest.raises(SaslMalformed):
        scram.read_client_final(message)


@pytest.mark.parametrize("message", [b"", b"r=a,s=AAAA", b"r=a,s=A,i=1", b"r=a,s=AAAA,i=0", b"e=x"])
def test_server_messages_that_are_none(message: bytes) -> None:
    with pytest.raises(SaslMalformed):
        scram.read_server_first(message)


@given(st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S"))))
def test_names_there_and_back(name: str) -> None:
    assert scram.decode_name(scram.encode_name(name)) == name
