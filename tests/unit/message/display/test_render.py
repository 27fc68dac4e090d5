"""Whole messages as pages."""

from postroad.message.display import DisplayLimits, Sources, render
from postroad.message.mime import MimeMessage, Part

MIXED = (
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
    b"--b\r\nContent-Type: text/plain; format=flowed\r\n\r\n"
    b"one \r\ntwo\r\n--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b"<style>p{color:red}</style><p onclick=x>three\r\n--b--\r\n"
)


def test_parts_stand_one_below_the_other() -> None:
    asked: list[Part] = []
    found = render(
        MimeMessage(MIXED), Sources(), DisplayLimits(), lambda part: asked.append(part) or "/p/1"  # type: ignore[func-returns-value]
    )  # fmt: skip
    one, picture, three = (found.html.index(each) for each in ("one two", "/p/1", "<p>three"))
    assert one < picture < three
    assert "p{color:red}" in found.html
    assert 'class="postroad-made"' in found.html
    assert [part.media_type for part in asked] == ["image/png"]
    assert not found.cut


def test_a_message_without_colours_follows_the_theme_and_one_with_them_is_turned_around() -> None:
    plain = MimeMessage(b"Content-Type: text/html\r\n\r\n<p><b>x</b>\r\n")
    assert 'class="postroad-plain"' in render(plain, Sources(), DisplayLimits()).html
    made = MimeMessage(b"Content-Type: text/html\r\n\r\n<table bgcolor=white><td>x</table>\r\n")
    page = render(made, Sources(), DisplayLimits()).html
    assert 'class="postroad-made"' in page
    assert "prefers-color-scheme:dark" in page
    assert "prefers-color-scheme" not in render(made, Sources(), DisplayLimits(), light=True).html


def test_what_is_too_long_is_cut_and_says_so() -> None:
    long = MimeMessage(b"Content-Type: text/html\r\n\r\n" + b"<b>x</b>" * 1_000)
    for limits in (DisplayLimits(max_octets=1_000), DisplayLimits(max_tags=100)):
        found = render(long, Sources(), limits)
        assert found.cut
        assert "too long to be shown" in found.html
    assert not render(long, Sources(), DisplayLimits()).cut


def test_a_message_without_text_says_so() -> None:
    for data in (b"", b"\r\n", b"Content-Type: application/pdf\r\n\r\nx", b"\xff\0"):
        assert render(MimeMessage(data), Sources(), DisplayLimits()).html.count("</html>") == 1
    assert (
        "no text"
        in render(
            MimeMessage(b"Content-Type: application/pdf\r\n\r\nx"), Sources(), DisplayLimits()
        ).html
    )
