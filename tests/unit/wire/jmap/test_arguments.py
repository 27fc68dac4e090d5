"""Arguments are of the kinds that methods want, or refused."""

from typing import Any

import pytest

from postroad.wire.jmap import Arguments, MethodError


def test_what_is_given() -> None:
    arguments = Arguments(
        {"id": "a-_9", "n": 3, "f": True, "t": "x", "l": ["a"], "o": {}, "b": {"x": {}}, "q": [{}]}
    )
    assert arguments.id("id") == "a-_9"
    assert arguments.number("n") == 3
    assert arguments.flag("f") is True
    assert arguments.text("t") == "x"
    assert arguments.texts("l") == ["a"]
    assert arguments.objects("o") == {}
    assert arguments.table("b") == {"x": {}}
    assert arguments.list_of_objects("q") == [{}]
    arguments.done()


def test_what_is_not_given() -> None:
    arguments = Arguments({"n": None})
    assert arguments.number("n") is None
    assert arguments.flag("f", True) is True
    assert (arguments.text("t"), arguments.ids("l"), arguments.table("b")) == (None, None, {})
    arguments.done()


@pytest.mark.parametrize(
    ("take", "value"),
    [
        ("id", None),
        ("id", ""),
        ("id", "a b"),
        ("id", "x" * 256),
        ("state", None),
        ("text", 1),
        ("texts", "a"),
        ("texts", [1]),
        ("flag", 1),
        ("number", True),
        ("number", -1),
        ("number", 1.0),
        ("number", 2**53),
        ("objects", []),
        ("table", {"x": 1}),
        ("list_of_objects", {}),
        ("list_of_objects", [1]),
    ],
)
def test_what_is_refused(take: str, value: Any) -> None:
    with pytest.raises(MethodError) as error:
        getattr(Arguments({"x": value}), take)("x")
    assert error.value.to_json()["type"] == "invalidArguments"


def test_what_nobody_asked_for() -> None:
    with pytest.raises(MethodError, match="'more'"):
        Arguments({"more": 1}).done()
