from typing import Any

import pytest

from postroad.web.people import COOKIE, PLAIN_COOKIE, cookie_name, require_own_site, token_of
from postroad.web.problem import Problem


def scope_of(method: str = "POST", *, scheme: str = "https", **headers: str) -> dict[str, Any]:
    given = {"host": "mail.x.test", **headers}
    pairs = [
        (name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in given.items()
    ]
    kind = "websocket" if scheme in ("ws", "wss") else "http"
    return {"type": kind, "method": method, "scheme": scheme, "headers": pairs}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x_postroad": "1", "origin": "https://evil.test"},
        {"x_postroad": "1", "origin": "null"},
        {"x_postroad": "1", "origin": "https://mail.x.test.evil.test"},
        {"x_postroad": "1", "origin": "https://mail.x.test:444"},
        {"x_postroad": "1", "sec_fetch_site": "same-site"},
        {"x_postroad": "1", "sec_fetch_site": "cross-site"},
        {"origin": "https://mail.x.test"},
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_another_site(method: str, headers: dict[str, str]) -> None:
    with pytest.raises(Problem):
        require_own_site(scope_of(method, **headers))


@pytest.mark.parametrize(
    "headers",
    [
        {"x_postroad": "1"},
        {"x_postroad": "1", "origin": "https://mail.x.test", "sec_fetch_site": "same-origin"},
        {"x_postroad": "1", "origin": "https://MAIL.x.test"},
    ],
)
def test_our_own_site(headers: dict[str, str]) -> None:
    require_own_site(scope_of(**headers))


def test_web_sockets_tell_their_origin() -> None:
    require_own_site(scope_of("GET", scheme="wss", origin="https://mail.x.test"))
    for headers in ({}, {"origin": "https://evil.test"}):
        with pytest.raises(Problem):
            require_own_site(scope_of("GET", scheme="wss", **headers))


@pytest.mark.parametrize(
    ("scheme", "host", "name"),
    [
        ("https", "localhost", COOKIE),
        ("https", "mail.x.test", COOKIE),
        ("http", "mail.x.test", COOKIE),
        ("http", "localhost:8025", PLAIN_COOKIE),
        ("http", "127.0.0.1:8025", PLAIN_COOKIE),
        ("http", "[::1]:8025", PLAIN_COOKIE),
        ("http", "[::1", COOKIE),
        ("http", "127.0.0.1.evil.test", COOKIE),
    ],
)
def test_the_name_of_the_cookie(scheme: str, host: str, name: str) -> None:
    assert cookie_name(scope_of(scheme=scheme, host=host)) == name


@pytest.mark.parametrize(
    ("text", "token"),
    [
        ("__Host-postroad=ps_1", "ps_1"),
        ("a=b; __Host-postroad=ps_1; c=d", "ps_1"),
        ("postroad=ps_1", None),
        ("__Host-postroad=", None),
        ("__Host-postroad", None),
        ("__Host-postroad=" + "x" * 9000, None),
        (";;=;\xff", None),
    ],
)
def test_the_token_in_a_cookie(text: str, token: str | None) -> None:
    assert token_of(scope_of(cookie=text)) == token
