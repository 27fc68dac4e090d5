"""Tokens of messages."""

from hypothesis import given
from hypothesis import strategies as st

from postroad.message.tokens import MAX_MESSAGE_OCTETS, MAX_TOKENS, tokens_of
from tests.unit.message.mime.work import work

LETTER = (
    "From: Cheap Pills <Sales@news.pills.example>\r\nReply-To: x@other.example\r\n"
    "Subject: =?utf-8?q?Buy_NOW!!?=\r\nX-Mailer: The Bat! 1.53d bulk\r\nList-Id: L <l.x.example>\r\n"
    "Content-Type: text/html; charset=utf-8\r\n\r\n"
    "<p>Dear friend, <a href='http://click.pills.example:80/x'>buy</a> extraordinarily-long-word-here"
    " or write to someone-special@elsewhere.example 日本語です<script>hidden</script>"
).encode()


def test_what_tokens_there_are() -> None:
    assert tokens_of(LETTER) == (
        "subject:buy",
        "subject:now",
        "from:sales@news.pills.example",
        "from:news.pills.example",
        "from:pills.example",
        "from:cheap",
        "from:pills",
        "reply-to:x@other.example",
        "reply-to:other.example",
        "mailer:the bat!",
        "list:l.x.example",
        "part:text/html",
        "charset:utf-8",
        "link:click.pills.example",
        "link:pills.example",
        "dear",
        "friend",
        "buy",
        "long:e30",
        "write",
        "mail:elsewhere.example",
        "日本語です",
        "日本",
        "本語",
        "語で",
        "です",
    )


def test_links_in_plain_text_and_names_of_files() -> None:
    data = (
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nsee https://a.b.example/x\r\n"
        b"--b\r\nContent-Type: application/zip; name=Invoice.ZIP\r\n\r\nx\r\n--b--\r\n"
    )
    found = tokens_of(data)
    assert {"link:a.b.example", "link:b.example", "file:zip", "part:application/zip"} <= set(found)


def test_bounds() -> None:
    many = b"\r\n" + b" ".join(b"w%06d" % number for number in range(9_000))
    assert len(tokens_of(many)) == MAX_TOKENS
    assert tokens_of(many, 3) == ("part:text/plain", "w000000", "w000001")
    long = b"Subject: " + b"x" * 500_000 + b"\r\n\r\n"
    assert all(len(token) <= 60 for token in tokens_of(long))
    head = b"\r\nword " + b" " * MAX_MESSAGE_OCTETS
    assert "late" not in tokens_of(head + b"late")


def test_work_is_bounded_by_the_limits() -> None:
    small, large = b"\r\n" + b"a&b <p " * 20_000, b"\r\n" + b"a&b <p " * 80_000
    assert work(lambda: tokens_of(large)) < 4.8 * work(lambda: tokens_of(small))


@given(st.binary(max_size=300))
def test_never_raises_and_is_always_the_same(data: bytes) -> None:
    assert tokens_of(data) == tokens_of(data)
