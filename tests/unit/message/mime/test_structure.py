"""The tree of parts by offsets."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from postroad.message.mime.part import Part
from postroad.message.mime.structure import (
    MAX_BOUNDARY,
    MAX_DEPTH,
    MAX_PARTS,
    read_structure,
)
from tests.unit.message.mime.work import grows


def tree(data: bytes) -> object:
    def of(part: Part) -> object:
        inside = [of(child) for child in part.children]
        return (part.media_type, inside) if inside else data[part.body : part.end]

    return of(read_structure(data))


MIXED = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"


def test_a_message_without_anything() -> None:
    assert read_structure(b"") == Part(0, 0, 0)
    assert tree(b"Subject: x") == b""
    assert tree(b"Subject: x\r\n") == b""
    assert tree(b"Subject: x\r\n\r\n") == b""
    assert tree(b"\r\nbody") == b"body"
    assert tree(b"Subject: x\r\n\r\nbody\r\n") == b"body\r\n"
    assert tree(b"Subject: x\n\nbody\n") == b"body\n"


def test_parts_end_where_the_delimiter_does_not_begin() -> None:
    data = (
        MIXED + b"preamble\r\n--b\r\n\r\none\r\n--b \t\r\nX: y\r\n\r\ntwo\r\n\r\n--b--\r\nepilogue"
    )
    assert tree(data) == ("multipart/mixed", [b"one", b"two\r\n"])
    assert tree(data.replace(b"\r\n", b"\n")) == ("multipart/mixed", [b"one", b"two\n"])


def test_what_only_looks_like_a_delimiter() -> None:
    inside = b"--bb\r\n-b\r\n --b\r\n--\r\n--B\r\n--b-"
    assert tree(MIXED + b"--b\r\n\r\n" + inside + b"\r\n--b--") == ("multipart/mixed", [inside])
    long = b"--b" + b" " * 5000
    assert tree(MIXED + b"--b\r\n\r\n" + long) == ("multipart/mixed", [long])


def test_a_boundary_that_ends_like_a_last_delimiter() -> None:
    data = b"Content-Type: multipart/mixed; boundary=b--\r\n\r\n--b--\r\n\r\none\r\n--b----\r\n"
    assert tree(data) == ("multipart/mixed", [b"one"])


def test_headers_that_never_end() -> None:
    data = MIXED + b"--b\r\nSubject: x\r\n--b\r\n\r\ntwo\r\n--b\r\n--b\r\nlast: one"
    assert tree(data) == ("multipart/mixed", [b"", b"two", b"", b""])


def test_an_outer_delimiter_ends_what_lies_within() -> None:
    inner = b"Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\none\r\n"
    data = MIXED + b"--b\r\n" + inner + b"--b\r\n\r\ntwo\r\n--c\r\n--b--\r\n--c\r\n"
    assert tree(data) == (
        "multipart/mixed",
        [("multipart/mixed", [b"one"]), b"two\r\n--c"],
    )


def test_the_same_boundary_within() -> None:
    data = MIXED + b"--b\r\n" + MIXED + b"--b\r\n\r\none\r\n--b--\r\n--b\r\n\r\ntwo"
    assert tree(data) == ("multipart/mixed", [("multipart/mixed", [b"one"]), b"two"])


def test_messages_and_digests() -> None:
    inner = b"Subject: in\r\nContent-Type: text/html\r\n\r\n<b>"
    data = b"Content-Type: message/rfc822\r\n\r\n" + inner
    root = read_structure(data)
    assert (root.media_type, root.is_message, root.is_multipart) == ("message/rfc822", True, False)
    assert [child.media_type for child in root.children] == ["text/html"]
    assert data[root.children[0].header :] == inner
    data = b"Content-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n" + inner + b"\r\n--b--"
    digest = read_structure(data)
    assert [part.media_type for part in digest.walk()] == [
        "multipart/digest",
        "message/rfc822",
        "text/html",
    ]
    encoded = b"Content-Type: message/rfc822\r\nContent-Transfer-Encoding: base64\r\n\r\nxxxx"
    assert read_structure(encoded).children == ()


def test_fields_of_a_part() -> None:
    data = (
        b"content-TYPE : Text/HTML; charset=utf-8; name=a.html\r\nContent-Type: image/png\r\n"
        b"Content-Disposition: ATTACHMENT;\r\n filename=b.html\r\n"
        b"Content-Transfer-Encoding: Base64 \r\nContent-ID: <x@y>\r\n\r\n"
    )
    part = read_structure(data)
    assert (part.media_type, part.charset, part.encoding) == ("text/html", "utf-8", "base64")
    assert (part.disposition.value, part.filename) == ("attachment", "b.html")
    assert part.content_id == "x@y"
    assert read_structure(b"Content-Type: what\r\n\r\n").media_type == "text/plain"
    assert read_structure(b"Content-Type: a/b/c; x=y\r\n\r\n").media_type == "text/plain"


def nested(levels: int) -> bytes:
    return b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(levels)
    )


def test_what_is_nested_too_deep_is_one_opaque_leaf() -> None:
    for data in (nested(1000), b"Content-Type: message/rfc822\r\n\r\n" * 1000):
        parts = list(read_structure(data).walk())
        assert len(parts) == MAX_DEPTH + 1
        assert [part.opaque for part in parts] == [False] * MAX_DEPTH + [True]
        assert parts[-1].end == len(data)
    # What lies beside it is still found.
    closing = b"\r\n--b0\r\n\r\nlast"
    assert len(read_structure(nested(1000) + closing).children) == 2


def test_after_too_many_parts_all_the_rest_is_one_opaque_leaf() -> None:
    data = MIXED + b"--b\r\n\r\nx\r\n" * 10_000 + b"--b--\r\n"
    root = read_structure(data)
    assert len(root.children) == MAX_PARTS - 1
    assert [child.opaque for child in root.children].count(True) == 1
    assert root.children[-1].opaque
    assert root.children[-1].end == root.end == len(data)


def test_a_boundary_that_is_too_long() -> None:
    boundary = b"b" * (MAX_BOUNDARY + 1)
    data = b"Content-Type: multipart/mixed; boundary=%b\r\n\r\n--%b\r\n\r\nx" % (boundary, boundary)
    root = read_structure(data)
    assert (root.opaque, root.children) == (True, ())


def test_a_multipart_without_boundary_is_a_leaf() -> None:
    assert tree(b"Content-Type: multipart/mixed\r\n\r\n--\r\n\r\nx") == b"--\r\n\r\nx"


LINES = st.sampled_from(
    [
        b"--b",
        b"--b--",
        b"--c",
        b"--c--",
        b"",
        b"text",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: multipart/digest; boundary=c",
        b"Content-Type: message/rfc822",
        b"--",
    ]
)
MESSAGES = st.builds(
    lambda lines, end: end.join(lines),
    st.lists(LINES, max_size=40),
    st.sampled_from([b"\r\n", b"\n"]),
)


@example(
    b"Content-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n\r\n--b\r\n--c"
)  # a message of a header alone, without a blank line
@given(MESSAGES | st.binary(max_size=200))
def test_parts_lie_in_each_other_and_beside_each_other(data: bytes) -> None:
    root = read_structure(data)
    assert (root.header, root.end) == (0, len(data))
    for part in root.walk():
        assert part.header <= part.body <= part.end
        at = part.body
        for child in part.children:
            assert at <= child.header <= child.end <= part.end
            at = child.end


@given(MESSAGES)
def test_line_ends_make_no_difference(data: bytes) -> None:
    lf = data.replace(b"\r\n", b"\n")
    crlf = lf.replace(b"\n", b"\r\n")

    def texts(message: bytes) -> list[tuple[str, bytes]]:
        return [
            (part.media_type, message[part.body : part.end].replace(b"\r\n", b"\n"))
            for part in read_structure(message).walk()
        ]

    assert texts(lf) == texts(crlf)


@pytest.mark.parametrize(
    "make",
    [
        nested,
        lambda n: b"Content-Type: message/rfc822\r\n\r\n" * n,
        lambda n: MIXED + b"--b\r\n\r\nx\r\n" * n,
        lambda n: MIXED + b"--b\r\nno blank line: x\r\n" * n,
        lambda n: (MIXED + b"--b\r\n\r\nx\r\n" * n).replace(b"\r\n", b"\n"),
        lambda n: (MIXED + b"--b\r\nno blank line: x\r\n" * n).replace(b"\r\n", b"\n"),
        lambda n: (MIXED + b"--b\r\n") * n,
        lambda n: MIXED + b"--x\r\n" * n,
        lambda n: MIXED + b"--" * n,
        lambda n: nested(MAX_DEPTH) + b"--b0x\r\n" * n,
        lambda n: b"X: y\r\n" * n,
    ],
)
def test_work_grows_as_the_message_does(make: Callable[[int], bytes]) -> None:
    assert grows(make, read_structure, 2_000) < 4 * 1.2
