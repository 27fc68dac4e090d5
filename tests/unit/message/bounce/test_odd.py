import time

import pytest

from postroad.message.bounce.notice import read_notice
from postroad.message.bounce.odd import MAX_NESTED, OddBounce, read_odd_bounce
from postroad.message.parts import Part


def test_exim_names_them_in_a_field() -> None:
    message = b"X-Failed-Recipients: jo@there.test,\r\n ann@there.test\r\n\r\nwords\r\n"
    assert read_odd_bounce(message, []) == OddBounce(failed=("jo@there.test", "ann@there.test"))


def test_the_text_is_read_without_its_encoding_where_nothing_else_helps() -> None:
    text = b"Hi. This is the qmail-send program at there.test.\r\n\r\n<jo@there.test>:\r\nno mailbox\r\n"
    message = b"Content-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\nSGkuCg==\r\n"
    assert read_odd_bounce(message, [Part("text/plain", "", text)]).failed == ("jo@there.test",)


def test_a_warning_is_only_late() -> None:
    text = (
        b"Subject: x\r\n\r\nDelivery to the following recipient has been delayed:\r\n\r\n"
        b"     jo@there.test\r\n\r\nMessage will be retried for 2 more day(s)\r\n"
    )
    assert read_odd_bounce(text, []) == OddBounce(delayed=("jo@there.test",))


HEAD = (
    b"From: MAILER-DAEMON@yahoo.com\r\nX-Mailer: <SMTP32 v1>\r\n"
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
)
STARTS = (
    b"This Message was undeliverable due to the following reason:\r\n"
    b"Failed addresses follow:\r\nA message that you sent could not be delivered\r\n"
    b"Your message could not be delivered to\r\nYour message to:\r\nnot yet been delivered\r\n"
    b"the following addresses had\r\n"
)
PLAIN = HEAD + b"--b\r\nContent-Type: text/plain\r\n\r\n" + STARTS
HOSTILE = {
    "angle brackets": PLAIN + b"<" * 900_000,
    "lines of angle brackets": PLAIN + (b"<" * 240 + b"\r\n") * 4_000,
    "lines of at signs": PLAIN + (b",@" * 120 + b"\r\n") * 4_000,
    "lines of letters": PLAIN + (b"a" * 240 + b"\r\n") * 4_000,
    "lines of spaces": PLAIN + (b" " * 240 + b"\r\n") * 4_000,
    "short lines": PLAIN + b"x\r\n" * 300_000,
    "empty lines": PLAIN + b"\r\n" * 400_000,
    "base64 that is one line": HEAD
    + b"--b\r\nContent-Type: text/plain\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    + b"PDw8PDw8\r\n" * 90_000,
    "messages in messages": b"Content-Type: message/rfc822\r\n\r\n" * 30_000,
    "parts in parts": b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n)
        for n in range(15_000)
    ),
    "many parts": HEAD + b"--b\r\n\r\nx\r\n" * 100_000,
    "parameters": b"Content-Type: multipart/mixed; boundary=b"
    + b"; a*0*=x" * 100_000
    + b"\r\n\r\n--b\r\n",
    "parameters of a part": HEAD
    + b"--b\r\nContent-Type: text/plain"
    + b';\r\n a="' * 150_000
    + b"\r\n\r\n"
    + STARTS,
    "comments in From": b"From: " + b"(" * 900_000 + b"\r\n\r\nx\r\n",
    "failed recipients": b"X-Failed-Recipients: " + b"a@" * 400_000 + b"\r\n\r\nx\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_mail_costs_little(name: str) -> None:
    began = time.process_time()
    read_notice(HOSTILE[name])
    assert time.process_time() - began < 2.0  # half a second on a slow machine


def test_deep_nesting_is_not_given_to_the_library() -> None:
    inside = b"Hi. This is the qmail-send program\r\n\r\n<jo@there.test>:\r\n"
    deep = b"Content-Type: message/rfc822\r\n\r\n" * (MAX_NESTED + 1)
    assert not read_odd_bounce(b"Subject: x\r\n\r\n" + deep + inside, [])
