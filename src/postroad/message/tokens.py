"""What a message is judged by: its words, who it says to be from, where it links to.

Tokens are the same for the same bytes, whenever and by whoever they are made: what was learned can so be
taken back. Never raises, bounded, linear in what is read.
"""

import re
from collections.abc import Iterator

from postroad.message.mime import MimeMessage, text_of_message

MAX_TOKENS = 2_000
"""Tokens of one message; what comes later is left out."""

MAX_MESSAGE_OCTETS = 524_288
"""Of a message no more is looked at."""

MAX_TEXT_OCTETS = 65_536
"""Of its text no more is looked at."""

_MIN_WORD, _MAX_WORD = 3, 20
_MAX_TOKEN = 60
_EDGES = ".,;:!?\"'()[]{}<>*_-=+~|/\\#&"
_LINK = re.compile(r"\bhttps?://([^\s/?#<>\"')\]]{1,253})", re.IGNORECASE)
_MAX_LABELS = 4


def tokens_of(data: bytes, limit: int = MAX_TOKENS) -> tuple[str, ...]:
    """Return the distinct tokens of a message, at most `limit`, in the order they are found.

    Those of a place have its name before a colon: ``subject:``, ``from:``, ``link:``, ``part:`` …
    """
    message = MimeMessage(data[:MAX_MESSAGE_OCTETS])
    found: dict[str, None] = {}
    for token in _tokens(message):
        found[token[:_MAX_TOKEN]] = None
        if len(found) >= limit:
            break
    return tuple(found)


def _tokens(message: MimeMessage) -> Iterator[str]:
    for word in _words(message.text("subject")):
        yield f"subject:{word}"
    for name in ("from", "reply-to"):
        for each in message.addresses(name)[:5]:
            address = each.address.lower()
            yield f"{name}:{address}"
            yield from _domains(f"{name}:", address.rpartition("@")[2])
            for word in _words(each.name):
                yield f"{name}:{word}"
    mailer = message.text("x-mailer") or message.text("user-agent")
    if mailer:
        yield f"mailer:{' '.join(mailer.lower().split()[:2])}"
    if message.text("list-id"):
        yield f"list:{message.text('list-id').rpartition('<')[2].rstrip('> ').lower()}"
    for part in message.root.walk():
        yield f"part:{part.media_type}"
        if part.charset:
            yield f"charset:{part.charset.lower()}"
        if part.filename:
            yield f"file:{part.filename.rpartition('.')[2].lower()}"
    body = text_of_message(message, MAX_TEXT_OCTETS)
    for link in (*_LINK.findall(body.text), *(_LINK.match(each) for each in body.links)):
        host = link if isinstance(link, str) else link[1] if link else ""
        yield from _domains("link:", host.rpartition("@")[2].partition(":")[0].lower())
    yield from _words(body.text)


def _words(text: str) -> Iterator[str]:
    for piece in text.lower().split():
        word = piece.strip(_EDGES)
        if len(word) < _MIN_WORD:
            continue
        if len(word) <= _MAX_WORD:
            yield word
        if _without_spaces(word):
            yield from (word[at : at + 2] for at in range(min(len(word), 500) - 1))
        elif len(word) > _MAX_WORD:
            local, at, domain = word.rpartition("@")
            yield f"mail:{domain}" if at and local else f"long:{word[0]}{len(word) // 10 * 10}"


def _without_spaces(word: str) -> bool:
    """Whether a word is in a script that writes words without spaces between them."""
    return "\u2e80" <= word[0] <= "\ud7ff" or "\u0e00" <= word[0] <= "\u0eff"


def _domains(prefix: str, domain: str) -> Iterator[str]:
    """A domain and those above it, but for the last label."""
    labels = domain.strip(".").split(".")[-_MAX_LABELS:]
    for start in range(max(1, len(labels) - 1)):
        if labels[start]:
            yield prefix + ".".join(labels[start:])
