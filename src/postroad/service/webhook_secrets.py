"""Signatures of what webhooks are sent, as in Standard Webhooks 1.0::

    webhook-id: evt_812_0
    webhook-timestamp: 1764086400
    webhook-signature: v1,BASE64 v1,BASE64

Each signature is the HMAC-SHA256 of ``ID.TIMESTAMP.BODY``. While a secret is being replaced there are
two, by the new one and the old. Secrets are nowhere stored: they follow from the store's own.
"""

import base64
import hmac

from postroad.model import Webhook

PREFIX = "whsec_"


class WebhookSecrets:
    """Makes secrets and signs with them. `root` is derived from the store's secret."""

    def __init__(self, root: bytes) -> None:
        self._root = root

    def of(self, webhook: Webhook, generation: int = 0) -> str:
        """Return a webhook's secret as its receiver is given it; by default the one in use."""
        return PREFIX + base64.b64encode(self._key(webhook, generation)).decode()

    def headers(self, webhook: Webhook, event: str, now: float, body: bytes) -> dict[str, str]:
        """Return the header fields for a body that is sent now (seconds since 1970)."""
        stamp = str(int(now))
        signed = f"{event}.{stamp}.".encode() + body
        generations = [webhook.generation]
        if webhook.previous_until > now:
            generations.append(webhook.generation - 1)
        made = (
            hmac.digest(self._key(webhook, generation), signed, "sha256")
            for generation in generations
        )
        return {
            "webhook-id": event,
            "webhook-timestamp": stamp,
            "webhook-signature": " ".join(f"v1,{base64.b64encode(each).decode()}" for each in made),
        }

    def _key(self, webhook: Webhook, generation: int) -> bytes:
        which = f"{webhook.id}:{generation or webhook.generation}".encode()
        return hmac.digest(self._root, which, "sha256")
