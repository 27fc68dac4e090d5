"""Puts many messages into mailboxes of ours at once, through the store, before the server starts.

The messages are those that `Dovecot.fill` writes, and as long as theirs in POP3.
"""

import asyncio
import re
from collections.abc import Mapping
from itertools import count, islice

from bench.ours import DOMAIN, Postroad
from peers.dovecot import generated_messages
from postroad.model import ContentRef, Deposited, Group, Staged
from postroad.runtime.office import Office

_PREFIX = b"Return-Path: <sender@source.test>\r\n"
_AT_ONCE = 5000
_BARE_LINE_END = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_FIRST_ID = 1 << 40  # far below the ids that a clock makes


def fill(server: Postroad, mailboxes: Mapping[str, int], size: int) -> None:
    """Put that many messages of `size` octets into each user's INBOX."""
    asyncio.run(_fill(server, mailboxes, size))


def _is_plain(data: bytes) -> bool:
    """What our server would have seen as these came in by SMTP."""
    return not (data.startswith(b".") or b"\n." in data or _BARE_LINE_END.search(data))


async def _fill(server: Postroad, mailboxes: Mapping[str, int], size: int) -> None:
    ids = count(_FIRST_ID)
    async with Office.open(server.config) as office:
        for user, messages in mailboxes.items():
            contents = generated_messages(f"{user}@{DOMAIN}", messages, size - len(_PREFIX))
            inbox = server.inbox(user)
            at = office.clock.now()
            while some := list(islice(contents, _AT_ONCE)):
                staged = tuple(
                    Staged(ContentRef(next(ids), len(data), _is_plain(data)), data) for data in some
                )
                changes = tuple(
                    Deposited(
                        at=at,
                        message=each.ref.id,
                        ordinal=0,
                        mailbox=inbox,
                        content=each.ref,
                        prefix=_PREFIX,
                        size=size,
                    )
                    for each in staged
                )
                await office.store.ledger.commit(Group(changes, staged))
