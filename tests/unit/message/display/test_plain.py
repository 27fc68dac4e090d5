"""Plain text as HTML."""

import time

import pytest

from postroad.message.display.plain import html_of_text


def inside(text: str, **how: bool) -> str:
    written = html_of_text(text, **how)
    return written.replace(' class="postroad-text"', "").replace(' class="postroad-quote"', "")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("a <b> & \"c\"\n", '<div>a &lt;b&gt; &amp; "c"</div>'),
        ("a\n> b\n>> c\nd", "<div>a</div><blockquote><div>b</div></blockquote><blockquote><blockquote>"
         "<div>c</div></blockquote></blockquote><div>d</div>"),
        ("", ""),
        ("a\0b\x1b", "<div>a�b�</div>"),
        ("> " * 100 + "x", "<blockquote>" * 8 + "<div>x</div>" + "</blockquote>" * 8),
    ],
)  # fmt: skip
def test_texts_and_quotes(text: str, written: str) -> None:
    assert inside(text) == written


@pytest.mark.parametrize(
    ("text", "address", "rest"),
    [
        ("see https://x.test/a?b=1&c=2.", "https://x.test/a?b=1&amp;c=2", "."),
        ("(http://x.test/a)", "http://x.test/a", ")"),
        ("http://x.test/a_(b)", "http://x.test/a_(b)", ""),
        ('https://x.test/"onclick="x', "https://x.test/", '"onclick="x'),
        ("<https://x.test/ä>", "https://x.test/ä", "&gt;"),
        ("ann@x.test, bob", "mailto:ann@x.test", ", bob"),
    ],
)
def test_links(text: str, address: str, rest: str) -> None:
    written = html_of_text(text)
    assert f'<a href="{address}" target="_blank" rel="noopener noreferrer">' in written
    assert written.endswith(f"</a>{rest}</div>")


def test_nothing_else_is_a_link() -> None:
    assert "<a" not in html_of_text(
        "javascript:alert(1) data:text/html,x ftp://x a@b xhttp://y @c.test"
    )


def test_flowed_lines_flow_and_stuffing_goes() -> None:
    text = "one \ntwo\n  three\n-- \nAnn\n> four \n> five\n"
    assert inside(text, flowed=True) == (
        "<div>one two\n three\n-- \nAnn</div><blockquote><div>four five</div></blockquote>"
    )
    assert inside("ab \ncd", flowed=True, delsp=True) == "<div>abcd</div>"


def test_a_long_quote_at_the_end_is_folded() -> None:
    written = html_of_text("yes\n" + "> no\n" * 11)
    assert "<details><summary>Quoted text</summary><blockquote" in written
    assert "<details>" not in html_of_text("> no\n" * 11)


@pytest.mark.parametrize(
    "piece", ["> ", "a", "a.", "@", "a@", "a@b.", "http://", "https://x ", "(", ">\n"]
)
def test_twice_as_long_takes_no_more_than_a_few_times_as_long(piece: str) -> None:
    def seconds(times: int) -> float:
        begun = time.perf_counter()
        html_of_text(piece * times, flowed=True)
        return time.perf_counter() - begun

    seconds(100)
    assert seconds(80_000) < 20 * seconds(10_000) + 0.5
