import pytest

from postroad.model import Body, Envelope
from postroad.wire.smtp import LocalProtocolError
from postroad.wire.smtp.errors import RemoteProtocolError
from postroad.wire.smtp.parameters import (
    check_line,
    read_extensions,
    read_mail_parameters,
    split_parameters,
    write_mail_parameters,
)


def test_split() -> None:
    assert split_parameters("SIZE=10  smtputf8 x-a=b") == {
        "SIZE": "10",
        "SMTPUTF8": None,
        "X-A": "b",
    }


def test_extensions() -> None:
    lines = ["SIZE 1000", "pipelining", "AUTH PLAIN LOGIN", "AUTH=LOGIN", "X-EMPTY ", ""]
    assert read_extensions(lines) == {
        "SIZE": "1000",
        "PIPELINING": "",
        "AUTH": "PLAIN LOGIN",
        "X-EMPTY": "",
    }


def test_auth_of_old_servers() -> None:
    assert read_extensions(["AUTH=LOGIN PLAIN"]) == {"AUTH": "LOGIN PLAIN"}
    assert read_extensions(["AUTH=LOGIN", "AUTH PLAIN"]) == {"AUTH": "PLAIN"}


def test_binary_where_offered() -> None:
    given = Envelope(None, body=Body.BINARY_MIME)
    text = write_mail_parameters(given, None, utf8=True, extensions=("BINARYMIME", "SIZE"))
    assert text == " BODY=BINARYMIME SMTPUTF8"


def test_requiretls_where_offered() -> None:
    given = Envelope(None, requiretls=True)
    assert (
        write_mail_parameters(given, None, utf8=False, extensions=("REQUIRETLS",)) == " REQUIRETLS"
    )
    assert write_mail_parameters(given, None, utf8=False, extensions=()) == ""
    assert read_mail_parameters("REQUIRETLS", auth=False, requiretls=True) == {"requiretls": True}
    for text, allowed, code in (("REQUIRETLS", False, 555), ("REQUIRETLS=1", True, 501)):
        with pytest.raises(RemoteProtocolError) as refused:
            read_mail_parameters(text, auth=False, requiretls=allowed)
        assert refused.value.reply is not None
        assert refused.value.reply.code == code


def test_line() -> None:
    assert check_line("NOOP é\u200b") == "NOOP é\u200b\r\n".encode()
    with pytest.raises(LocalProtocolError):
        check_line("NOOP\r\nQUIT")
