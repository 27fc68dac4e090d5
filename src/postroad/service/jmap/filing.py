"""Putting a message into a mailbox and finding the email that it is then."""

from typing import Any

from msgspec import Struct

from postroad.model import Filed, Group
from postroad.ports import Conflict, Email
from postroad.service.jmap.blobs import PIECE_OCTETS, Blob, email_blob, read_raw
from postroad.service.jmap.desk import Context
from postroad.service.jmap.ids import Kind, show
from postroad.wire.jmap import SetError


class Filing(Struct, frozen=True):
    """Where, how marked, and as of when."""

    mailbox: int
    keywords: frozenset[str]
    received_at: float


async def file_message(context: Context, filing: Filing, data: bytes, number: int) -> Email:
    """File a message; `number` becomes the id of its content. Raises `SetError`, `StorageError`."""
    writer = context.desk.content.stage(number)
    try:
        await _has_room(context, len(data))
        writer.write(data)
        staged = await writer.finish()
        return await _commit(context, filing, staged)
    except BaseException:
        writer.discard()
        raise


async def file_blob(context: Context, filing: Filing, blob: Blob) -> Email:
    """File a copy of a blob, piece by piece. Raises `SetError`, `StorageError`."""
    writer = context.desk.content.stage(context.desk.entropy.id())
    part = blob.part
    first, last = (0, blob.whole_size) if part is None else (part.begin, part.end)
    try:
        await _has_room(context, last - first)
        before = b""
        for begin in range(first, last, PIECE_OCTETS):
            piece = await read_raw(context, blob, begin, min(begin + PIECE_OCTETS, last))
            if not _lines_end_well(before + piece, begin + len(piece) >= last):
                raise SetError("invalidEmail", "its lines have to end in CRLF")
            before = b"\r" if piece.endswith(b"\r") else b""
            writer.write(piece)
        staged = await writer.finish()
        return await _commit(context, filing, staged)
    except BaseException:
        writer.discard()
        raise


async def _has_room(context: Context, size: int) -> None:
    """Raise `SetError` where the account's mailboxes are too full for a message of that size."""
    quotas, inbox = context.desk.quotas, context.account.inbox
    if quotas is None:
        return
    full = await quotas.problem(inbox, size)
    if full is not None:
        raise SetError("overQuota", full.text)
    quotas.took(inbox, size)


def _lines_end_well(piece: bytes, last: bool) -> bool:
    """Whether CR and LF stand together; a CR at the end may be half of a pair, unless it is the last."""
    if piece.endswith(b"\r") and not last:
        piece = piece[:-1]
    pairs = piece.count(b"\r\n")
    return piece.count(b"\n") == pairs == piece.count(b"\r")


async def _commit(context: Context, filing: Filing, staged: Any) -> Email:
    desk, account = context.desk, context.number
    now = desk.clock.now()
    keywords = tuple(sorted(filing.keywords))
    filed = Filed(now, filing.mailbox, staged.ref, filing.received_at, keywords)
    before = (await desk.emails.state(account)).state
    try:
        await desk.ledger.commit(Group((filed,), (staged,)))
    except Conflict as conflict:
        raise SetError("invalidProperties", str(conflict), ("mailboxIds",)) from None
    await desk.noticing.catch_up(account, whole=True)
    changes = await desk.emails.changes(account, before, 10_000)
    fresh = [each.id for each in changes if each.created > before and not each.gone]
    for each in await desk.emails.bytes_of(account, fresh):
        if each.content.id == staged.ref.id:
            (email,) = await desk.emails.emails(account, [each.id])
            return email
    raise SetError("serverFail", "it was filed, and is gone already")


def made_json(context: Context, name: str, email: Email) -> dict[str, Any]:
    """Return what the client is told of an email that it made by that name."""
    shown = show(Kind.EMAIL, email.id)
    context.created[name] = shown
    return {
        "id": shown,
        "blobId": email_blob(email.id),
        "threadId": show(Kind.THREAD, email.thread),
        "size": email.size,
    }
