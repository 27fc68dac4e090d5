"""What an account's mailboxes hold as readers of mail see it (RFC 8621): keywords of entries, what is
noticed of each for lists and searches, who an account writes as, and what it sent.

An entry is a message in a mailbox. An email is what was noticed of an entry when its account was looked
at by such a reader: it stays the same one, with the same id, wherever it is moved.
"""

import re
from enum import Enum

from msgspec import Struct

from postroad.model.message import ContentRef

SEEN = "$seen"
FLAGGED = "$flagged"
ANSWERED = "$answered"
DRAFT = "$draft"

MAX_KEYWORDS = 100
"""Keywords of one entry."""

_BITS = {SEEN: 1, FLAGGED: 2, ANSWERED: 4, DRAFT: 8, "$forwarded": 16, "$junk": 32, "$notjunk": 64}
_KEYWORD = re.compile(r"[!#$&'+,\-./0-9:;<=>?@A-Z\[^_`a-z|}~]{1,255}")

SEEN_BIT = _BITS[SEEN]


class InvalidKeyword(ValueError):
    """No entry can have that keyword."""


def parse_keyword(text: str) -> str:
    """Return a keyword as it is stored, in lower case (RFC 8621 §4.1.1). Raises `InvalidKeyword`."""
    if _KEYWORD.fullmatch(text) is None:
        raise InvalidKeyword(f"{text[:40]!r} cannot be a keyword")
    return text.lower()


def pack_keywords(keywords: frozenset[str]) -> tuple[int, str]:
    """Return the well-known ones as bits and the others as words between spaces, ``""`` if none."""
    flags = 0
    others = []
    for keyword in keywords:
        bit = _BITS.get(keyword)
        if bit is None:
            others.append(keyword)
        else:
            flags |= bit
    return flags, f" {' '.join(sorted(others))} " if others else ""


def unpack_keywords(flags: int, others: str) -> frozenset[str]:
    """Undo `pack_keywords`."""
    return frozenset([name for name, bit in _BITS.items() if flags & bit] + others.split())


def keyword_bit(keyword: str) -> int:
    """Return the bit of a well-known keyword, 0 for others."""
    return _BITS.get(keyword, 0)


class Words(Struct, frozen=True, array_like=True):
    """The texts in which a message is found: of its header fields, and what it says."""

    author: str = ""
    to: str = ""
    cc: str = ""
    bcc: str = ""
    subject: str = ""
    body: str = ""


class Glance(Struct, frozen=True, array_like=True):
    """What is noticed of an entry.

    `id` is to be its email's; the entry is `uid` of `mailbox`. `keys` tell what it belongs together
    with: where one is known in the account, the email joins that thread, else it begins `thread`.
    `sent_at` is seconds since 1970, None where the message does not say. `author`, `addressee` and
    `subject` are what lists are sorted by. `summary` is JSON.
    """

    id: int
    mailbox: int
    uid: int
    thread: int
    keys: tuple[int, ...]
    sent_at: float | None
    attachment: bool
    author: str
    addressee: str
    subject: str
    summary: str
    words: Words


class Identity(Struct, frozen=True):
    """Whom an account writes as (RFC 8621 §6). `reply_to` and `bcc` are JSON lists, or ``""``."""

    id: int
    account: int
    name: str
    email: str
    reply_to: str = ""
    bcc: str = ""
    text_signature: str = ""
    html_signature: str = ""


class Upload(Struct, frozen=True):
    """Bytes that an account put here to use them in messages; `at` is seconds since 1970."""

    id: int
    account: int
    content: ContentRef
    media_type: str
    at: float


class Submission(Struct, frozen=True):
    """That an account sent an email (RFC 8621 §7), and as which `message` it was taken, or messages
    where each recipient has a copy: `copies` are the others.

    `envelope` is JSON: sender and recipients as the client said them, by default as the header does.
    `sent_at` is when it was let go, or will be, in seconds since 1970.
    """

    id: int
    account: int
    identity: int
    email: int
    thread: int
    message: int
    sent_at: float
    envelope: str
    copies: tuple[int, ...] = ()


class Field(Enum):
    """What a condition on emails looks at (RFC 8621 §4.4.1)."""

    IN_MAILBOX = "inMailbox"
    IN_MAILBOX_OTHER_THAN = "inMailboxOtherThan"
    BEFORE = "before"
    AFTER = "after"
    MIN_SIZE = "minSize"
    MAX_SIZE = "maxSize"
    KEYWORD = "hasKeyword"
    NOT_KEYWORD = "notKeyword"
    ALL_IN_THREAD = "allInThreadHaveKeyword"
    SOME_IN_THREAD = "someInThreadHaveKeyword"
    NONE_IN_THREAD = "noneInThreadHaveKeyword"
    ATTACHMENT = "hasAttachment"
    TEXT = "text"
    FROM = "from"
    TO = "to"
    CC = "cc"
    BCC = "bcc"
    SUBJECT = "subject"
    BODY = "body"


THREAD_FIELDS = (Field.ALL_IN_THREAD, Field.SOME_IN_THREAD, Field.NONE_IN_THREAD)
WORD_FIELDS = (
    Field.TEXT,
    Field.FROM,
    Field.TO,
    Field.CC,
    Field.BCC,
    Field.SUBJECT,
    Field.BODY,
)


class Condition(Struct, frozen=True):
    """`value` is a number, a text, a bool or, for mailboxes, a tuple of ids; words are phrases, all of
    which must be there.
    """

    field: Field
    value: int | float | str | bool | tuple[int, ...] | tuple[str, ...]


class Operator(Enum):
    """How filters go together (RFC 8620 §5.5)."""

    AND = "AND"
    OR = "OR"
    NOT = "NOT"


class Combined(Struct, frozen=True):
    """Filters put together; NOT: none of them."""

    operator: Operator
    parts: tuple["Condition | Combined", ...]


class SortBy(Enum):
    """What emails are sorted by (RFC 8621 §4.4.2)."""

    RECEIVED_AT = "receivedAt"
    SENT_AT = "sentAt"
    SIZE = "size"
    FROM = "from"
    TO = "to"
    SUBJECT = "subject"
    KEYWORD = "hasKeyword"
    ALL_IN_THREAD = "allInThreadHaveKeyword"
    SOME_IN_THREAD = "someInThreadHaveKeyword"


class Sort(Struct, frozen=True):
    """One criterion; where all are equal, ids decide."""

    by: SortBy
    ascending: bool = True
    keyword: str = ""
