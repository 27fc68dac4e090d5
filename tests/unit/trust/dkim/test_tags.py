import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.trust.dkim.result import Refused
from postroad.trust.dkim.tags import MAX_LIST_OCTETS, TagList, base64, domain, number, words


def refusal(data: bytes) -> str:
    with pytest.raises(Refused) as caught:
        TagList.parse(data)
    return caught.value.reason


def test_tags_and_the_space_around_them() -> None:
    tags = TagList.parse(b" v = 1;\r\n\ta=b c ;x=;")
    assert tags.values == {"v": b"1", "a": b"b c", "x": b""}
    assert tags.without("a") == b" v = 1;\r\n\ta=;x=;"


@pytest.mark.parametrize("data", [b"", b";", b"a", b"a=1;;b=2", b"a=1;b", b"=1", b"1a=2", b"a b=1"])
def test_what_is_no_list(data: bytes) -> None:
    assert "no tag" in refusal(data)


@pytest.mark.parametrize("octet", [0, 1, 8, 11, 12, 27, 127, 10, 13])
def test_control_characters_are_refused_and_nothing_is_cut_off(octet: int) -> None:
    assert "control character" in refusal(b"d=example.org%c.evil.test" % octet)


def test_doubles_and_floods_are_refused() -> None:
    assert refusal(b"a=1; A=2; a=3") == "two tags a="
    assert "tags" in refusal(b"".join(b"t%d=1;" % index for index in range(65)))
    assert "octets" in refusal(b"a=" + b"x" * MAX_LIST_OCTETS)
    assert len(TagList.parse(b"".join(b"t%d=1;" % index for index in range(64))).values) == 64


@given(st.binary(max_size=200) | st.text("ab=; \t\r\n", max_size=60).map(str.encode))
def test_nothing_but_refused_is_raised(data: bytes) -> None:
    try:
        tags = TagList.parse(data)
    except Refused:
        return
    for name in tags.values:
        for read in (
            lambda name=name: number(tags, name, 12),
            lambda name=name: base64(tags, name),
            lambda name=name: domain(tags.values[name], name),
            lambda name=name: words(tags.values[name]),
        ):
            try:
                read()
            except Refused:
                continue


@pytest.mark.parametrize("text", [b"12", b"0", b"999999999999"])
def test_numbers(text: bytes) -> None:
    assert number(TagList.parse(b"t=" + text), "t", 12) == int(text)


@pytest.mark.parametrize(
    "text", [b"", b"-1", b"+1", b"1 2", b"1.5", b"1234567890123", b"x", b"\xd9\xa1"]
)
def test_no_numbers(text: bytes) -> None:
    with pytest.raises(Refused):
        number(TagList.parse(b"t=" + text), "t", 12)


@pytest.mark.parametrize("text", [b"AA=", b"A", b"AA==AA==", b"A*==", b"====", b""])
def test_no_base64(text: bytes) -> None:
    with pytest.raises(Refused):
        base64(TagList.parse(b"b=" + text), "b")


def test_base64_may_be_folded() -> None:
    assert base64(TagList.parse(b"b=aGVs\r\n\t bG8 ="), "b") == b"hello"


@pytest.mark.parametrize("text", [b"example.org", b"_x.a-b.c", b"1.2", "bücher.example".encode()])
def test_domains(text: bytes) -> None:
    assert domain(text.upper() if text.isascii() else text, "d", 2) == text.decode()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"org",
        b".org",
        b"a..b",
        b"a.b.",
        b"-a.b",
        b"a-.b",
        b"legitimate.com(.attacker.com",
        b"a.b\0.c",
        b"a b.c",
        b"a@b.c",
        b"\xff.org",
        b"a." + b"x" * 64,
        b"a." * 127 + b"b",
    ],
)
def test_no_domains(text: bytes) -> None:
    with pytest.raises(Refused):
        domain(text, "d", 2)


def test_time_is_linear() -> None:
    before = time.process_time()
    for hostile in (b"a=" + b"\r\n " * 5000, b" " * 16000, b"a=" + b"a-." * 5000, b";" * 16000):
        for _ in range(20):
            try:
                domain(TagList.parse(hostile).values["a"], "a")
            except Refused:
                continue
    assert time.process_time() - before < 1
