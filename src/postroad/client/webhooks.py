"""Webhooks: which web servers are told what became of mail, and the calls about them."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from postroad.client import call
from postroad.client.call import Call, part

_PATH = "/webhooks"


class Webhook(Struct, frozen=True):
    """A webhook; how many posts wait and how many were given up. Empty `events`, `streams`, `domains`
    stand for all.
    """

    name: str
    url: str
    events: list[str]
    streams: list[str]
    domains: list[str]
    created_at: datetime
    old_secret_until: datetime | None
    waiting: int
    dead: int


class WebhookSecret(Struct, frozen=True):
    """What posts are signed with. It is not shown again."""

    name: str
    secret: str


class WebhookTest(Struct, frozen=True):
    """Whether the receiver took an event of the type `test`; if not, why."""

    taken: bool
    failure: str


class DeadLetter(Struct, frozen=True):
    """A post that was given up, and why; `body` is what is posted."""

    event: str
    type: str
    dead_at: datetime
    tries: int
    failure: str
    body: str


class Webhooks(Struct, frozen=True):
    """All of them."""

    webhooks: list[Webhook]


class DeadLetters(Struct, frozen=True):
    """The oldest first."""

    dead: list[DeadLetter]


class Replayed(Struct, frozen=True):
    """How many posts are sent again."""

    replayed: int


def list_() -> Call[Webhooks]:
    """The webhooks by name."""
    return call.get(_PATH, Webhooks)


def show(name: str) -> Call[Webhook]:
    """One of them."""
    return call.get(_path(name), Webhook)


def add(
    name: str, url: str, events: Sequence[str], streams: Sequence[str], domains: Sequence[str]
) -> Call[WebhookSecret]:
    """A new one. It is not asked again where no answer came: the secret would be lost."""
    asked = {"name": name, "url": url, "events": events, "streams": streams, "domains": domains}
    return call.post(_PATH, WebhookSecret, asked)


def test(name: str) -> Call[WebhookTest]:
    """Post an event of the type `test`."""
    return call.post(f"{_path(name)}/test", WebhookTest)


def rotate(name: str, overlap_seconds: float) -> Call[WebhookSecret]:
    """A new secret."""
    return call.post(f"{_path(name)}/rotate", WebhookSecret, {"overlap_seconds": overlap_seconds})


def dead(name: str, limit: int) -> Call[DeadLetters]:
    """What was given up."""
    return call.get(f"{_path(name)}/dead", DeadLetters, limit=str(limit))


def replay(name: str, events: Sequence[str]) -> Call[Replayed]:
    """Send again what was given up."""
    return call.post(f"{_path(name)}/replay", Replayed, {"events": events})


def remove(name: str) -> Call[None]:
    """Remove it with all that waits for it."""
    return call.delete(_path(name))


def _path(name: str) -> str:
    return f"{_PATH}/{part(name)}"
