"""Result references find what is there, and only that."""

import contextlib
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.jmap import Invocation, MethodError, resolve_references
from postroad.wire.jmap.references import MAX_VALUES, evaluate

FIRST = Invocation("Email/query", {"ids": ["a", "b"], "a/b": {"m~n": 1}}, "c1")
SECOND = Invocation(
    "Email/get",
    {"list": [{"id": "a", "to": ["x", "y"]}, {"id": "b", "to": ["z"]}, {"id": "c", "to": []}]},
    "c2",
)


def ref(call: str, name: str, path: str) -> dict[str, str]:
    return {"resultOf": call, "name": name, "path": path}


def test_they_are_replaced() -> None:
    given = {"#ids": ref("c1", "Email/query", "/ids"), "other": 1}
    assert resolve_references(given, [FIRST, SECOND]) == {"ids": ["a", "b"], "other": 1}
    given = {"#ids": ref("c2", "Email/get", "/list/*/to")}
    assert resolve_references(given, [FIRST, SECOND]) == {"ids": ["x", "y", "z"]}
    given = {"#ids": ref("c2", "Email/get", "/list/*/id")}
    assert resolve_references(given, [SECOND]) == {"ids": ["a", "b", "c"]}


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("", FIRST.arguments),
        ("/ids/1", "b"),
        ("/a~1b/m~0n", 1),
    ],
)
def test_pointers(path: str, expected: Any) -> None:
    assert evaluate(path, FIRST.arguments) == expected


@pytest.mark.parametrize(
    "reference",
    [
        None,
        [],
        {},
        {"resultOf": "c1", "name": "Email/query"},
        ref("c9", "Email/query", "/ids"),
        ref("c1", "Email/get", "/ids"),
        ref("c1", "Email/query", "ids"),
        ref("c1", "Email/query", "/no"),
        ref("c1", "Email/query", "/ids/2"),
        ref("c1", "Email/query", "/ids/-1"),
        ref("c1", "Email/query", "/ids/01"),
        ref("c1", "Email/query", "/ids/a"),
        ref("c1", "Email/query", "/ids/٣"),
        ref("c1", "Email/query", "/ids/0/x"),
        ref("c1", "Email/query", "/*"),
    ],
    ids=str,
)
def test_what_does_not_lead_anywhere(reference: Any) -> None:
    with pytest.raises(MethodError) as error:
        resolve_references({"#ids": reference}, [FIRST, SECOND])
    assert error.value.kind == "invalidResultReference"


def test_not_in_both_ways() -> None:
    with pytest.raises(MethodError) as error:
        resolve_references({"#ids": ref("c1", "Email/query", "/ids"), "ids": []}, [FIRST])
    assert error.value.kind == "invalidArguments"


def test_too_many() -> None:
    with pytest.raises(MethodError):
        evaluate("/*/*", [list(range(1000))] * (MAX_VALUES // 1000 + 1))


JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text("ab/~*0", max_size=2), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(JSON)
def test_every_value_is_found_by_its_own_path(value: Any) -> None:
    def check(path: str, inner: Any) -> None:
        assert json.dumps(evaluate(path, value)) == json.dumps(inner)
        if isinstance(inner, dict):
            for name, each in inner.items():
                check(path + "/" + name.replace("~", "~0").replace("/", "~1"), each)
        elif isinstance(inner, list):
            for index, each in enumerate(inner):
                check(f"{path}/{index}", each)

    check("", value)


@given(JSON, st.text("/ab*0~1", max_size=6))
def test_any_path_finds_something_or_says_that_it_does_not(value: Any, path: str) -> None:
    with contextlib.suppress(MethodError):
        evaluate(path, value)


@given(st.lists(st.lists(st.integers(), max_size=4), max_size=4))
def test_a_star_puts_lists_together(lists: list[list[int]]) -> None:
    expected = [each for inner in lists for each in inner]
    assert evaluate("/*/x", [{"x": inner} for inner in lists]) == expected


def test_what_a_response_passed_on_as_it_was_written_is_read() -> None:
    raw = msgspec.Raw(b'[{"email": "a@x"}, {"email": "b@x"}]')
    told = {"list": [{"to": raw}, {"to": msgspec.Raw(b"null")}]}
    assert evaluate("/list/0/to/1/email", told) == "b@x"
    assert evaluate("/list/0/to", told) == [{"email": "a@x"}, {"email": "b@x"}]
    assert evaluate("/list/*/to", told) == [{"email": "a@x"}, {"email": "b@x"}, None]
