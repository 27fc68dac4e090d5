"""A client for the HTTP API of Postroad: `Client`, and `AsyncClient` for asyncio.

What failed on the way is asked again, with the same idempotency key, so a message is sent once. It needs
``httpx`` (``pip install 'postroad[client]'``) and nothing of the server: they meet by HTTP alone.
"""

try:
    import httpx as _httpx  # noqa: F401
except ImportError as _error:
    raise ImportError("postroad.client needs httpx: pip install 'postroad[client]'") from _error

from postroad.client.aio import AsyncClient
from postroad.client.backoff import Backoff
from postroad.client.calls import Search
from postroad.client.errors import (
    ApiError,
    Busy,
    Conflict,
    ConnectionLost,
    InvalidRequest,
    NotAllowed,
    NotFound,
    PostroadError,
    Unreadable,
)
from postroad.client.shapes import (
    Attachment,
    BatchItem,
    Delivery,
    FieldError,
    JourneyEvent,
    Message,
    Person,
    Problem,
    Receipt,
    SentMessage,
    Steered,
    TracedMessage,
)
from postroad.client.suppressions import Imported, Suppression
from postroad.client.sync import Client
from postroad.client.templates import Rendered, Template, TemplateDraft, TemplateEntry
from postroad.client.webhooks import DeadLetter, Webhook, WebhookSecret, WebhookTest

__all__ = [
    "ApiError",
    "AsyncClient",
    "Attachment",
    "Backoff",
    "BatchItem",
    "Busy",
    "Client",
    "Conflict",
    "ConnectionLost",
    "DeadLetter",
    "Delivery",
    "FieldError",
    "Imported",
    "InvalidRequest",
    "JourneyEvent",
    "Message",
    "NotAllowed",
    "NotFound",
    "Person",
    "PostroadError",
    "Problem",
    "Receipt",
    "Rendered",
    "Search",
    "SentMessage",
    "Steered",
    "Suppression",
    "Template",
    "TemplateDraft",
    "TemplateEntry",
    "TracedMessage",
    "Unreadable",
    "Webhook",
    "WebhookSecret",
    "WebhookTest",
]
