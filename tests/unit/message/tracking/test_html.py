"""Links in HTML: which are found, and that finding them takes no longer for hostile documents."""

import time

import pytest

from postroad.message.tracking.html import MAX_LINKS, find_links, place_of_picture


def targets(document: bytes) -> list[str]:
    return [each.target for each in find_links(document) if not each.spared]


@pytest.mark.parametrize(
    ("document", "target"),
    [
        (b'<a href="https://a.test/">x</a>', "https://a.test/"),
        (b"<A HREF='http://a.test/?q=1'>x</A>", "http://a.test/?q=1"),
        (b"<a href=https://a.test/x>x</a>", "https://a.test/x"),
        (b'<a class="b" href = "https://a.test/" id=c>x</a>', "https://a.test/"),
        (b'<a\r\n  href="https://a.test/"\r\n>x</a>', "https://a.test/"),
        (b'<a href=" https://a.test/ ">x</a>', "https://a.test/"),
        (b'<a href="https://a.test/?a=1&amp;b=2&#38;c=3">x</a>', "https://a.test/?a=1&b=2&c=3"),
        # As browsers do: what has no semicolon is no entity in front of a letter or "=".
        (b'<a href="https://a.test/?a=1&copy=2">x</a>', "https://a.test/?a=1&copy=2"),
        (b'<area href="https://a.test/">', "https://a.test/"),
        (b'<a title="a > b" href="https://a.test/">x</a>', "https://a.test/"),
        (b'<a href="https://a.test/" href="https://b.test/">x</a>', "https://a.test/"),
        (b'<a/href="https://a.test/">x</a>', "https://a.test/"),
    ],
)
def test_found(document: bytes, target: str) -> None:
    assert targets(document) == [target]


@pytest.mark.parametrize(
    "document",
    [
        b'<a href="mailto:a@b.test">x</a>',
        b'<a href="tel:+1">x</a>',
        b'<a href="#top">x</a>',
        b'<a href="/relative">x</a>',
        b'<a href="//host/">x</a>',
        b'<a href="javascript:alert(1)">x</a>',
        b'<a href="">x</a>',
        b"<a href>x</a>",
        b"<a>x</a>",
        b'<a href="https://a.test/" data-no-track>x</a>',
        b'<a data-no-track="1" href="https://a.test/">x</a>',
        b'<link href="https://a.test/style.css">',
        b'<abbr href="https://a.test/">x</abbr>',
        b'<img src="https://a.test/">',
        b'<!-- <a href="https://a.test/">x</a> -->',
        b'<!--[if mso]><a href="https://a.test/">x</a><![endif]-->',
        b"<script>\"<a href='https://a.test/'>\"</script>",
        b'<style>/* <a href="https://a.test/"> */</style>',
        b'<title><a href="https://a.test/"></title>',
        b'<script><a href="https://a.test/">',
        b'<a href="https://a.test/a b">x</a>',
        b'<a href="https://a.test/\xc3\xa9">x</a>',
        b'<a href="https://a.test/?a=&#38b">x</a>',
        b'<a href="https://a.test/&eacute;">x</a>',
        b'<a href="https://a.test/' + b"a" * 2_000 + b'">x</a>',
        b'<a href="https://a.test/',
        b'<!-- <a href="https://a.test/">x</a>',
        b"",
    ],
)
def test_left_alone(document: bytes) -> None:
    assert targets(document) == []


def test_places_are_those_of_the_values() -> None:
    document = b'<p>1 <a href="https://a.test/">x</a> <a href=https://b.test/>y</a></p>'
    values = [document[each.start : each.end] for each in find_links(document)]
    assert values == [b'"https://a.test/"', b"https://b.test/"]


def test_what_is_behind_scripts_and_comments_is_found() -> None:
    document = b"<!-- x --><style>a{}</style><script>1</script ><a href=https://a.test/>x</a>"
    assert targets(document) == ["https://a.test/"]


def test_no_more_than_the_limit() -> None:
    assert len(targets(b"<a href=https://a.test/>" * (MAX_LINKS + 5))) == MAX_LINKS


@pytest.mark.parametrize(
    "piece",
    [
        b"<a ",
        b'<a href="',
        b"<a href='",
        b"<a href=\"'",
        b"<!--",
        b"<script>",
        b"<a href=",
        b"<a ==",
    ],
)
def test_hostile_documents_take_no_longer(piece: bytes) -> None:
    document = piece * (1_000_000 // len(piece))
    began = time.process_time()
    find_links(document)
    place_of_picture(document)
    assert time.process_time() - began < 2.0


def test_where_a_picture_goes() -> None:
    for document, before in (
        (b"<html><body>x</body></html>", b"</body></html>"),
        (b"<html>x</HTML>", b"</HTML>"),
        (b"x", b""),
        (b"</body>x</BODY >", b"</BODY >"),
    ):
        assert document[place_of_picture(document) :] == before
