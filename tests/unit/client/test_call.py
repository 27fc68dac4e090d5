"""Calls as values."""

from datetime import datetime

import pytest

from postroad.client import Unreadable
from postroad.client.call import delete, get, moment, part, post


def test_what_is_asked() -> None:
    found = get("/things", dict, stream="a b", after=None)
    assert (found.method, found.target, found.headers) == ("GET", "/things?stream=a+b", {})
    assert found.repeatable
    made = post("/things", dict, {"a": 1})
    assert (made.body, made.headers) == (b'{"a":1}', {"Content-Type": "application/json"})
    assert not made.repeatable
    assert post("/things", dict).headers == {}
    gone = delete("/things/1", force="true")
    assert (gone.method, gone.target, gone.repeatable) == ("DELETE", "/things/1?force=true", False)
    gone.read(b"")
    assert part("../a b@c") == "..%2Fa%20b%40c"


def test_what_is_no_answer() -> None:
    with pytest.raises(Unreadable, match="none of the API"):
        get("/things", dict).read(b"<html>")


def test_a_time_has_a_zone() -> None:
    assert moment("at", None) is None
    with pytest.raises(ValueError, match="at has no zone"):
        moment("at", datetime(2026, 1, 1))
