"""Asking an issuer about tokens: what is believed, what is kept, and when nobody can tell."""

import asyncio
import json
from base64 import b64decode
from typing import Any
from urllib.parse import parse_qs

import pytest

from postroad.delivery.exchange import FetchFailed
from postroad.ports import TokensUnjudged
from postroad.service.introspection import IntrospectionSettings, IntrospectionVerifier
from postroad.service.tokens import TokenSettings
from postroad.wire.http import HttpResponse, HttpsAddress, parse_https
from tests.unit.service.fakes import FakeClock

PLACE = parse_https("https://id.example/introspect")
GOOD: dict[str, Any] = {
    "active": True,
    "iss": "https://id.example",
    "aud": ["mail", "files"],
    "exp": 2000,
    "email": "bob@x.test",
    "scope": "openid mail",
}
JSON = {"content-type": "application/json; charset=utf-8"}


class FakeFetcher:
    def __init__(self, answer: Any = GOOD) -> None:
        self.response: HttpResponse | Exception = HttpResponse(200, JSON, b"")
        self.answer = answer
        self.asked: list[str] = []
        self.authorization = ""
        self.wait: asyncio.Event | None = None

    async def post(
        self, place: HttpsAddress, body: bytes, media_type: str, *, accept: str, authorization: str
    ) -> HttpResponse:
        assert (place, media_type, accept) == (
            PLACE,
            "application/x-www-form-urlencoded",
            "application/json",
        )
        form = parse_qs(body.decode("ascii"), strict_parsing=True)
        assert form["token_type_hint"] == ["access_token"]
        self.asked += form["token"]
        self.authorization = authorization
        if self.wait is not None:
            await self.wait.wait()
        if isinstance(self.response, Exception):
            raise self.response
        if self.response.body or self.response.status != 200:
            return self.response
        return HttpResponse(200, self.response.fields, json.dumps(self.answer).encode())


def verifier(
    fetcher: FakeFetcher, clock: FakeClock | None = None, **settings: Any
) -> IntrospectionVerifier:
    tokens: dict[str, Any] = {"issuer": "https://id.example", "audience": "mail", "scope": "mail"}
    tokens |= settings.pop("tokens", {})
    return IntrospectionVerifier(
        fetcher,  # type: ignore[arg-type]
        clock or FakeClock(),
        TokenSettings(**tokens),
        IntrospectionSettings(
            place=PLACE, client_id="post:road", client_secret="s\u00e9cret &", **settings
        ),
    )


async def test_a_good_token() -> None:
    fetcher = FakeFetcher()
    assert await verifier(fetcher).user("a+b/c=&token=x") == "bob@x.test"
    assert fetcher.asked == ["a+b/c=&token=x"]
    kind, _, login = fetcher.authorization.partition(" ")
    assert kind == "Basic"
    assert b64decode(login) == b"post%3Aroad:s%C3%A9cret+%26"


@pytest.mark.parametrize(
    "claims",
    [
        {"active": False},
        {"active": "true"},
        {"active": 1},
        {"active": None},
        {"iss": "https://evil.example"},
        {"aud": "files"},
        {"aud": None},
        {"aud": {"mail": 1}},
        {"exp": 940},
        {"exp": "2000"},
        {"nbf": 1061},
        {"scope": "mailer"},
        {"scope": None},
        {"email": None},
        {"email": ""},
        {"email": ["bob@x.test"]},
        {"email_verified": False},
    ],
)
async def test_what_is_no_good(claims: dict[str, Any]) -> None:
    answer = {name: value for name, value in {**GOOD, **claims}.items() if value is not None}
    assert await verifier(FakeFetcher(answer)).user("x") is None


@pytest.mark.parametrize(
    ("claims", "tokens"),
    [
        ({"iss": None, "exp": None}, {}),
        ({"aud": "mail"}, {}),
        ({"aud": None}, {"audience": ""}),
        ({"scope": None}, {"scope": ""}),
        ({"email": None, "username": "bob@x.test"}, {"username_claim": "username"}),
    ],
)
async def test_what_may_be_left_out(claims: dict[str, Any], tokens: dict[str, str]) -> None:
    answer = {name: value for name, value in {**GOOD, **claims}.items() if value is not None}
    assert await verifier(FakeFetcher(answer), tokens=tokens).user("x") == "bob@x.test"


@pytest.mark.parametrize(
    "response",
    [
        FetchFailed("id.example has no address"),
        FetchFailed("certificate of another", tls=True),
        HttpResponse(401, JSON, b"{}"),
        HttpResponse(302, JSON, b"{}"),
        HttpResponse(503, JSON, b"{}"),
        HttpResponse(200, {}, b'{"active": true}'),
        HttpResponse(200, {"content-type": "text/html"}, b"<html>"),
        HttpResponse(200, JSON, b"{"),
        HttpResponse(200, JSON, b"[]"),
        HttpResponse(200, JSON, b"\xff"),
        HttpResponse(200, JSON, b"[" * 100_000),
    ],
)
async def test_when_nobody_can_tell(response: HttpResponse | FetchFailed) -> None:
    """Neither let in nor turned away, and asked again the next time."""
    fetcher = FakeFetcher()
    asked = verifier(fetcher)
    fetcher.response = response
    for _ in range(2):
        with pytest.raises(TokensUnjudged, match=r"https://id\.example/introspect"):
            await asked.user("x")
    assert len(fetcher.asked) == 2
    fetcher.response = HttpResponse(200, JSON, b"")
    assert await asked.user("x") == "bob@x.test"


async def test_an_issuer_that_takes_its_time() -> None:
    fetcher = FakeFetcher()
    fetcher.wait = asyncio.Event()
    with pytest.raises(TokensUnjudged, match=r"no answer within 0\.05 s"):
        await verifier(fetcher, total_seconds=0.05).user("x")


async def test_questions_are_bounded() -> None:
    fetcher = FakeFetcher()
    fetcher.wait = asyncio.Event()
    asked = verifier(fetcher, max_questions=2)
    waiting = [asyncio.create_task(asked.user(str(number))) for number in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(TokensUnjudged, match="2 questions"):
        await asked.user("third")
    fetcher.wait.set()
    assert await asyncio.gather(*waiting) == ["bob@x.test"] * 2
    assert await asked.user("third") == "bob@x.test"


@pytest.mark.parametrize("answer", [GOOD, {"active": False}])
async def test_answers_are_kept_for_a_while(answer: dict[str, Any]) -> None:
    fetcher, clock = FakeFetcher(answer), FakeClock()
    asked = verifier(fetcher, clock, cache_seconds=60)
    first = await asked.user("x")
    clock.at += 59
    assert await asked.user("x") == first
    assert len(fetcher.asked) == 1
    clock.at += 2
    assert await asked.user("x") == first
    assert len(fetcher.asked) == 2


async def test_no_answer_outlives_its_token() -> None:
    fetcher, clock = FakeFetcher({**GOOD, "exp": 1010}), FakeClock()
    asked = verifier(fetcher, clock, cache_seconds=60, tokens={"leeway_seconds": 0})
    assert await asked.user("x") == "bob@x.test"
    clock.at += 11
    assert await asked.user("x") is None
    assert len(fetcher.asked) == 2


async def test_few_answers_are_kept() -> None:
    fetcher = FakeFetcher()
    asked = verifier(fetcher, max_cached=2)
    for token in ("a", "b", "c", "c", "b", "a"):
        await asked.user(token)
    assert fetcher.asked == ["a", "b", "c", "a"]


@pytest.mark.parametrize("token", ["", "x" * 8193])
async def test_what_is_not_asked_about(token: str) -> None:
    fetcher = FakeFetcher()
    assert await verifier(fetcher).user(token) is None
    assert not fetcher.asked
