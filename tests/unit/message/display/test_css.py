"""Style sheets of strangers: what may stay, and that it takes no longer the longer it is."""

import time

import pytest

from postroad.message.display import Sources
from postroad.message.display.css import MAX_RULES, declarations, stylesheet


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("color: red; MARGIN:0 auto", "color:red;margin:0 auto"),
        ("font-family: 'Open Sans', \"Arial\", sans-serif", None),
        ("color: rgb(1, 2, 3); width: calc(100% - (2px + 1em))", None),
        ("background: linear-gradient(to right, #fff 0%, rgba(0,0,0,.5) 100%)", None),
        ("width:100%!important", None),
        ("font-family: Ärial", None),
        ("color:red;position:fixed;z-index:9;transform:scale(9)", "color:red"),
        ("width:expression(alert(1));behavior:url(x)", ""),
        ("color:\\72 ed;c\\6flor:red", ""),
        ("color:red/*;*/;height:1px/* x */", "color:red;height:1px"),
        ("background:url(//x.test/a.png) red", "background:none red"),
        ("background-image:url( 'cid:a' )", 'background-image:url("/p/a")'),
        ("background:url(cid:a", ""),
        ("list-style:url(cid:a)", ""),
        ("color:red}body{color:blue", ""),
        ("content:'x';color:</style>", ""),
        ("color:rgb(1,2,3", ""),
        ("color:1)", ""),
        ("font-family:'a", ""),
        ("color", ""),
        (":red", ""),
        ("color:" + "a" * 1_001, ""),
    ],
)
def test_declarations(given: str, kept: str | None) -> None:
    written = declarations(given, Sources(lambda cid: f"/p/{cid}"))
    wanted = given if kept is None else kept
    assert written.replace(": ", ":").replace("; ", ";") == wanted.replace(": ", ":").replace(
        "; ", ";"
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("p{color:red}  .a > b{margin:0}", "p{color:red}\n.a > b{margin:0}"),
        ("<!-- p{color:red} -->", "p{color:red}"),
        ("@media (max-width:600px){.a{width:100%}}b{color:red}", None),
        ("@import url(x);@font-face{src:url(x)}p{color:red}", "p{color:red}"),
        ("@supports (a:b){p{color:red}}q{color:red}", "q{color:red}"),
        ("@media print{@media screen{p{color:red}}q{color:red}}", "@media print{\nq{color:red}\n}"),
        ("p{color:red", "p{color:red}"),
        ("a:has(b){color:red}", ""),
        ("}p{color:red}", "p{color:red}"),
        ('p[a="}"]{color:red}', ""),
        ("@media screen{p{color:red}", "@media screen{\np{color:red}\n}"),
        ("p{}q{position:fixed}", ""),
    ],
)
def test_sheets(given: str, kept: str | None) -> None:
    written = stylesheet(given, Sources())
    wanted = given if kept is None else kept
    assert written.replace("\n", "") == wanted.replace("\n", "")


def test_so_many_rules_and_no_more() -> None:
    assert stylesheet("p{color:red}" * (MAX_RULES + 5), Sources()).count("{") == MAX_RULES


@pytest.mark.parametrize(
    "piece", ["{", "}", "@media (a:b){", "/*", '"', "'", "a{color:rgb(", "p{x:y}", "a{b:c;", "url("]
)
def test_twice_as_long_takes_no_more_than_a_few_times_as_long(piece: str) -> None:
    def seconds(times: int) -> float:
        begun = time.perf_counter()
        stylesheet(piece * times, Sources())
        declarations(piece * times, Sources())
        return time.perf_counter() - begun

    seconds(100)
    assert seconds(40_000) < 20 * seconds(5_000) + 0.5
