"""Idempotency keys: of all requests with one key, one is done, and all that ask the same get its answer.

The answer is committed in the group of what was asked for, so neither a crash nor a race can part them.
By SMTP the key is a field of the header, of users who logged in; by HTTP a header of the request.
"""

import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from msgspec import Struct

from postroad.model import Envelope, KeptAnswer, Message, Reply, format_id
from postroad.ports import KeyTaken, LabelStore
from postroad.service.recipients import Accepted

MAX_KEY_LETTERS = 255

Answer: TypeAlias = Callable[[Sequence[Message]], str]
"""From what was accepted (several where each recipient has a copy) to what is answered, now and to who
asks the same again.
"""

BAD_KEY = Reply(554, "5.6.0", "Idempotency-Key is 1 to 255 printable ASCII characters")
OTHER_MESSAGE = Reply(554, "5.6.0", "The Idempotency-Key was used for another message")
KEY_AGAIN = Reply(451, "4.3.0", "The Idempotency-Key ran out just now, try again")

_NAME = b"idempotency-key"
_FIELD = re.compile(rb"^idempotency-key[ \t]*:[ \t]*([^\r\n]*)", re.IGNORECASE | re.MULTILINE)
_KEY = re.compile(rf"[!-~]{{1,{MAX_KEY_LETTERS}}}")


class Once(Struct, frozen=True):
    """`scope` is whose key it is; `digest` is the SHA-256 of what was asked. The key is forgotten after
    `seconds`.
    """

    scope: str
    key: str
    digest: bytes
    seconds: float
    answer: Answer

    def kept(self, messages: Sequence[Message], now: float) -> KeptAnswer:
        """Return what is committed with the message."""
        return KeptAnswer(
            self.scope, self.key, self.digest, self.answer(messages), now + self.seconds
        )


class KeyedMessage:
    """A message by SMTP whose header has a key: takes the digest of envelope and bytes as they come."""

    __slots__ = ("_digest", "_key", "_scope", "_seconds")

    def __init__(
        self, account: str, key: str, seconds: float, people: Sequence[str], header: bytes
    ) -> None:
        self._scope = f"account {account.lower()}"
        self._key = key
        self._seconds = seconds
        self._digest = hashlib.sha256(" ".join(people).encode() + b"\n")
        self._digest.update(header)

    def write(self, data: bytes) -> None:
        """Take the next octets of the body."""
        self._digest.update(data)

    def once(self) -> Once:
        """Return what is asked, now that all is here."""
        digest = self._digest.digest()
        return Once(
            self._scope, self._key, digest, self._seconds, lambda messages: queued(messages).text
        )


def key_in(header: bytes) -> str | None:
    """Return the value of the field Idempotency-Key, None where there is none."""
    if _NAME not in header.lower():
        return None  # nearly always
    found = _FIELD.search(header)
    return None if found is None else found[1].strip().decode("latin-1")


def is_key(text: str) -> bool:
    """Whether a text can be an idempotency key: 1 to 255 printable ASCII characters without space."""
    return _KEY.fullmatch(text) is not None


def queued(messages: Sequence[Message]) -> Reply:
    """Return the reply that says that a message is ours, in so many copies."""
    more = f" and {len(messages) - 1} more" if len(messages) > 1 else ""
    return Reply(250, "2.0.0", f"Ok: queued as {format_id(messages[0].id)}{more}")


def keyed_message(
    header: bytes,
    account: str,
    envelope: Envelope,
    accepted: Sequence[Accepted],
    seconds: float,
) -> KeyedMessage | Reply | None:
    """Return what makes a message with a key in its header one, the refusal of a bad key, or None."""
    key = key_in(header)
    if key is None:
        return None
    if not is_key(key):
        return BAD_KEY
    people = [str(envelope.sender or ""), *(str(each.recipient.address) for each in accepted)]
    return KeyedMessage(account, key, seconds, people, header)


async def only_once(
    once: Once,
    labels: LabelStore,
    now: Callable[[], float],
    take: Callable[[Once], Awaitable[Reply]],
) -> KeptAnswer | Reply:
    """Do what is asked, unless it was done before: then return the answer of then, or the refusal where
    something else was asked with the key.
    """
    answer = await _before(once, labels, now())
    if answer is not None:
        return answer
    try:
        return await take(once)
    except KeyTaken:  # another request with the key was faster
        return await _before(once, labels, now()) or KEY_AGAIN


async def _before(once: Once, labels: LabelStore, now: float) -> KeptAnswer | Reply | None:
    kept = await labels.answer(once.scope, once.key, now)
    if kept is None:
        return None
    return kept if kept.digest == once.digest else OTHER_MESSAGE
