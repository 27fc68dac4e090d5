"""HTML written anew: balanced, bounded, of allowed tags and attributes alone, in linear time."""

import re
import time

import nh3
import pytest
from hypothesis import given
from hypothesis import strategies as some

from postroad.message.display import Sources
from postroad.message.display.allow import ALLOWED, VOID
from postroad.message.display.tidy import MAX_DEPTH, tidy

_TAG = re.compile(r"<(/?)([a-z0-9]+)((?: [a-z]+=\"[^\"<>]*\")*)>")


def body(source: str, sources: Sources | None = None) -> str:
    return tidy(source, sources or Sources(lambda cid: f"/p/{cid}"), 1_000).body


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("a < b & c &amp; d &lt; e", "a &lt; b &amp; c &amp; d &lt; e"),
        ("&copy &#x41; &#0; &nope;", "© A � &amp;nope;"),
        ("<p>a<p>b<div>c</div></p>d", "<p>a</p><p>b</p><div>c</div>d"),
        ("<ul><li>a<li>b<ul><li>c</ul></ul>", "<ul><li>a</li><li>b<ul><li>c</li></ul></li></ul>"),
        (
            "<table><td>a<td>b<tr><td>c</table>d",
            "<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>d",
        ),
        ("<table>x<tr>y", "<table><tr><td>x</td></tr><tr><td>y</td></tr></table>"),
        ("<td>x</td>", "x"),
        (
            "<table><tr><td><div>x</td></div><td>y</table>",
            "<table><tr><td><div>x</div></td><td>y</td></tr></table>",
        ),
        ("<b><i>x</b>y", "<b><i>x</i></b>y"),
        ("<a href=#x>x<a href=#y>y", '<a href="#x">x</a><a href="#y">y</a>'),
        ("<FONT Color='red' onclick=x FACE=a>x", '<font color="red" face="a">x</font>'),
        ("<blink>x</blink><o:p>y</o:p>", "xy"),
        ("a<script>b</script>c<svg><p>d</svg>e", "ace"),
        ("a<textarea><b>x</textarea>b<template>c</template>d", "abd"),
        ("a<script>b", "a"),
        ("a<!-- b -->c<!--> d<?e?>f<!DOCTYPE g>h</>i", "ac dfhi"),
        ("a<b c='d", "a"),
        ("<img src=cid:a><img src=cid:a width=1><img alt=x>", '<img src="/p/a">'),
        ("<img src=http://x.test/a alt='\"<'>", '<img class="postroad-hidden" alt="&quot;&lt;">'),
        ("<td background=cid:a>x", "x"),
        ("<body bgcolor=red text=blue>x</body>y", '<div bgcolor="red">x</div>y'),
        (
            "<a href='HTTPS://x.test/ a\"' title=bank>x</a>",
            '<a title="HTTPS://x.test/%20a%22" href="HTTPS://x.test/%20a%22" target="_blank">x</a>',
        ),
        ("<a href='java\nscript:x'>x</a>", "<a>x</a>"),
        ("<td colspan=2>", ""),
        ("<table><td colspan=99999 rowspan=2>", '<table><tr><td rowspan="2"></td></tr></table>'),
        ("<details open><summary>x", '<details open=""><summary>x</summary></details>'),
    ],
)
def test_what_is_written(given: str, written: str) -> None:
    assert body(given) == written


def test_pictures_of_the_web_are_counted_and_shown_where_that_is_asked_for() -> None:
    asked: list[str] = []
    sources = Sources(remote=lambda url: asked.append(url) or f"/w/{len(asked)}")  # type: ignore[func-returns-value]
    page = "<img src=//x.test/a><div background='http://x.test/b'></div><p style='background:url(https://x.test/c)'>"
    written = body(page, sources)
    assert asked == ["https://x.test/a", "http://x.test/b", "https://x.test/c"]
    assert sources.remote_pictures == 3
    assert written == (
        '<img src="/w/1"><div style="background-image:url(&quot;/w/2&quot;)"></div>'
        '<p style="background:url(&quot;/w/3&quot;)"></p>'
    )


@given(
    some.lists(
        some.sampled_from(
            [
                "<table>",
                "</table>",
                "<td>",
                "</td>",
                "<tr>",
                "</tr>",
                "<tbody>",
                "<caption>",
                "<p>",
                "</p>",
                "<div>",
                "</div>",
                "<b>",
                "</b>",
                "<a>",
                "</a>",
                "<li>",
                "<ul>",
                "</ul>",
                "<dd>",
                "<img/>",
                "<br>",
                "<!--",
                "-->",
                "x",
                "<",
                ">",
                "&",
                "&lt",
                "<svg>",
                "</svg>",
                "<style>",
                "</style>",
                '"',
                "'",
                "=",
                "/",
                "<pre>",
                "<h1>",
                "</h1>",
                "<col>",
                "<body>",
                "</body>",
                "<td/background=x",
                "<font\tcolor=''",
            ]
        ),
        max_size=40,
    )
)
def test_anything_is_balanced_and_read_alike_by_a_parser_of_browsers(pieces: list[str]) -> None:
    written = body("".join(pieces))
    stack: list[str] = []
    rest = _TAG.sub("", written)
    assert "<" not in rest
    assert ">" not in rest.replace("->", "")[:0]
    for closing, name, _ in _TAG.findall(written):
        assert name in ALLOWED
        if closing:
            assert stack.pop() == name
        elif name not in VOID:
            stack.append(name)
            assert len(stack) <= MAX_DEPTH
    assert stack == []
    once = nh3.clean(written, tags=set(ALLOWED))
    # What browsers add (tbody) they do not take away: no element moves out of another.
    assert len(once) <= 3 * len(written) + 200


def test_tags_behind_the_last_one_are_left_out() -> None:
    found = tidy("<b>x</b>" * 10, Sources(), 4)
    assert found.body == "<b>x</b><b>x</b>" + "x" * 8
    assert found.cut


@pytest.mark.parametrize(
    "piece",
    [
        "<div>", "<b>", "<table>", "<table><tr><b><td></td>x", "<a href='", "<!--", "<", "<svg>", "<li>",
        "<font color=", "<style>", "&#", "&#9999999999", "<img src=cid:x>", "</div>", "<p a='",
        "<p a=b ",
        "<style>a{", "<math><mi>", "<a><div>", "<![CDATA[", "<textarea>", "<p><b a=1>",
    ],
)  # fmt: skip
def test_twice_as_long_takes_no_more_than_a_few_times_as_long(piece: str) -> None:
    def seconds(times: int) -> float:
        begun = time.perf_counter()
        nh3.clean(tidy(piece * times, Sources(), 30_000).body, tags=set(ALLOWED))
        return time.perf_counter() - begun

    seconds(100)
    assert seconds(40_000) < 20 * seconds(5_000) + 0.5
