"""A message as readers want it."""

from base64 import encodebytes

from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime import MimeMessage, text_of_message

DATA = (
    b"From: =?utf-8?q?J=C3=B8rn?= <j@x.example>\r\nSubject: One\r\n two\r\nSubject: other\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nX-Inner: y\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=E9 =3D\r\n--b--\r\n"
)


def test_fields() -> None:
    for data in (DATA, DATA.replace(b"\r\n", b"\n")):
        message = MimeMessage(data)
        assert message.text("subject") == "One two"
        assert message.text("to") == ""
        assert [(each.name, each.address) for each in message.addresses("from")] == [
            ("Jørn", "j@x.example")
        ]
        names = [name for name, _ in message.fields()]
        assert names == ["from", "subject", "subject", "content-type"]
        (part,) = message.root.children
        assert [field.name for field in message.header(part).fields] == [
            "X-Inner",
            "Content-Transfer-Encoding",
        ]


def test_bodies() -> None:
    message = MimeMessage(DATA)
    (part,) = message.root.children
    assert message.body(part, 100) == b"\xe9 ="
    assert message.body(part, 1) == b"\xe9"
    assert message.body_text(part, 100) == "é ="
    assert message.body(message.root, 3) == b"--b"


def test_a_part_without_header() -> None:
    for data in (b"\n", b"\r\n", b"\nx", b""):
        assert MimeMessage(data).fields() == []


def test_a_message_in_base64() -> None:
    head = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    message = MimeMessage(head + encodebytes(b"Subject: in\n\ntext\n"))
    inner = message.inner(message.root)
    assert inner is not None
    assert inner.text("subject") == "in"
    assert inner.inner(inner.root) is None
    data = b"Subject: core\n\n"
    for _ in range(12):
        data = head + encodebytes(data)
    found, depth = MimeMessage(data), 0
    while (deeper := found.inner(found.root)) is not None:
        found, depth = deeper, depth + 1
    assert 2 < depth < 12, "not for ever"


@given(st.binary(max_size=300))
def test_nothing_raises(data: bytes) -> None:
    message = MimeMessage(data)
    message.fields()
    message.text("subject")
    message.addresses("to")
    text_of_message(message)
    for part in message.root.walk():
        message.body_text(part, 100)
        message.inner(part)
