"""Rendering: what comes of it, and what strangers cannot do."""

from typing import Any

import msgspec
import pytest

from postroad.message.template import render
from postroad.message.template.render import check_source
from postroad.model import Rendered, RenderJob, RenderLimits, TemplateSource
from postroad.ports import Fault, TemplateFailed

EVIL = "<img src=x onerror=alert(1)>\"'&lt;"
HTML_EVIL = "&lt;img src=x onerror=alert(1)&gt;"


def made(
    data: Any,
    layout: TemplateSource | None = None,
    limits: RenderLimits | None = None,
    **parts: str,
) -> Rendered:
    raw = msgspec.Raw(msgspec.json.encode(data))
    return render(RenderJob(TemplateSource(**parts), layout, raw, limits or RenderLimits()))


def fault(data: Any, layout: TemplateSource | None = None, **parts: Any) -> Fault:
    with pytest.raises(TemplateFailed) as caught:
        made(data, layout, **parts)
    return caught.value.fault


def test_data_is_filled_in_and_escaped_where_it_is_html() -> None:
    got = made(
        {"who": "A&B", "url": "https://a.example/?x=1&y=2"},
        subject=" Hi\n {{ who }} ",
        html='<p>{{ who }} <a href="{{ url }}">go</a></p>',
        text="{{ who }}",
    )
    assert got.subject == "Hi A&B"
    assert got.html == '<p>A&amp;B <a href="https://a.example/?x=1&amp;y=2">go</a></p>'
    assert got.text == "A&B"


def test_a_missing_text_is_derived() -> None:
    assert made({}, html="<p>Hi <b>you</b></p>").text == "Hi you"


def test_styles_go_into_the_elements_and_nothing_is_loaded() -> None:
    got = made(
        {},
        html="<html><head><style>p { color: red }</style>"
        '<link rel="stylesheet" href="file:///etc/passwd"></head><body><p>x</p></body></html>',
    )
    assert '<p style="color: red;">x</p>' in got.html
    assert "root:" not in got.html


MJML = "<mjml><mj-body><mj-section><mj-column>{}</mj-column></mj-section></mj-body></mjml>"


def test_mjml_becomes_html_with_escaped_data() -> None:
    body = '<mj-text>{{ x }}</mj-text><mj-button href="{{ x }}">{{ x }}</mj-button>'
    got = made({"x": EVIL}, mjml=MJML.format(body))
    assert "<table" in got.html
    assert got.html.count(HTML_EVIL) == 2
    assert "><img" not in got.html
    assert got.text.count("onerror") == 2


def test_layouts_stand_around_each_part() -> None:
    layout = TemplateSource(
        html="<main>{{ content }}</main>{{ x }}", text="{{ content }}\n-- \n{{ x }}"
    )
    got = made({"x": "<b>"}, layout, html="<p>{{ x }}</p>", text="T {{ x }}")
    assert got.html == "<main><p>&lt;b&gt;</p></main>&lt;b&gt;"
    assert got.text == "T <b>\n-- \n<b>"


def test_a_layout_in_mjml() -> None:
    layout = TemplateSource(mjml=MJML.format("{{ content }}<mj-text>foot</mj-text>"))
    got = made({}, layout, mjml="<mj-text>inner</mj-text>")
    assert got.text.split() == ["inner", "foot"]


@pytest.mark.parametrize(
    ("source", "layout", "words"),
    [
        (TemplateSource("s"), None, "one of html, mjml and text"),
        (TemplateSource(html="a", mjml="b"), None, "exclude"),
        (TemplateSource(html="a"), TemplateSource(mjml="b"), "the layout is mjml"),
        (TemplateSource(mjml="a"), TemplateSource(html="b"), "the layout is html"),
        (TemplateSource(html="a"), TemplateSource(html="b", layout="c"), "a layout itself"),
    ],
)
def test_what_does_not_fit_together(
    source: TemplateSource, layout: TemplateSource | None, words: str
) -> None:
    with pytest.raises(TemplateFailed, match=words):
        check_source(source, layout)


def test_a_missing_variable_is_named_with_its_line() -> None:
    found = fault({"user": {}}, html="<p>\n\n{{ user.name }}</p>")
    assert found == Fault("the variable 'user.name' is missing in the data", "html", 3, "user.name")
    assert str(found) == "html, line 3: the variable 'user.name' is missing in the data"
    layout = TemplateSource(html="{{ content }}\n{{ foot }}")
    assert fault({}, layout, html="x").part == "layout html"


def test_syntax_errors_tell_the_line() -> None:
    found = fault({}, subject="s", text="a\n{% if %}")
    assert (found.part, found.line, found.variable) == ("text", 2, "")


LOOP = "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}"
DOUBLE = "{% set x = 'aaaaaaaaaaaaaaaaaaaa' %}" + "{% set x = x ~ x %}" * 40 + "{{ x }}"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (LOOP, "too many steps"),
        (DOUBLE, "too many steps"),
        ("{{ 'a' * 1000000000 }}", "too many steps"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "recursion"),
        ("{% include '/etc/passwd' %}", "non-existing"),
        ("{{ debug() }}", "unknown"),
        ("{{ x.__class__ }}", "missing"),
    ],
)
def test_no_template_gets_away(text: str, words: str) -> None:
    assert words in fault({"x": 5}, text=text).detail


def test_mjml_includes_nothing() -> None:
    assert (
        "include"
        in fault({}, mjml='<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>').detail
    )


def test_output_is_bounded() -> None:
    limits = RenderLimits(max_output_octets=1000)
    assert "more than 1000" in fault({"x": "ü" * 600}, limits=limits, text="{{ x }}").detail


def test_data_is_bounded_and_an_object() -> None:
    deep: dict[str, Any] = {}
    for _ in range(32):
        deep = {"a": deep}
    assert "nested" in fault(deep, text="x").detail
    assert made(deep["a"], text="x").text == "x"
    assert "object" in fault([1], text="x").detail


@pytest.mark.parametrize("evil", ["a\x00", "a\x1b[2J", "a" * 501])
def test_a_subject_is_one_clean_line(evil: str) -> None:
    assert fault({"x": evil}, subject="{{ x }}", text="x").part == "subject"
    assert made({"x": "a\r\nBcc: b"}, subject="{{ x }}", text="x").subject == "a Bcc: b"
