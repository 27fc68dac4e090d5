"""What is written is read again as it was meant, and can be sent as it is."""

from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime import MimeMessage
from postroad.message.mime.write import Leaf, Multipart, write_message

TEXTS = st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace"))


def written(root: Leaf | Multipart, **fields: str) -> MimeMessage:
    data = write_message(list(fields.items()), root, boundary="=_b")
    assert data.isascii()
    assert data.count(b"\n") == data.count(b"\r\n") == data.count(b"\r")
    assert all(len(line) <= 998 for line in data.split(b"\r\n"))
    return MimeMessage(data)


def lines(data: bytes) -> bytes:
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


@given(TEXTS)
def test_texts(text: bytes) -> None:
    message = written(Leaf("text/plain", text, "utf-8"))
    assert message.root.charset == "utf-8"
    assert lines(message.body(message.root, 10**6)) == lines(text)


@given(st.binary(max_size=500), st.text(st.characters(exclude_categories=["C"]), max_size=90))
def test_binary_with_a_name(data: bytes, name: str) -> None:
    leaf = Leaf("application/x", data, name=name.strip(), disposition="attachment")
    message = written(Multipart("mixed", (Leaf("text/plain", b"x"), leaf)))
    _, attached = message.root.children
    assert message.body(attached, 10**6) == data
    assert "".join(attached.filename.split()) == "".join(name.split())


def test_a_tree() -> None:
    inner = Multipart("alternative", (Leaf("text/plain", b"a"), Leaf("text/html", b"<p>a")))
    picture = Leaf("image/png", b"\x89", cid="p@x", disposition="inline")
    assert picture.is_related
    message = written(Multipart("mixed", (Multipart("related", (inner, picture)),)), Subject="x")
    kinds = [part.media_type for part in message.root.walk()]
    assert kinds == [
        "multipart/mixed",
        "multipart/related",
        "multipart/alternative",
        "text/plain",
        "text/html",
        "image/png",
    ]
    assert [part.content_id for part in message.root.walk()][-1] == "p@x"
    assert message.text("subject") == "x"


def test_a_message_in_a_message_is_not_encoded() -> None:
    letter = b"Subject: in\r\n\r\nbody\n"
    message = written(Multipart("mixed", (Leaf("message/rfc822", letter),)))
    (part,) = message.root.children
    assert part.is_message
    assert message.body(part, 1000) == b"Subject: in\r\n\r\nbody\r\n"


def test_long_lines_are_folded() -> None:
    message = written(Leaf("text/plain", b"x" * 5000, "utf-8"))
    assert message.root.encoding == "quoted-printable"
    assert message.body(message.root, 10**5) == b"x" * 5000
