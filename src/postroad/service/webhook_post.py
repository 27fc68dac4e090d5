"""Posts one event to one webhook: by HTTPS, to public addresses alone, without redirects, bounded."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import structlog

from postroad.delivery.exchange import FetchFailed
from postroad.delivery.https import Fetcher
from postroad.model import Webhook
from postroad.ports import Clock
from postroad.service.webhook_secrets import WebhookSecrets
from postroad.wire.http import parse_https

log = structlog.get_logger("postroad.webhooks")

Post: TypeAlias = Callable[[Webhook, str, str], Awaitable[str]]


class Poster:
    """Called with a webhook, the id of an event and its JSON: posts it, and returns why that failed, or
    ``""``.

    `Fetcher` resolves the name, refuses private addresses and connects to the very addresses that it
    looked at: no second look-up could lead elsewhere.
    """

    def __init__(self, fetcher: Fetcher, secrets: WebhookSecrets, clock: Clock) -> None:
        self.fetcher = fetcher
        self._secrets = secrets
        self._clock = clock

    async def __call__(self, webhook: Webhook, event: str, text: str) -> str:
        """Return ``""`` where the receiver answered 2xx."""
        body = text.encode()
        fields = self._secrets.headers(webhook, event, self._clock.now(), body)
        try:
            # The fetcher has a deadline of its own, but for its look-ups.
            async with asyncio.timeout(self.fetcher.settings.total_seconds * 2):
                response = await self.fetcher.post(
                    parse_https(webhook.url),
                    body,
                    "application/json",
                    head_only=True,
                    fields=fields,
                )
        except FetchFailed as error:
            return str(error)
        except TimeoutError:
            return "the look-up of its address took too long"
        if 200 <= response.status < 300:
            return ""
        return f"HTTP status {response.status}"
