"""Answers that refuse, as errors."""

import pytest

from postroad.client.errors import ApiError, Busy, InvalidRequest, NotAllowed, error_of


def test_a_problem_names_kind_and_fields() -> None:
    body = b"""{"type":"urn:postroad:problem:invalid","title":"Bad Request","status":400,"more":1,
        "detail":"to: none","errors":[{"field":"to","detail":"none"}]}"""
    error = error_of(400, body)
    assert isinstance(error, InvalidRequest)
    assert (error.kind, error.fields, str(error)) == ("invalid", ("to",), "to: none")


@pytest.mark.parametrize("body", [b"", b"<html>Bad", b"[" * 100_000, b"\xff", b'{"status":"x"}'])
def test_what_is_no_problem_is_an_error_all_the_same(body: bytes) -> None:
    error = error_of(401, body)
    assert isinstance(error, NotAllowed)
    assert error.fields == ()
    assert str(error)


def test_other_statuses() -> None:
    assert type(error_of(500, b"")) is ApiError
    busy = error_of(503, b"", 5.0)
    assert isinstance(busy, Busy)
    assert busy.retry_after == 5.0
