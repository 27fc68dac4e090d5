"""Requests are read whole or refused whole."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from postroad.wire.jmap import Invocation, Limits, RequestError, parse_request
from postroad.wire.jmap.request import MAX_DEPTH

CORE = "urn:ietf:params:jmap:core"


def read(value: Any, **limits: int) -> Any:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return parse_request(data, {CORE}, Limits(**limits))


def test_a_request() -> None:
    found = read(
        {
            "using": [CORE],
            "methodCalls": [["Core/echo", {"a": 1}, "c1"]],
            "createdIds": {"x": "e1"},
            "other": True,
        }
    )
    assert found.using == (CORE,)
    assert found.calls == (Invocation("Core/echo", {"a": 1}, "c1"),)
    assert found.created == {"x": "e1"}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "kind", "limit"),
    [
        (b"", "notJSON", ""),
        (b"{", "notJSON", ""),
        (b"\xff", "notJSON", ""),
        (b"[" * 100_000, "notJSON", ""),
        ([], "notRequest", ""),
        ({}, "notRequest", ""),
        ({"using": [CORE]}, "notRequest", ""),
        ({"using": [1], "methodCalls": []}, "notRequest", ""),
        ({"using": [CORE], "methodCalls": [["a", {}]]}, "notRequest", ""),
        ({"using": [CORE], "methodCalls": [["a", [], "c"]]}, "notRequest", ""),
        ({"using": [CORE], "methodCalls": [["a", {}, 1]]}, "notRequest", ""),
        ({"using": [CORE], "methodCalls": [["a", {"x": deep(MAX_DEPTH)}, "c"]]}, "notRequest", ""),
        ({"using": [CORE, "x"], "methodCalls": []}, "unknownCapability", ""),
        ({"using": [], "methodCalls": [["a", {}, "c"]] * 3}, "limit", "maxCallsInRequest"),
        ({"using": [], "methodCalls": [], "x": "y" * 1000}, "limit", "maxSizeRequest"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_what_is_refused(value: Any, kind: str, limit: str) -> None:
    large = isinstance(value, bytes) or kind == "notRequest"
    with pytest.raises(RequestError) as error:
        read(value, max_calls_in_request=2, max_size_request=10**6 if large else 900)
    told = error.value.to_json()
    assert told["type"] == f"urn:ietf:params:jmap:error:{kind}"
    assert told["status"] == 400
    assert told.get("limit", "") == limit
    assert told["detail"]


@given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    with contextlib.suppress(RequestError):
        read(data)
