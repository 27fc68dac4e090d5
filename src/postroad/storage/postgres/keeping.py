"""While a backup is made no node removes a content: what the copied rows name is there to be copied.

The row that every transaction locks says until when. Whoever makes the backup moves that time on; if it
dies, removing goes on a minute later. What was not removed meanwhile is swept.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

from postroad.storage.postgres.connection import Connection

KEPT_SECONDS = 60.0
_AGAIN_SECONDS = 15.0


@contextmanager
def keep_contents(connection: Connection) -> Iterator[None]:
    """Within, nobody removes a content. The connection is used by another thread meanwhile.

    Raises `psycopg.Error`; a connection that is lost later lets the time run out.
    """
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(_AGAIN_SECONDS):
            try:
                connection.own("turn_keep", (KEPT_SECONDS,))
            except psycopg.Error:
                return

    connection.own("turn_keep", (KEPT_SECONDS,))
    thread = threading.Thread(target=go_on, name="postroad-keep", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        if not connection.broken:
            connection.own("turn_keep", (-1.0,))


def kept(connection: Connection) -> bool:
    """Whether a backup is made."""
    return bool(connection.own("turn_look").get)
