"""The process that writes batches of rows: ``python -m`` and this module, the database file as its
argument and its socket as standard input.

It takes a batch, writes it in one transaction of its own, says how that went, and takes the next. It
ends when the server's end of the socket is closed, also by the server's death, and not before: signals
that ask to stop are the server's to obey. What is not acknowledged then may be stored or not, whole in
both cases. Little is imported here, since all of it is memory.
"""

import gc
import marshal
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import apsw

from postroad.storage.sqlite.checkpoint import Checkpointer
from postroad.storage.sqlite.connecting import make_durable, open_connection
from postroad.storage.sqlite.writing import prepare, write

HEAD_OCTETS = 4
"""A batch and its answer come as values in marshal's form behind their length in so many octets,
big-endian; both ends are of the same installation, and of one Python.
"""

_PIECE_OCTETS = 1024 * 1024
_OPENING_SECONDS = 10.0  # for another process that sets the file up, or recovers it


def serve(connection: socket.socket, path: Path) -> None:
    """Write what comes until the other end is closed. Raises `apsw.Error` where the file cannot be
    opened, and `OSError` as sockets do.

    An answer is ``(error, words, swept, trouble)``: the name of what SQLite raised, ``""`` where it is
    stored; what it said; the ids of contents whose rows went; what is wrong with checkpoints, ``""``
    where nothing is new.
    """
    database = open_connection(path, _OPENING_SECONDS)
    make_durable(database)
    swept: list[int] = []
    troubles: list[str] = []
    prepare(database, swept)
    checkpointer = Checkpointer(path, database, troubles.append)
    database.set_busy_timeout(0)  # who waits from now on is the server's to say
    answer(connection, "", "", [], "")  # it is ready
    for rows in batches(connection):
        error = words = ""
        try:
            write(database, rows)
        except apsw.Error as raised:
            error, words = type(raised).__name__, str(raised)
            swept.clear()
        answer(connection, error, words, swept, troubles.pop(0) if troubles else "")
        swept.clear()
        if not error and checkpointer.due():
            checkpointer.finish()  # nobody whose commit that was need wait for it
    checkpointer.close()


def batches(connection: socket.socket) -> "Iterator[list[tuple[object, ...]]]":
    """Give one batch after the other."""
    came = bytearray()
    while True:
        while (size := _size(came)) is None or len(came) < HEAD_OCTETS + size:
            piece = connection.recv(_PIECE_OCTETS)
            if not piece:
                return
            came += piece
        rows = marshal.loads(memoryview(came)[HEAD_OCTETS : HEAD_OCTETS + size])
        came = came[HEAD_OCTETS + size :]
        yield rows


def answer(
    connection: socket.socket, error: str, words: str, swept: list[int], trouble: str
) -> None:
    """Tell the server."""
    data = marshal.dumps((error, words, swept, trouble))
    connection.sendall(len(data).to_bytes(HEAD_OCTETS, "big") + data)


def _size(came: bytearray) -> int | None:
    return int.from_bytes(came[:HEAD_OCTETS], "big") if len(came) >= HEAD_OCTETS else None


def main(arguments: list[str]) -> int:
    """Run; return the exit status."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    gc.collect()
    gc.freeze()
    connection = socket.socket(fileno=sys.stdin.fileno())
    try:
        serve(connection, Path(arguments[0]))
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server is gone, in the midst of an answer
    finally:
        connection.detach()  # the descriptor is standard input's to close
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
