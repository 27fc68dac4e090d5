"""Messages whose links are replaced: nothing else of them changes, whatever they are made of."""

import base64
import email
import email.policy
import quopri
from email.message import EmailMessage, Message
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.tracking.message import MAX_HTML_OCTETS, Trackable

HTML = '<html><body>Grüße <a href="https://a.test/?x=1&amp;y=2">see</a></body></html>'
PICTURE = "https://t.test/o/x.gif"


def none(target: str) -> bool:
    return False


def link(target: str) -> str:
    return "https://t.test/c/" + "x" * 60 + "/" + str(len(target))


def sent(html: str, encoding: str, charset: str = "utf-8", *, alternative: bool = True) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["Subject"] = "x"
    if alternative:
        message.set_content("text https://a.test/\n")
        message.add_alternative(html, subtype="html", cte=encoding, charset=charset)
    else:
        message.set_content(html, subtype="html", cte=encoding, charset=charset)
    return message.as_bytes()


def html_of(data: bytes) -> str:
    for part in email.message_from_bytes(data).walk():
        if part.get_content_type() == "text/html":
            octets = part.get_payload(decode=True)
            assert isinstance(octets, bytes)
            return octets.decode(part.get_content_charset("utf-8"))
    raise AssertionError("no HTML")


def shape(message: "Message[str, str]") -> list[object]:
    """What a message is made of, but for the HTML and how it is encoded."""
    return [
        (
            [(n, v) for n, v in part.items() if n.lower() != "content-transfer-encoding"],
            part.get_payload(decode=True)
            if part.get_content_maintype() == "text" and part.get_content_subtype() != "html"
            else None,
        )
        for part in message.walk()
    ]


@pytest.mark.parametrize("alternative", [True, False])
@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_links_and_picture(encoding: str, alternative: bool) -> None:
    data = sent(HTML, encoding, alternative=alternative)
    trackable = Trackable(data, none)
    assert trackable.targets == ["https://a.test/?x=1&y=2"]
    assert trackable.shows_html
    written = trackable.written(link, PICTURE)
    wanted = HTML.replace("https://a.test/?x=1&amp;y=2", link("https://a.test/?x=1&y=2"))
    shown = f'<img src="{PICTURE}" width="1" height="1" alt="" style="border:0">'
    assert html_of(written).strip() == wanted.replace("</body>", shown + "</body>")
    assert shape(email.message_from_bytes(written)) == shape(email.message_from_bytes(data))
    assert trackable.written(link, None).count(b"t.test") == (encoding != "base64")
    assert max(map(len, written.split(b"\r\n"))) <= 998
    assert b"\n" not in written.replace(b"\r\n", b"")


def test_nothing_to_do_changes_no_octet() -> None:
    for encoding in ("quoted-printable", "base64", "8bit"):
        data = sent(HTML, encoding)
        assert Trackable(data, none).written(None, None) == data
        assert Trackable(data, lambda target: True).written(link, None) == data
    plain = b"Subject: x\r\n\r\n<a href=https://a.test/>\r\n"
    assert Trackable(plain, none).written(link, PICTURE) == plain
    assert not Trackable(plain, none).shows_html


def test_what_is_spared() -> None:
    html = '<a href="https://a.test/">1</a><a href="https://b.test/unsubscribe">2</a>'
    trackable = Trackable(sent(html, "8bit"), lambda target: "unsubscribe" in target)
    assert trackable.targets == ["https://a.test/"]
    assert "https://b.test/unsubscribe" in html_of(trackable.written(link, None))


def test_long_lines_become_quoted_printable() -> None:
    html = "".join(f'<a href="https://a.test/{n}">é</a>' for n in range(20))
    data = b"Subject: x\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    data += b"\r\n" + html.encode() + b"\r\n"
    written = Trackable(data, none).written(link, PICTURE)
    assert b"\r\nContent-Transfer-Encoding: quoted-printable\r\n" in written
    assert max(map(len, written.split(b"\r\n"))) <= 78
    assert html_of(written).count("https://t.test/c/") == 20
    assert "é" in html_of(written)


def test_a_part_without_an_encoding_gets_one() -> None:
    data = b"Content-Type: text/html\r\n\r\n" + b"<a href=https://a.test/>x</a>" * 20 + b"\r\n"
    written = Trackable(data, none).written(link, None)
    assert written.startswith(b"Content-Transfer-Encoding: quoted-printable\r\nContent-Type")
    assert html_of(written).count("t.test") == 20


def test_no_line_looks_like_a_delimiter() -> None:
    data = (
        b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n--b\r\nContent-Type: text/html\r\n'
        b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        b"=2D-b\r\n<a href=3Dhttps://a.test/>x</a>\r\n=2D-b--\r\n--b--\r\n"
    )
    written = Trackable(data, none).written(link, None)
    assert html_of(written).splitlines()[0] == "--b"
    assert html_of(written).rstrip().endswith("--b--")


@pytest.mark.parametrize(
    "kind",
    [
        "multipart/signed",
        "multipart/encrypted",
        "message/rfc822",
        "application/pkcs7-mime",
        "attachment",
        "utf-16",
        "iso-2022-jp",
    ],
)
def test_what_is_left_alone(kind: str) -> None:
    inner = b"Content-Type: text/html\r\n"
    if kind == "attachment":
        inner += b"Content-Disposition: attachment; filename=a.html\r\n"
    elif "/" not in kind:
        inner = b"Content-Type: text/html; charset=" + kind.encode() + b"\r\n"
    inner += b"\r\n<a href=https://a.test/>x</a>\r\n"
    if kind.startswith("multipart/"):
        data = f'Content-Type: {kind}; boundary="b"\r\n\r\n--b\r\n'.encode() + inner + b"--b--\r\n"
    elif "/" in kind:
        data = f"Content-Type: {kind}\r\n\r\n".encode() + inner
    else:
        data = inner
    trackable = Trackable(data, none)
    assert trackable.targets == []
    assert trackable.written(link, PICTURE) == data


def test_html_over_the_limit_is_left_alone() -> None:
    data = b"Content-Type: text/html\r\n\r\n<a href=https://a.test/>x</a>\r\n"
    data += b"<p>lorem ipsum</p>\r\n" * (MAX_HTML_OCTETS // 20 + 1)
    trackable = Trackable(data, none)
    assert trackable.targets == []
    assert trackable.written(link, PICTURE) == data


def test_the_picture_is_in_one_part_only() -> None:
    inner = b"--b\r\nContent-Type: text/html\r\n\r\n<a href=https://a.test/>x</a>\r\n"
    data = b'Content-Type: multipart/mixed; boundary="b"\r\n\r\n' + inner * 2 + b"--b--\r\n"
    written = Trackable(data, none).written(link, PICTURE)
    assert written.count(b"<img") == 1
    assert written.count(b"https://t.test/c/") == 2


@given(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n<>"), max_size=300),
    st.sampled_from(["quoted-printable", "base64", "8bit"]),
)
def test_text_around_stays(text: str, encoding: str) -> None:
    html = f'<p>{text}</p><a href="https://a.test/">x</a>'
    body = {
        "8bit": html.encode(),
        "base64": base64.encodebytes(html.encode()).replace(b"\n", b"\r\n"),
        "quoted-printable": quopri.encodestring(html.encode(), quotetabs=True).replace(
            b"\n", b"\r\n"
        ),
    }[encoding]
    head = (
        f"Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n"
    )
    written = Trackable(head.encode() + body, none).written(link, None)
    assert html_of(written).rstrip("\r\n") == html.replace(
        "https://a.test/", link("https://a.test/")
    )


@given(st.binary(max_size=2_000))
def test_never_raises(octets: bytes) -> None:
    Trackable(octets, none).written(link, PICTURE)
    Trackable(b"Content-Type: text/html\r\n\r\n<a href=http://a>" + octets, none).written(
        link, PICTURE
    )


OWN = "https://leave.test/u/"
MINE = "https://leave.test/u/" + "x" * 90


@pytest.mark.parametrize("encoding", ["quoted-printable", "base64", "8bit"])
def test_an_address_that_is_another_in_each_copy(encoding: str) -> None:
    message = EmailMessage(policy=email.policy.SMTP)
    message.set_content(f"Grüße. Leave: {OWN}\n{OWN}x {OWN}.", cte=encoding)
    message.add_alternative(
        f'<a href="{OWN}">1</a> <a data-no-track href={OWN}>2</a> <a href="{OWN}x">3</a> {OWN}',
        subtype="html",
        cte=encoding,
    )
    message.add_attachment(f"see {OWN}", filename="a.txt")
    data = message.as_bytes()
    trackable = Trackable(data, none, OWN)
    assert trackable.has_own
    assert trackable.targets == [f"{OWN}x"]
    written = email.message_from_bytes(trackable.written(None, None, MINE))
    plain, html, attached = (part.get_payload(decode=True) for part in leaves(written))
    assert plain.decode().splitlines() == [f"Grüße. Leave: {MINE}", f"{OWN}x {MINE}."]
    assert html.decode().strip() == (
        f'<a href="{MINE}">1</a> <a data-no-track href="{MINE}">2</a> <a href="{OWN}x">3</a> {OWN}'
    )
    assert attached.decode().strip() == f"see {OWN}"
    assert trackable.written(None, None, None) == data
    assert not Trackable(data, none).has_own
    # A picture is in HTML alone, though the text comes first.
    assert (
        b"<img"
        not in leaves(email.message_from_bytes(trackable.written(None, PICTURE, MINE)))[
            0
        ].as_bytes()
    )


def leaves(message: "Message[str, str]") -> list[Any]:
    return [part for part in message.walk() if not part.is_multipart()]
