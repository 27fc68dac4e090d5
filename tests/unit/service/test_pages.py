"""Pages: nothing in them runs, nothing is loaded, nothing of a stranger gets out of its place."""

import pytest

from postroad.service import pages
from postroad.service.web import WebAnswer

HOSTILE = '"><script>alert(1)</script>@x.test'


@pytest.mark.parametrize(
    ("page", "status"),
    [
        (pages.ask_to_leave(HOSTILE, HOSTILE), 200),
        (pages.has_left(HOSTILE, HOSTILE), 200),
        (pages.no_such_link(), 404),
        (pages.no_such_link(expired=True), 410),
        (pages.not_understood(), 400),
        (pages.not_now(), 503),
        (pages.not_that_way("GET"), 405),
    ],
)
def test_each_page(page: WebAnswer, status: int) -> None:
    text = page.body.decode()
    assert page.status == status
    assert text.startswith("<!doctype html>")
    assert "<script" not in text
    assert "http" not in text
    assert page.headers["Cache-Control"] == "no-store"
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert all(c not in value for value in page.headers.values() for c in "\r\n")


def test_one_button_that_posts() -> None:
    text = pages.ask_to_leave("bob@x.test", "news").body.decode()
    assert text.count("<button") == text.count('<form method="post">') == 1
    assert "bob@x.test" in text
    assert "news" in text


def test_what_clients_need() -> None:
    assert pages.not_now().headers["Retry-After"] == "60"
    assert pages.not_that_way("GET, HEAD").headers["Allow"] == "GET, HEAD"
