"""Requests and answers of the web."""

from postroad.service.web import WebAnswer, WebRequest


def test_what_is_left_out_is_empty() -> None:
    assert WebRequest("GET", "/x") == WebRequest("GET", "/x", "", "", "", b"")
    assert WebAnswer(204, {}).body == b""
