"""Elements of XML, without its dangers."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dmarc_report.markup import MAX_DEPTH, MAX_TEXT, read_element
from postroad.trust.dmarc_report.report import ReportInvalid


def text_of(inner: str) -> str:
    return read_element(f"<r><a>{inner}</a></r>".encode(), "r").get("a")


@pytest.mark.parametrize(
    ("inner", "text"),
    [
        ("x", "x"),
        ("  x\n", "x"),
        ("a &amp; b &lt;c&gt; &quot;&apos;", "a & b <c> \"'"),
        ("&#65;&#x42;", "AB"),
        ("&#xD800;&#9999999;", "\ufffd\ufffd"),
        ("&bomb;", "&bomb;"),
        ("<![CDATA[<b>&amp;]]>", "<b>&amp;"),
        ("a<!-- <b> -->c", "ac"),
        ("<?php x ?>y", "y"),
        ("1 < 2 > 0", "1 < 2 > 0"),
        ("<jo@here.test>", "<jo@here.test>"),
        ("ä\u0000", "ä\x00"),
        ("x" * 5000, "x" * MAX_TEXT),
    ],
)
def test_texts(inner: str, text: str) -> None:
    assert text_of(inner) == text


def test_names_and_attributes() -> None:
    data = b'<x:r xmlns:x="urn:y"><x:a k=">"/><a b="c">1</a><c/></x:r> <r><a>2</a></r>'
    root = read_element(data, "r")
    assert [child.name for child in root.children] == ["a", "a", "c"]
    assert read_element(b"<r/>", "r").children == []
    assert read_element(b"<r></r>".decode().encode("utf-16"), "r").children == []


def test_elements_that_are_not_ended() -> None:
    root = read_element(b"<r><a><b>1</a><c>2</c></x></r>", "r")
    assert [child.name for child in root.children] == ["a", "c"]


@pytest.mark.parametrize("data", [b"", b"<x/>", b"no xml", b"<r><a>", b"<r>" * 100])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ReportInvalid):
        read_element(data, "r")


BILLION = (
    b'<!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">'
    b'<!ENTITY x SYSTEM "file:///etc/passwd">]><r><a>&b;&x;</a></r>'
)


def test_entities_are_never_expanded() -> None:
    assert read_element(BILLION, "r").get("a") == "&b;&x;"


def test_depth_is_bounded() -> None:
    deep = b"<r>" + b"<a>" * MAX_DEPTH
    with pytest.raises(ReportInvalid, match="in each other"):
        read_element(deep, "r")


@pytest.mark.parametrize(
    "data",
    [
        b"<r>" + b"<!--" * 1_000_000,
        b"<r>" + b"<![CDATA[" * 500_000,
        b"<r>" + b"<" * 3_000_000,
        b"<r>" + b"<a " * 1_000_000,
        b"<r><" + b"a:" * 1_500_000,
        b"<r><a " + b"x=y " * 1_000_000,
        b"<r>" + b'<a "' * 1_000_000,
        b"<r><a " + b'"' * 3_000_001,
        b"<r>" + b"&#" * 1_500_000 + b"</r>",
        b"<r>" + b"</a>" * 500_000 + b"</r>",
    ],
)
def test_hostile_texts_take_linear_time(data: bytes) -> None:
    began = time.perf_counter()
    with contextlib.suppress(ReportInvalid):
        read_element(data, "r")
    assert time.perf_counter() - began < 5


@given(st.binary(max_size=300))
def test_never_raises_anything_else(data: bytes) -> None:
    for each in (data, b"<r>" + data + b"</r>"):
        try:
            read_element(each, "r")
        except ReportInvalid:
            continue
