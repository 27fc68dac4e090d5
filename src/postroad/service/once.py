"""Idempotency keys: of all requests with one key, one is done, and all that ask the same get its answer.

The answer is committed in the group of what was asked for, so neither a crash nor a race can part them.
By SMTP the key is a field of the header, of users who logged in; by HTTP a header of the request.

Whose key it is: the sender's, by its whole address in the envelope, by whatever protocol and with
whatever key of the API it comes (who may not send in an address's name cannot ask for its keys either);
and that of who asks (an account, a key of the API), so that who changes the sender in between is told.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence

import msgspec
from msgspec import Struct

from postroad.model import (
    Address,
    AnswerKept,
    Envelope,
    KeptAnswer,
    Message,
    Origin,
    Reply,
    Ruling,
    RulingKind,
    ServerKind,
    format_id,
)
from postroad.ports import KeyTaken, LabelStore
from postroad.service.completion import message_id_of
from postroad.service.recipients import Accepted

MAX_KEY_LETTERS = 255

BAD_KEY = Reply(554, "5.6.0", "Idempotency-Key is one field of 1 to 255 printable ASCII characters")
OTHER_MESSAGE = Reply(
    554, "5.6.0", "The Idempotency-Key was used before, and what was sent then differs"
)
KEY_AGAIN = Reply(451, "4.3.0", "The Idempotency-Key ran out just now, try again")

_NAME = b"idempotency-key"
_FIELD = re.compile(
    rb"^idempotency-key[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)",
    re.IGNORECASE | re.MULTILINE,
)
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY_LETTERS}}}")


class TakenOnce(Struct, frozen=True):
    """What is kept of what was done: the ids of the messages (several where each recipient has a copy),
    the Message-ID of the first, and when it was accepted (seconds since 1970).
    """

    ids: list[str]
    message_id: str
    accepted_at: float

    @classmethod
    def of(cls, messages: Sequence[Message]) -> "TakenOnce":
        """Return what there is to say of messages."""
        first = messages[0]
        return cls([format_id(each.id) for each in messages], first.message_id, first.accepted_at)


_read = msgspec.json.Decoder(TakenOnce).decode
_write = msgspec.json.Encoder().encode


def taken_once(kept: KeptAnswer) -> TakenOnce:
    """Return what was done when a key was used first."""
    return _read(kept.answer)


class Once(Struct, frozen=True):
    """`scopes` are whose key it is, see `scopes_of`; `digest` is the SHA-256 of what was asked. The key
    is forgotten after `seconds`.
    """

    scopes: tuple[str, ...]
    key: str
    digest: bytes
    seconds: float


class KeyedMessage:
    """A message by SMTP whose header has a key: takes the digest of envelope and bytes as they come.
    `header` is that without the field, which is for us alone; `told` is for the journey.
    """

    __slots__ = ("_digest", "_once", "header", "told")

    def __init__(self, once: Once, people: Sequence[str], header: bytes, told: str) -> None:
        self.header = header
        self.told = told
        self._once = once
        self._digest = message_digest(people)
        self._digest.update(header)

    def write(self, data: bytes) -> None:
        """Take the next octets of the body."""
        self._digest.update(data)

    def once(self) -> Once:
        """Return what is asked, now that all is here."""
        return msgspec.structs.replace(self._once, digest=self._digest.digest())

    def ruling(self, at: float) -> Ruling:
        """Return what the journey says of it."""
        return Ruling(_NAME.decode(), RulingKind.ACCEPT, self.told, at, 0.0)


def message_digest(people: Sequence[str]) -> "hashlib._Hash":
    """Return the digest of a written message, to be given its bytes without `Idempotency-Key`: the
    sender and the set of recipients, `people` in this order, are in it already.
    """
    recipients = sorted({each.lower() for each in people[1:]})
    return hashlib.sha256("\n".join([people[0].lower(), *recipients, "\n"]).encode())


def key_in(header: bytes) -> str | None:
    """Return the value of the field Idempotency-Key, None where there is none; that of two is none that
    can be a key.
    """
    if _NAME not in header.lower():
        return None  # nearly always
    found = _FIELD.findall(header)
    if not found:
        return None
    return found[0].strip().decode("latin-1") if len(found) == 1 else ""


def without_key(header: bytes) -> bytes:
    """Return a header without the field: it is for the server alone."""
    return _FIELD.sub(b"", header) if _NAME in header.lower() else header


def scopes_of(asker: str, sender: Address | None) -> tuple[str, ...]:
    """Return whose key it is: the sender's, None where nobody has seen that it belongs to who asks, and
    that of who asks.
    """
    return (asker,) if sender is None else (f"sender {sender.folded}", asker)


def is_key(text: str) -> bool:
    """Whether a text can be an idempotency key: 1 to 255 printable ASCII characters without space."""
    return _KEY.fullmatch(text) is not None


def queued(ids: Sequence[str]) -> Reply:
    """Return the reply that says that a message is ours, in so many copies."""
    more = f" and {len(ids) - 1} more" if len(ids) > 1 else ""
    return Reply(250, "2.0.0", f"Ok: queued as {ids[0]}{more}")


def keyed_message(
    header: bytes,
    origin: Origin,
    envelope: Envelope,
    accepted: Sequence[Accepted],
    seconds: float,
    *,
    by_message_id: bool = False,
    senders_checked: bool = True,
) -> KeyedMessage | Reply | None:
    """Return what makes a message with a key in its header one, the refusal of a bad key, or None.

    With `by_message_id`, the Message-ID of a message is its key where it has no other, together with its
    recipients: one message is often sent to them in parts. `senders_checked` tells whether users were
    asked whether the sender's address is theirs.
    """
    people = [str(envelope.sender or ""), *(str(each.recipient.address) for each in accepted)]
    proved = origin.server is ServerKind.API or (
        origin.server is ServerKind.SUBMISSION and senders_checked
    )
    scopes = scopes_of(
        f"account {(origin.account or '').lower()}", envelope.sender if proved else None
    )
    key = key_in(header)
    if key is not None:
        if not is_key(key):
            return BAD_KEY
        told = f"{key}; the field is for this server alone, and is removed"
        return KeyedMessage(Once(scopes, key, b"", seconds), people, without_key(header), told)
    if not by_message_id or not (given := message_id_of(header)):
        return None
    key = f"{given} {message_digest(people).hexdigest()}"
    return KeyedMessage(Once(scopes, key, b"", seconds), people, header, f"by Message-ID {given}")


def kept_of(once: Once, messages: Sequence[Message], at: float) -> tuple[AnswerKept, ...]:
    """Return what is committed with messages."""
    answer = _write(TakenOnce.of(messages)).decode()
    return tuple(
        AnswerKept(at, KeptAnswer(scope, once.key, once.digest, answer, at + once.seconds))
        for scope in once.scopes
    )


async def only_once(
    once: Once,
    labels: LabelStore,
    now: Callable[[], float],
    take: Callable[[Once], Awaitable[Reply]],
) -> tuple[Reply, KeptAnswer | None]:
    """Do what is asked, unless it was done before: then return the reply of then, or the refusal where
    something else was asked with the key, and what was kept.
    """
    answer = await _before(once, labels, now())
    if answer is not None:
        return answer
    try:
        return await take(once), None
    except KeyTaken:  # another request with the key was faster
        return await _before(once, labels, now()) or (KEY_AGAIN, None)


async def _before(once: Once, labels: LabelStore, now: float) -> tuple[Reply, KeptAnswer] | None:
    for scope in once.scopes:
        kept = await labels.answer(scope, once.key, now)
        if kept is not None:
            same = kept.digest == once.digest
            return queued(taken_once(kept).ids) if same else OTHER_MESSAGE, kept
    return None
