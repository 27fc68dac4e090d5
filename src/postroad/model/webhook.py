"""Webhooks: whom we tell by HTTPS what became of mail, and what is waiting to be told."""

from enum import Enum

from msgspec import Struct


class WebhookKind(Enum):
    """What became of a message for one recipient."""

    ACCEPTED = "accepted"  # by us, durably
    DELIVERED = "delivered"
    DELAYED = "delayed"
    FAILED = "failed"  # given up by us: too old, or dropped by an operator
    BOUNCED = "bounced"  # refused for good, at once or by a report later
    COMPLAINED = "complained"
    SUPPRESSED = "suppressed"  # the address is on the list of the stream: nothing was sent
    OPENED = "opened"
    CLICKED = "clicked"
    UNSUBSCRIBED = "unsubscribed"
    UNKNOWN = "unknown"  # the connection died before the reply


class Webhook(Struct, frozen=True, omit_defaults=True):
    """A place that is told. `kinds`, `streams` and `domains` (of senders) filter; empty: all.

    No secret is in it: it is derived from the store's, the `id` and the `generation`. The one before is
    good as well until `previous_until` (seconds since 1970; 0: it is not).
    """

    id: int
    name: str
    url: str
    created_at: float
    kinds: tuple[WebhookKind, ...] = ()
    streams: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    generation: int = 1
    previous_until: float = 0.0


class WebhookPost(Struct, frozen=True, omit_defaults=True):
    """One event on its way to a webhook. Its key is (`webhook`, `sequence`, `ordinal`): the place in the
    journey, and the delivery.

    `body` is the JSON that is posted. It is tried again at `due_at`, and was first tried (or replayed)
    at `first_at`; `dead_at` is when it was given up, 0 while it was not; `failure` says why the last try
    failed. All in seconds since 1970.
    """

    webhook: int
    sequence: int
    ordinal: int
    message: int
    kind: WebhookKind
    body: str
    first_at: float
    due_at: float
    tries: int = 0
    failure: str = ""
    dead_at: float = 0.0

    @property
    def key(self) -> tuple[int, int]:
        """Its place among those of the webhook."""
        return self.sequence, self.ordinal

    @property
    def event(self) -> str:
        """The id by which a receiver knows an event that comes again."""
        return f"evt_{self.sequence}_{self.ordinal}"


class WebhookAdded(Struct, frozen=True, tag="webhook_added"):
    """A webhook was made. It is told of what is committed from then on."""

    at: float
    webhook: Webhook


class WebhookChanged(Struct, frozen=True, tag="webhook_changed"):
    """A webhook got other settings, or another secret."""

    at: float
    webhook: Webhook


class WebhookRemoved(Struct, frozen=True, tag="webhook_removed"):
    """A webhook was removed, with all that waited for it."""

    at: float
    name: str


class WebhookWorked(Struct, frozen=True, tag="webhook_worked"):
    """Events of the journey up to `cursor` (None: none) became posts, or posts were tried: `posts` are
    as they are now, `done` (keys) were taken by the receiver. Of dead ones, the newest `keep_dead` are
    kept. Nothing changes where the webhook is gone. Not in the journey, which has the events.
    """

    at: float
    webhook: int
    cursor: int | None
    posts: tuple[WebhookPost, ...]
    done: tuple[tuple[int, int], ...]
    keep_dead: int
