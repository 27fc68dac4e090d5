"""Reading webhooks, and what waits for them."""

from typing import Protocol

from postroad.model import Webhook, WebhookPost


class WebhookStore(Protocol):
    """Reads webhooks. Raises `StorageError`."""

    async def all(self) -> list[Webhook]:
        """Return all webhooks, by name."""
        ...

    async def cursor(self, webhook: int) -> int | None:
        """Return up to where in the journey a webhook's posts were made; None: there is no such one."""
        ...

    async def waiting(self, webhook: int, limit: int) -> list[WebhookPost]:
        """Return posts that are not given up, in the order of the journey."""
        ...

    async def dead(self, webhook: int, limit: int) -> list[WebhookPost]:
        """Return posts that were given up, in the order of the journey."""
        ...

    async def count(self, webhook: int) -> tuple[int, int]:
        """Return how many posts wait, and how many were given up."""
        ...
