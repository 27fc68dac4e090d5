"""Text of HTML."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.message.mime.html import MAX_LINKS, links_of_html, text_of_html
from tests.unit.message.mime.work import work


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("", ""),
        ("<p>One &amp; two</p><p>three<br>four", "One & two\n\nthree\nfour"),
        ("a <b>b</b>c\n\n  d", "a bc d"),
        ("<head><title>t</title></head><body>x", "x"),
        ("<style>p{}</style><script>a<b>c</script>x", "x"),
        ("<SCRIPT>never ends", ""),
        ("<head>never ends <p>x", "never ends\nx"),
        ("a<!-- b -->c<!-- d", "ac"),
        ("<!DOCTYPE html><?xml?>x", "x"),
        ("1 < 2 &lt; 3 <", "1 < 2 < 3 <"),
        ("<a href='x' title='>'>", "'>"),
        ("a<b", "a"),
        ("<tr><td>1</td><td>2</td></tr><tr><td>3", "1 2\n\n3"),
        (
            "&eacute;&#233;&#xE9;&#128;&#0;&#xD800;&#9999999;&nosuch;&",
            "ééé€\ufffd\ufffd\ufffd&nosuch;&",
        ),
        ("&#" + "9" * 6000 + ";", "\ufffd" + "9" * 5993 + ";"),
    ],
)
def test_text(source: str, text: str) -> None:
    assert text_of_html(source) == text


def test_links() -> None:
    source = (
        "<a href=\"https://a.example/x?y=1&amp;z\">x</a> <IMG SRC='http://b.example/i'> "
        "<form action=https://c.example> <a href='mailto:x@y'>"
    )
    assert links_of_html(source) == [
        "https://a.example/x?y=1&z",
        "http://b.example/i",
        "https://c.example",
    ]
    assert len(links_of_html("<a href=http://x>" * 2 * MAX_LINKS)) == MAX_LINKS


@given(st.text(alphabet="<>/!-&#;abscript x=\"'\n", max_size=80))
def test_nothing_raises(source: str) -> None:
    text_of_html(source)
    links_of_html(source)


@pytest.mark.parametrize(
    "piece", ["<", "<a", "<!--", "<script>", "</p>", "&", "&#", "<p ", "<head>", "href=", "< "]
)
def test_work_grows_as_the_source_does(piece: str) -> None:
    small, large = piece * 1000, piece * 4000
    assert work(lambda: text_of_html(large)) < work(lambda: text_of_html(small)) * 4.8 + 100
