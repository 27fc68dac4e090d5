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
from postroad.client.sync import Client

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
    "Delivery",
    "FieldError",
    "InvalidRequest",
    "JourneyEvent",
    "Message",
    "NotAllowed",
    "NotFound",
    "Person",
    "PostroadError",
    "Problem",
    "Receipt",
    "Search",
    "SentMessage",
    "Steered",
    "TracedMessage",
    "Unreadable",
]
