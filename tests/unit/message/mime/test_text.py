"""The text of a message."""

from postroad.message.mime import MimeMessage
from postroad.message.mime.text import MessageText, text_of_message


def test_plain_text_is_preferred_and_links_come_from_html() -> None:
    data = (
        b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
        b"--b\r\n\r\nplain\r\n"
        b"--b\r\nContent-Type: text/html\r\n\r\n<a href='http://x.example/'>html</a>\r\n--b--"
    )
    found = text_of_message(MimeMessage(data))
    assert found == MessageText("plain", ("http://x.example/",))


def test_html_alone() -> None:
    data = b"Content-Type: text/html; charset=iso-8859-1\r\n\r\n<p>caf\xe9<script>x</script>"
    assert text_of_message(MimeMessage(data)).text == "café"


def test_no_more_than_asked_for() -> None:
    part = b"--b\r\n\r\n" + b"x" * 60 + b"\r\n"
    data = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + part * 3
    assert text_of_message(MimeMessage(data), 100).text == "x" * 60 + "\n" + "x" * 40
    assert text_of_message(MimeMessage(b"Content-Type: image/png\r\n\r\nx")).text == ""
