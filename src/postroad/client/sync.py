"""The client for programs without asyncio."""

import time
from collections.abc import Iterator, Sequence
from datetime import datetime
from email.message import Message as MimeMessage
from typing import Self, TypeVar

import httpx

from postroad.client import calls
from postroad.client.backoff import Backoff, Trial
from postroad.client.calls import Call, Search
from postroad.client.shapes import (
    BatchItem,
    Message,
    Receipt,
    SentMessage,
    Steered,
    TracedMessage,
)

T = TypeVar("T")


class Client:
    """A connection to one server, with one API key. `url` is ``https://mail.example.org``. `http` is
    an `httpx.Client` of yours (proxies, certificates), which stays yours to close. Close it, or use
    it in `with`. Threads may share it.

    Each method raises `PostroadError`, and ValueError for what cannot be asked.
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
