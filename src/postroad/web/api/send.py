"""Sending: one message, a batch, or a message that is written already."""

import asyncio
import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, post
from litestar.params import FromQuery, HeaderParameter, QueryParameter
from litestar.types import ControllerRouterHandler

from postroad.message.header import Header, header_end
from postroad.message.mime import MimeMessage
from postroad.model import (
    Address,
    ApiKey,
    ApiScope,
    Origin,
    ServerKind,
    format_id,
)
from postroad.service.once import Once, is_key, message_digest, scopes_of, without_key
from postroad.service.postings import NotTaken, Posting
from postroad.service.wishes import Wishes
from postroad.trust.dmarc import author_of, read_author
from postroad.web.api import reading
from postroad.web.api.half_characters import read_json
from postroad.web.api.moment import rfc3339
from postroad.web.api.shapes import BatchItem, MessageIn, Receipt
from postroad.web.api.templated import filled
from postroad.web.explore import BASE
from postroad.web.keys import SECURITY, key_of, needs
from postroad.web.problem import Gone, Problem, invalid, problem_of
from postroad.web.services import Services

_decode = msgspec.json.Decoder(MessageIn).decode
_decode_batch = msgspec.json.Decoder(list[msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode
_sorted = msgspec.json.Encoder(order="sorted").encode

_KEY_HEADER = "idempotency-key"
_AT_ONCE = 200  # of all batches: what is in memory twice, and in one commit


def routes(services: Services) -> Sequence[ControllerRouterHandler]:
    """Return the routes."""
    sender = Sender(services)

    @post(
        f"{BASE}/messages",
        status_code=202,
        guards=[needs(ApiScope.SEND)],
        security=SECURITY,
        tags=["messages"],
        opt={"body": MessageIn, "answer": Receipt},
        summary="Send a message",
    )
    async def send(
        request: Request[Any, Any, Any],
        idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
    ) -> Response[bytes]:
        """Take one message. 202: it is on stable storage. With an `Idempotency-Key`, the same request is
        answered the same, and sent once.
        """
        return _accepted(await sender.one(request))

    @post(
        f"{BASE}/messages/batch",
        status_code=200,
        guards=[needs(ApiScope.SEND)],
        security=SECURITY,
        tags=["messages"],
        opt={"body": list[MessageIn], "answer": list[BatchItem]},
        summary="Send many messages",
    )
    async def batch(
        request: Request[Any, Any, Any],
        idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
    ) -> Response[bytes]:
        """Take up to 1,000 messages. What became of each stands in its place of the answer: status 202
        and its receipt, or a problem.
        """
        return Response(await sender.many(request), media_type="application/json")

    @post(
        f"{BASE}/messages/raw",
        status_code=202,
        guards=[needs(ApiScope.SEND)],
        security=SECURITY,
        tags=["messages"],
        opt={"raw": "message/rfc822", "answer": Receipt},
        summary="Send a message that is written already",
    )
    async def raw(
        request: Request[Any, Any, Any],
        sender_: Annotated[str, QueryParameter(name="from", max_length=320)],
        to: Annotated[list[str], QueryParameter(max_items=100_000)],
        tag: FromQuery[list[str] | None] = None,
        stream: FromQuery[str | None] = None,
        send_at: FromQuery[datetime | None] = None,
        ttl: Annotated[int | None, QueryParameter(ge=60, le=31_557_600)] = None,
        idempotency_key: Annotated[str | None, HeaderParameter(name="Idempotency-Key")] = None,
    ) -> Response[bytes]:
        """Take a message in MIME (`message/rfc822`, CRLF line ends), with its envelope in the query:
        `from` once and `to` for each recipient. Its bytes stay as they are.
        """
        return _accepted(await sender.raw(request, sender_, to, tag or [], stream, send_at, ttl))

    return [send, batch, raw]


def _accepted(receipt: bytes) -> Response[bytes]:
    return Response(receipt, status_code=202, media_type="application/json")


class Sender:
    """Takes messages for keys."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._settings = services.settings
        self._turn = asyncio.Semaphore(_AT_ONCE)
        self._hosted = reading.Hosted(services.domains, services.clock.monotonic)

    async def one(self, request: Request[Any, Any, Any]) -> bytes:
        """Return the receipt of one message. Raises `Problem`."""
        body = await _body(request)
        key, origin = key_of(request), _origin(request)
        return await self._send(read_json(_decode, body), key, origin, _once_key(request))

    async def many(self, request: Request[Any, Any, Any]) -> bytes:
        """Return what became of each of many. Raises `Problem` where it is no batch."""
        body = await _body(request)
        items = read_json(_decode_batch, body)
        if len(items) > self._settings.max_batch:
            raise invalid(
                "", f"there are {len(items)} messages, more than {self._settings.max_batch}"
            )
        key, origin = key_of(request), _origin(request)
        whole = _once_key(request)
        gone = asyncio.ensure_future(request.receive())  # all is here, so that this is the end
        try:
            results = await asyncio.gather(
                *(
                    self._in_turn(each, key, origin, whole and f"{whole}/{place}", gone)
                    for place, each in enumerate(items)
                )
            )
        finally:
            if not gone.cancel():
                gone.exception()  # it is known, and nobody's trouble
        return b"[" + b",".join(results) + b"]"

    async def raw(
        self,
        request: Request[Any, Any, Any],
        sender: str,
        to: Sequence[str],
        tags: Sequence[str],
        stream: str | None,
        send_at: datetime | None,
        ttl: int | None,
    ) -> bytes:
        """Return the receipt of a message that is written already. Raises `Problem`."""
        data = reading.fitting(await _body(request), self._settings.max_message_octets)
        key = key_of(request)
        author = reading.address("from", sender)
        recipients = [reading.address(f"to[{place}]", each) for place, each in enumerate(to)]
        reading.enough(recipients, self._settings.max_recipients)
        await reading.allowed("from", author.domain, key, self._hosted)
        if data.count(b"\r\n") != data.count(b"\n") or data.count(b"\r\n") != data.count(b"\r"):
            raise invalid("", "every line of the message must end in CRLF")
        head = data[: max(header_end(data), 0)]
        if not head:
            raise invalid("", "this is no message: it has no header")
        await self._check_author(head, key)
        if send_at is not None and send_at.tzinfo is None:
            raise invalid("send_at", "has no zone")
        now = self._services.clock.now()
        release_at, expires_at = reading.times(send_at, ttl, now, self._settings)
        given, once = _once_key(request), None
        if given is not None:
            # The same as by SMTP, where nothing is asked that cannot be asked there.
            digest = message_digest([str(author), *map(str, recipients)])
            digest.update(without_key(head) + data[len(head) :])
            if tags or stream is not None or send_at is not None or ttl is not None:
                digest.update(_sorted([tags, stream, send_at, ttl]))
            once = self._once(given, key, author, digest.digest())
        wishes = Wishes(
            reading.label(key, MimeMessage(head).text("subject")[:998], tags, ()),
            release_at,
            expires_at,
            reading.stream(stream, key, self._settings),
            once,
        )
        posting = Posting(author, tuple(recipients), data, _origin(request), wishes)
        return await self._take(posting, [f"to[{place}]" for place in range(len(to))])

    async def _check_author(self, head: bytes, key: ApiKey) -> None:
        """Raises `Problem` where From or Sender name whom the key does not send for, or a domain of
        others.
        """
        header = Header.parse(head)
        senders = [("Sender", read_author(value)) for value in header.get_all("sender")]
        for field, author in (("From", author_of(header)), *senders):
            if key.domains and author.problem is not None:
                reason = (
                    f"{field}: the key {key.name!r} sends for its domains alone; this names none"
                )
                raise Problem(403, "forbidden", reason)
            for name in author.domains:
                await reading.allowed(field, name, key, self._hosted)

    async def _in_turn(
        self,
        item: msgspec.Raw,
        key: ApiKey,
        origin: Origin,
        given: str | None,
        gone: "asyncio.Future[Any]",
    ) -> bytes:
        """Batches take turns, so that many of them do not hold up single messages. Of one that nobody
        waits for any longer, the rest is left.
        """
        async with self._turn:
            if gone.done():
                gone.result()  # raises `Gone`
                raise Gone("the client is gone")
            return await self._item(item, key, origin, given)

    async def _item(
        self, item: msgspec.Raw, key: ApiKey, origin: Origin, given: str | None
    ) -> bytes:
        try:
            receipt = await self._send(read_json(_decode, item), key, origin, given)
        except Exception as error:
            problem = problem_of(error)
            status = problem.details.status
            return b'{"status":%d,"problem":%b}' % (status, problem.encode())
        return b'{"status":202,"receipt":%b}' % receipt

    async def _send(
        self, given: MessageIn, key: ApiKey, origin: Origin, once_key: str | None
    ) -> bytes:
        settings, asked = self._settings, given
        if given.template is not None or given.data is not None:
            given = await filled(given, self._services.templates, f"{key.name} (API)")
        letter, found = reading.letter(given)
        reading.enough(found, settings.max_recipients)
        sender = letter.author.address
        await reading.allowed("from", sender.domain, key, self._hosted)
        data = reading.write(letter, settings.max_message_octets)
        now = self._services.clock.now()
        release_at, expires_at = reading.times(given.send_at, given.ttl, now, settings)
        once = None
        if once_key is not None:
            digest = hashlib.sha256(_sorted(asked)).digest()
            once = self._once(once_key, key, sender, digest)
        wishes = Wishes(
            reading.label(key, given.subject, given.tags, tuple(given.metadata.items())),
            release_at,
            expires_at,
            reading.stream(given.stream, key, settings),
            once,
        )
        # Lines of ours end in CRLF, so all that could be in the way is a dot at the start of one.
        posting = Posting(
            sender,
            tuple([address for _, address in found]),
            data,
            origin,
            wishes,
            plain=b"\r\n." not in data,
        )
        return await self._take(posting, [field for field, _ in found])

    async def _take(self, posting: Posting, fields: Sequence[str]) -> bytes:
        try:
            taken = await self._services.postings.take(posting)
        except NotTaken as error:
            if (earlier := error.earlier) is not None:
                raise Problem(
                    409,
                    "idempotency-key",
                    f"the idempotency key was used before, for message {earlier.ids[0]}, and what was "
                    "asked then differs",
                ) from None
            raise reading.not_taken(error, fields) from None
        return _encode(
            Receipt(
                taken.ids[0],
                taken.ids,
                taken.message_id,
                rfc3339(taken.accepted_at),
                self._settings.durability,
            )
        )

    def _once(self, given: str, key: ApiKey, sender: Address, digest: bytes) -> Once:
        scopes = scopes_of(f"key {format_id(key.id)}", sender)
        return Once(scopes, given, digest, self._settings.idempotency_seconds)


def _once_key(request: Request[Any, Any, Any]) -> str | None:
    """Return the idempotency key. Raises `Problem`."""
    keys: list[str] = request.headers.getall(_KEY_HEADER, [])
    if not keys:
        return None
    if len(keys) > 1:
        raise invalid("Idempotency-Key", "is there more than once")
    if not is_key(keys[0]):
        raise invalid("Idempotency-Key", "is 1 to 255 printable ASCII characters")
    return keys[0]


async def _body(request: Request[Any, Any, Any]) -> bytes:
    body = await request.body()
    if not body:
        raise Problem(400, "malformed", "the request has no body")
    return body


def _origin(request: Request[Any, Any, Any]) -> Origin:
    scope = request.scope
    client = scope.get("client")
    return Origin(
        ServerKind.API,
        client=client[0] if client else "",
        protocol="HTTPS" if scope["scheme"] == "https" else "HTTP",
        account=f"key:{key_of(request).name}",
    )
