import json

import pytest

from postroad.wire.sasl import Challenge, Failed, SaslMalformed, TokenGiven, make_server
from postroad.wire.sasl.bearer import denial, write_oauthbearer, write_xoauth2
from postroad.wire.sasl.server import BearerServer

# RFC 7628 §4.1
KNOWN = (
    b"n,a=user@example.com,\x01host=server.example.com\x01port=143\x01"
    b"auth=Bearer vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg==\x01\x01"
)


def test_the_example_of_the_rfc() -> None:
    assert make_server("OAUTHBEARER").step(KNOWN) == TokenGiven(
        "user@example.com", "vF9dft4qmTc2Nvb3RlckBhbHRhdmlzdGEuY29tCg=="
    )


def test_what_we_write_we_read() -> None:
    written = write_oauthbearer("a,b=c@example.com", "to.ken-1")
    assert make_server("OAUTHBEARER").step(written) == TokenGiven("a,b=c@example.com", "to.ken-1")
    written = write_xoauth2("a,b=c@example.com", "to.ken-1")
    assert make_server("XOAUTH2").step(written) == TokenGiven("a,b=c@example.com", "to.ken-1")


def test_no_name_leaves_it_to_the_token() -> None:
    assert make_server("OAUTHBEARER").step(b"n,,\x01auth=bearer x\x01\x01") == TokenGiven("", "x")


@pytest.mark.parametrize(
    ("mechanism", "message"),
    [
        ("OAUTHBEARER", b""),
        ("OAUTHBEARER", b"n,,\x01\x01"),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer x\x01"),
        ("OAUTHBEARER", b"n,,\x01auth=Basic x\x01\x01"),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer \x01\x01"),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01"),
        ("OAUTHBEARER", b"n,a=\xff,\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"p=tls-unique,,\x01auth=Bearer x\x01\x01"),
        ("OAUTHBEARER", b"n,,\x01auth=Bearer \xff\x01\x01"),
        ("XOAUTH2", b"auth=Bearer x\x01\x01"),
        ("XOAUTH2", b"user=u\x01auth=x\x01\x01"),
        ("XOAUTH2", b"user=\xff\x01auth=Bearer x\x01\x01"),
    ],
)
def test_refused(mechanism: str, message: bytes) -> None:
    with pytest.raises(SaslMalformed):
        make_server(mechanism).step(message)


def test_a_denied_token_gets_a_document_and_a_last_word() -> None:
    server = make_server("OAUTHBEARER")
    assert isinstance(server, BearerServer)
    server.step(KNOWN)
    assert server.deny(b"{}") == Challenge(b"{}")
    assert server.step(b"\x01") == Failed()


def test_documents() -> None:
    url = "https://id.example/.well-known/openid-configuration"
    document = {"status": "invalid_token", "openid-configuration": url}
    assert json.loads(denial("OAUTHBEARER", url)) == document
    assert json.loads(denial("OAUTHBEARER", "")) == {"status": "invalid_token"}
    assert json.loads(denial("XOAUTH2", url))["status"] == "401"


def test_tokens_are_not_shown() -> None:
    assert "secret" not in repr(TokenGiven("u", "secret"))
