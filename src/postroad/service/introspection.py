"""Bearer tokens that only their issuer can read: it is asked about each (RFC 7662).

What it says is believed over verified TLS alone, and kept for a short while, so that a mail program that
looks every minute is not a question every minute. Where it does not answer in time, or not as it should,
nobody is let in and nobody is turned away: `TokensUnjudged`.
"""

import asyncio
import hashlib
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode

import msgspec
from msgspec import Struct

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.https import Fetcher
from postroad.ports import Clock, TokensUnjudged
from postroad.service.tokens import TokenSettings, named_user
from postroad.wire.http import HttpsAddress

_MAX_TOKEN_OCTETS = 8192
_FORM = "application/x-www-form-urlencoded"
_JSON = "application/json"


class IntrospectionSettings(Struct, frozen=True, kw_only=True):
    """Whom to ask, as whom, and within which bounds.

    An answer is kept for `cache_seconds`, and not longer than the token is good; `max_cached` answers
    and `max_questions` at a time.
    """

    place: HttpsAddress
    client_id: str
    client_secret: str
    total_seconds: float = 10.0
    cache_seconds: float = 60.0
    max_cached: int = 10_000
    max_questions: int = 20


class _Answer(Struct, frozen=True):
    user: str | None
    until: float  # monotonic


class IntrospectionVerifier:
    """See `ports.TokenVerifier`."""

    def __init__(
        self,
        fetcher: Fetcher,
        clock: Clock,
        tokens: TokenSettings,
        settings: IntrospectionSettings,
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._tokens = tokens
        self._settings = settings
        self._known: OrderedDict[bytes, _Answer] = OrderedDict()
        self._questions = 0
        # RFC 6749 §2.3.1: both are encoded as in a form before they are joined.
        login = f"{quote_plus(settings.client_id)}:{quote_plus(settings.client_secret)}"
        self._authorization = f"Basic {b64encode(login.encode()).decode()}"

    async def user(self, token: str) -> str | None:
        """Return the address that the issuer names, or None. Raises `TokensUnjudged`."""
        octets = token.encode()
        if not octets or len(octets) > _MAX_TOKEN_OCTETS:
            return None
        key = hashlib.sha256(octets).digest()  # whoever reads this memory gets no token
        known = self._known.get(key)
        now = self._clock.monotonic()
        if known is not None and now < known.until <= now + self._settings.cache_seconds:
            return known.user
        # A task of its own: who asks may be none, and asyncio's limits of time need one.
        claims = await asyncio.ensure_future(self._ask(token))
        user = self._judge(claims)
        self._keep(key, user, claims)
        return user

    async def _ask(self, token: str) -> Mapping[str, object]:
        settings = self._settings
        if self._questions >= settings.max_questions:
            raise TokensUnjudged(f"{self._questions} questions about tokens wait for an answer")
        form = urlencode({"token": token, "token_type_hint": "access_token"}).encode()
        self._questions += 1
        try:
            async with asyncio.timeout(settings.total_seconds):
                response = await self._fetcher.post(
                    settings.place,
                    form,
                    _FORM,
                    accept=_JSON,
                    authorization=self._authorization,
                )
        except FetchFailed as error:
            raise TokensUnjudged(f"{settings.place}: {error}") from error
        except TimeoutError as error:
            text = f"{settings.place}: no answer within {settings.total_seconds:g} s"
            raise TokensUnjudged(text) from error
        finally:
            self._questions -= 1
        # RFC 7662 §2.3: 401 means that it does not know us, which says nothing about the token.
        if response.status != 200:
            raise TokensUnjudged(f"{settings.place}: HTTP status {response.status}")
        if response.media_type != _JSON:
            raise TokensUnjudged(f"{settings.place}: an answer that is not {_JSON}")
        try:
            return msgspec.json.decode(response.body, type=dict[str, object])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise TokensUnjudged(f"{settings.place}: an answer that cannot be read") from error

    def _judge(self, claims: Mapping[str, object]) -> str | None:
        """RFC 7662 §2.2: ``active`` alone does not say that the token is for us."""
        tokens = self._tokens
        if claims.get("active") is not True:
            return None
        if tokens.issuer and claims.get("iss", tokens.issuer) != tokens.issuer:
            return None
        if tokens.audience:
            audience = claims.get("aud")
            if audience != tokens.audience and not (
                isinstance(audience, list) and tokens.audience in audience
            ):
                return None
        return named_user(claims, tokens, self._clock.now(), must_expire=False)

    def _keep(self, key: bytes, user: str | None, claims: Mapping[str, object]) -> None:
        seconds = self._settings.cache_seconds
        expires = claims.get("exp")
        if user is not None and isinstance(expires, int | float):
            seconds = min(seconds, expires - self._clock.now())
        if seconds <= 0:
            return
        self._known[key] = _Answer(user, self._clock.monotonic() + seconds)
        self._known.move_to_end(key)
        while len(self._known) > self._settings.max_cached:
            self._known.popitem(last=False)
