"""The client for programs without asyncio, written from `aio`: ``python -m tests.client``."""

import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from email.message import Message as MimeMessage
from typing import Any, Protocol, Self, TypeVar

import httpx

from postroad.client import calls, suppressions, templates, webhooks
from postroad.client.backoff import Backoff, Trial
from postroad.client.call import Call
from postroad.client.calls import Search
from postroad.client.shapes import (
    BatchItem,
    Message,
    Receipt,
    SentMessage,
    Steered,
    TracedMessage,
)
from postroad.client.suppressions import Imported, Suppression
from postroad.client.templates import Rendered, Template, TemplateDraft, TemplateEntry
from postroad.client.webhooks import DeadLetter, Webhook, WebhookSecret, WebhookTest

T = TypeVar("T")


class Client:
    """A connection to one server, with one API key. `url` is ``https://mail.example.org``. `http` is
    an `httpx.Client` of yours (proxies, certificates), which stays yours to close. Close it, or use
    it in `with`. Threads may share it.

    `templates`, `suppressions` and `webhooks` are what else there is. Each method raises
    `PostroadError`, and ValueError for what cannot be asked.
    """

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_seconds: float = 30.0,
        backoff: Backoff | None = None,
        http: httpx.Client | None = None,
    ) -> None:
        self._base = calls.base_of(url)
        self._headers = calls.authorization(api_key)
        self._backoff = backoff or Backoff()
        self._timeout_seconds = timeout_seconds
        self._own = http is None
        self._http = http or httpx.Client()
        self.templates = Templates(self._do)
        self.suppressions = Suppressions(self._do)
        self.webhooks = Webhooks(self._do)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._own:
            self._http.close()

    def send(self, message: Message, *, key: str | None = None) -> Receipt:
        """Send one message, once however often it has to be asked: `key` is its idempotency key, made
        here where none is given. On return it is on the server's stable storage.
        """
        return self._do(calls.send(message, key))

    def send_batch(self, messages: Sequence[Message], *, key: str | None = None) -> list[BatchItem]:
        """Send up to 1,000 messages. What became of each stands in its place. The same batch with the
        same `key` sends what was refused before, and nothing twice.
        """
        return self._do(calls.send_batch(messages, key))

    def send_raw(
        self,
        message: bytes | MimeMessage,
        sender: str,
        recipients: Sequence[str],
        *,
        tags: Sequence[str] = (),
        stream: str | None = None,
        send_at: datetime | None = None,
        ttl: int | None = None,
        key: str | None = None,
    ) -> Receipt:
        """Send a message that is written already, from and to whom its envelope says. Bytes go as they
        are, with every line ending in CRLF.
        """
        call = calls.send_raw(message, sender, recipients, tags, stream, send_at, ttl, key)
        return self._do(call)

    def get(self, id_: str) -> TracedMessage:
        """Return a message with its journey."""
        return self._do(calls.get(id_))

    def find(self, search: Search | None = None) -> Iterator[SentMessage]:
        """Find messages, the newest first. Pages are asked for as they are needed."""
        wanted, cursor = search or Search(), None
        while True:
            page = self._do(wanted.page(cursor))
            yield from page.messages
            cursor = page.next_cursor
            if cursor is None:
                return

    def cancel(self, id_: str) -> Steered:
        """End what has not been begun, for good and without a report."""
        return self._do(calls.steer(id_, "cancel"))

    def retry(self, id_: str) -> Steered:
        """Make what waits due now."""
        return self._do(calls.steer(id_, "retry"))

    def hold(self, id_: str) -> Steered:
        """Stop a message until it is released."""
        return self._do(calls.steer(id_, "hold"))

    def release(self, id_: str) -> Steered:
        """Make what is held due now."""
        return self._do(calls.steer(id_, "release"))

    def reschedule(self, id_: str, send_at: datetime) -> Steered:
        """Put what waits or is held off, or forward, until `send_at`."""
        return self._do(calls.steer(id_, "reschedule", send_at))

    def _do(self, call: Call[T]) -> T:
        trial = Trial(call, self._backoff)
        while True:
            try:
                response = self._http.request(
                    call.method,
                    self._base + call.target,
                    content=call.body,
                    headers=self._headers | call.headers,
                    timeout=self._timeout_seconds,
                    follow_redirects=False,
                )
            except httpx.TransportError as error:
                wait_seconds = trial.lost(error)
            else:
                found = trial.judge(response)
                if found is None:
                    return call.read(response.content)
                wait_seconds = found
            time.sleep(wait_seconds)


class Doing(Protocol):
    """Does a call."""

    def __call__(self, call: Call[T]) -> T:
        """Return what the answer says."""


class Templates:
    """What messages are made of, in versions. It needs a key for all domains, good for `settings`."""

    def __init__(self, do: Doing) -> None:
        self._do = do

    def all(self) -> list[TemplateEntry]:
        """Return the templates by name, each by its live version, or else its newest."""
        return (self._do(templates.list_())).templates

    def show(self, name: str, version: int | None = None) -> Template:
        """Return a version as it was written; the live one, or else the newest."""
        return self._do(templates.show(name, version))

    def versions(self, name: str) -> list[TemplateEntry]:
        """Return the versions that are kept, the newest first."""
        return (self._do(templates.versions(name))).templates

    def save(self, name: str, draft: TemplateDraft) -> Template:
        """Save a new version."""
        return self._do(templates.save(name, draft))

    def preview(
        self, name: str, data: Mapping[str, Any] | None = None, *, version: int | None = None
    ) -> Rendered:
        """Render one without sending anything: with its sample, unless there is data."""
        return self._do(templates.preview(name, data, version))

    def activate(self, name: str, version: int) -> Template:
        """Make a version the live one: a draft, or an earlier one to roll back to."""
        return self._do(templates.activate(name, version))

    def remove(self, name: str) -> None:
        """Remove one with all its versions."""
        self._do(templates.remove(name))


class Suppressions:
    """Who gets nothing of a stream any more, and why."""

    def __init__(self, do: Doing) -> None:
        self._do = do

    def find(
        self, stream: str | None = None, *, address: str | None = None, page_size: int = 100
    ) -> Iterator[Suppression]:
        """Find entries of a stream, for an address or ``@domain``. Pages are asked for as they are
        needed.
        """
        after = None
        while True:
            page = self._do(suppressions.page(stream, address, after, page_size))
            yield from page.suppressions
            after = page.next
            if after is None:
                return

    def add(self, stream: str, addresses: Sequence[str], *, evidence: str = "") -> int:
        """Put up to 1,000 addresses on the list of a stream; return how many were not on it. Where an
        answer was lost on the way, that may be fewer than were added.
        """
        return (self._do(suppressions.add(stream, addresses, evidence))).added

    def remove(self, stream: str, address: str, *, force: bool = False) -> None:
        """Take an address off the list of a stream; who complained or unsubscribed, only by force."""
        self._do(suppressions.remove(stream, address, force))

    def export_table(self, stream: str | None = None) -> bytes:
        """Return the lists (of one stream) as CSV."""
        return self._do(suppressions.export(stream))

    def import_table(self, table: bytes, *, dry_run: bool = False) -> Imported:
        """Read such a table. Where a line is wrong, it is named, and nothing is added."""
        return self._do(suppressions.import_(table, dry_run))


class Webhooks:
    """Which web servers are told what became of mail."""

    def __init__(self, do: Doing) -> None:
        self._do = do

    def all(self) -> list[Webhook]:
        """Return the webhooks by name."""
        return (self._do(webhooks.list_())).webhooks

    def show(self, name: str) -> Webhook:
        """Return one."""
        return self._do(webhooks.show(name))

    def add(
        self,
        name: str,
        url: str,
        *,
        events: Sequence[str] = (),
        streams: Sequence[str] = (),
        domains: Sequence[str] = (),
    ) -> WebhookSecret:
        """Make one; nothing said stands for all. Keep the secret: it is not shown again."""
        return self._do(webhooks.add(name, url, events, streams, domains))

    def test(self, name: str) -> WebhookTest:
        """Have an event of the type `test` posted, and see what the receiver makes of it."""
        return self._do(webhooks.test(name))

    def rotate(self, name: str, *, overlap_seconds: float = 86_400.0) -> WebhookSecret:
        """Make a new secret; posts are signed with both for that long."""
        return self._do(webhooks.rotate(name, overlap_seconds))

    def dead(self, name: str, limit: int = 100) -> list[DeadLetter]:
        """Return posts that were given up, the oldest first."""
        return (self._do(webhooks.dead(name, limit))).dead

    def replay(self, name: str, events: Sequence[str] = ()) -> int:
        """Send posts again that were given up: these, or all; return how many."""
        return (self._do(webhooks.replay(name, events))).replayed

    def remove(self, name: str) -> None:
        """Remove one with all that waits for it."""
        self._do(webhooks.remove(name))
