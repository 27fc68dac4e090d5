"""SearchSnippet/get (RFC 8621 §5): what of an email a search found, marked by ``<mark>``."""

import html
import re
import unicodedata
from collections.abc import Iterable
from typing import Any

import msgspec

from postroad.message.mime import MimeMessage, text_of_message
from postroad.model import Combined, Condition, Field, Operator
from postroad.service.jmap.blobs import email_blob, find_blob, read_blob
from postroad.service.jmap.desk import Context
from postroad.service.jmap.email_filter import Where, parse_filter
from postroad.service.jmap.ids import Kind
from postroad.service.jmap.standard import at_most
from postroad.wire.jmap import Arguments

READ_OCTETS = 262_144
MAX_SNIPPET = 255
"""Octets of a preview, with its marks (RFC 8621 §5)."""

_AROUND = 60
_WORD = re.compile(r"[^\W_]+")
_decode = msgspec.json.Decoder(dict[str, Any]).decode


async def search_snippet_get(context: Context, arguments: Arguments) -> dict[str, Any]:
    """Return for each email what of its subject and text was searched for."""
    context.own_account(arguments)
    where = parse_filter(context, arguments.take("filter"))
    ids = arguments.ids("emailIds") or []
    arguments.done()
    at_most(context, len(ids))
    await context.state()
    subjects = frozenset(_phrases(where, (Field.TEXT, Field.SUBJECT)))
    bodies = frozenset(_phrases(where, (Field.TEXT, Field.BODY)))
    found, not_found = [], []
    for each in dict.fromkeys(ids):
        number = context.read(Kind.EMAIL, each)
        emails = (
            [] if number is None else await context.desk.emails.emails(context.number, [number])
        )
        if not emails:
            not_found.append(each)
            continue
        subject = _decode(emails[0].summary).get("subject") or ""
        preview = None
        if bodies:
            preview = marked(await _text(context, emails[0].id), bodies)
        found.append(
            {"emailId": each, "subject": marked(subject, subjects, whole=True), "preview": preview}
        )
    return {
        "accountId": context.account_id,
        "list": found,
        "notFound": not_found or None,
    }


async def _text(context: Context, email: int) -> str:
    blob = await find_blob(context, email_blob(email))
    if blob is None:
        return ""
    data = await read_blob(context, blob, READ_OCTETS)
    return text_of_message(MimeMessage(data)).text


def _phrases(where: Where, fields: tuple[Field, ...]) -> Iterable[str]:
    if isinstance(where, Combined):
        if where.operator is not Operator.NOT:
            for part in where.parts:
                yield from _phrases(part, fields)
    elif isinstance(where, Condition) and where.field in fields:
        assert isinstance(where.value, tuple)
        for phrase in where.value:
            yield from _WORD.findall(_plain(str(phrase)))


def marked(text: str, words: frozenset[str], whole: bool = False) -> str | None:
    """Return the text as HTML with the words marked, or the part of it around the first one; None where
    none is in it.
    """
    places = [match.span() for match in _WORD.finditer(text) if _plain(match[0]) in words]
    if not places:
        return None
    begin, end = 0, len(text)
    if not whole:
        begin = max(0, places[0][0] - _AROUND)
        end = begin + MAX_SNIPPET
        if begin:
            space = text.find(" ", begin, places[0][0])
            begin = space + 1 if space >= 0 else begin
    out: list[str] = []
    length, at = 0, begin
    for start, stop in [*places, (end, end)]:
        if start < at or (start >= end and start != end):
            continue
        before = " ".join(html.escape(text[at : min(start, end)]).split("\n"))
        word = "" if start == end else f"<mark>{html.escape(text[start:stop])}</mark>"
        if not whole:
            before = _fit(before, MAX_SNIPPET - length)
            length += len(before.encode())
            out.append(before)
            if length + len(word.encode()) > MAX_SNIPPET:
                break
            length += len(word.encode())
            out.append(word)
        else:
            out += [before, word]
        at = stop
    return "".join(out)


def _fit(text: str, octets: int) -> str:
    """Return as much as fits, no letter and no ``&amp;`` cut in two."""
    if len(text.encode()) <= octets:
        return text
    cut = text.encode()[: max(0, octets)].decode("utf-8", "ignore")
    escape = cut.rfind("&")
    return cut[:escape] if escape >= 0 and ";" not in cut[escape:] else cut


def _plain(text: str) -> str:
    letters = unicodedata.normalize("NFD", text.lower())
    return "".join(letter for letter in letters if not unicodedata.combining(letter))
