"""Says why rows were refused, in words for people: asked once they are alone in their savepoint."""

from collections.abc import Iterable
from typing import Any

from postroad.ports import Conflict
from postroad.storage import conflicts
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.kinds import ATTEMPT, CONTENT, ENTRY, ENTRY_LATER, MESSAGE
from postroad.storage.sql.rows import Rows
from postroad.storage.sql.statements import SQL


def explain(connection: Connection, parts: Iterable[Rows]) -> Conflict:
    """Return why none of these rows was written."""
    for part in parts:
        for kind, *values in part.rows:
            if conflict := _explain_row(connection, kind, values):
                return conflict
    return conflicts.given_twice()


def _explain_row(connection: Connection, kind: object, values: list[Any]) -> Conflict | None:
    def one(statement: str, *given: Any) -> Any:
        return connection.execute(SQL[statement], given).get

    if kind == CONTENT and one("content_exists", values[0]):
        return conflicts.content_stored(values[0])
    if kind == MESSAGE and one("message_get", values[0]):
        return conflicts.message_stored(values[0])
    if kind in (ENTRY, ENTRY_LATER):
        mailbox, message, content = values[:3]
        if one("mailbox_get", mailbox) is None:
            return conflicts.mailbox_gone(mailbox)
        if kind == ENTRY_LATER:
            ordinal = values[8]
            if one("delivery_ended", message, ordinal) == 1:
                return conflicts.delivery_ended(message, ordinal)
            if one("content_exists", content) is None:
                return conflicts.content_gone(content)
    if kind == ATTEMPT:
        message, ordinal = values[6:8]
        if one("delivery_ended", message, ordinal) is None:
            return conflicts.no_delivery(message, ordinal)
    return None
