"""A fast, minimal POP3 client: it reads what comes and counts, and parses nothing it need not.

The same for every server. `retrieve` asks for one message after another, `retrieve_pipelined` for
many at once (RFC 2449 §6.6). Both check that every message was really sent, whole.
"""

import argparse
import json
import select
import socket
import sys
import time
from types import TracebackType
from typing import Self

_CHUNK = 1 << 18
_END = b"\r\n.\r\n"
_TIMEOUT_SECONDS = 60


class Pop3Failed(Exception):
    """The server said -ERR, closed the connection, or sent less than it promised."""


class Pop3Client:
    """A connection, from the greeting to `quit`."""

    def __init__(self, address: str, port: int) -> None:
        self._socket = socket.create_connection((address, port), timeout=_TIMEOUT_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._line()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._socket.close()

    def log_in(self, user: str, password: str) -> None:
        """USER and PASS. Raises `Pop3Failed`."""
        self.command(b"USER " + user.encode())
        self.command(b"PASS " + password.encode())

    def stat(self) -> tuple[int, int]:
        """Return the number of messages and their octets."""
        count, octets = self.command(b"STAT").split()[1:3]
        return int(count), int(octets)

    def uidl(self) -> int:
        """Read all unique ids; return how many."""
        return self._listing(b"UIDL")

    def retrieve(self, first: int, last: int) -> int:
        """RETR each message from `first` to `last` after the one before; return the octets read."""
        sock = self._socket
        octets = 0
        for number in range(first, last + 1):
            sock.sendall(b"RETR %d\r\n" % number)
            data = sock.recv(_CHUNK)
            while not data.endswith(_END):
                more = b"" if data.startswith(b"-") else sock.recv(_CHUNK)
                if not more:
                    raise Pop3Failed(f"RETR {number}: {data[:200]!r}")
                data += more
            octets += len(data)
        return octets

    def retrieve_pipelined(self, first: int, last: int, batch: int) -> int:
        """RETR by `batch` commands in one go, the next when all answers are in; return the octets."""
        octets = 0
        for begin in range(first, last + 1, batch):
            numbers = range(begin, min(begin + batch, last + 1))
            self._socket.sendall(b"".join(b"RETR %d\r\n" % number for number in numbers))
            octets += self._read_answers(len(numbers))
        return octets

    def command(self, line: bytes) -> bytes:
        """Send a command with an answer of one line and return it. Raises `Pop3Failed`."""
        self._socket.sendall(line + b"\r\n")
        return self._line()

    def quit(self) -> None:
        """QUIT, and wait for the answer."""
        self.command(b"QUIT")

    def _line(self) -> bytes:
        data = self._socket.recv(_CHUNK)
        while not data.endswith(b"\r\n"):
            more = self._socket.recv(_CHUNK)
            if not more:
                raise Pop3Failed(f"the connection ended after {data[:200]!r}")
            data += more
        if not data.startswith(b"+OK"):
            raise Pop3Failed(data[:200].decode(errors="replace").strip())
        return data

    def _listing(self, command: bytes) -> int:
        self._socket.sendall(command + b"\r\n")
        chunks: list[bytes] = []
        tail = b""
        while not tail.endswith(_END):
            chunk = self._socket.recv(_CHUNK)
            if not chunk or (not chunks and not chunk.startswith(b"+")):
                raise Pop3Failed(f"{command!r}: {chunk[:200]!r}")
            chunks.append(chunk)
            tail = (tail + chunk)[-5:]
        # One line each, and those of +OK and the dot.
        return sum(chunk.count(b"\n") for chunk in chunks) - 2

    def _read_answers(self, wanted: int) -> int:
        octets = ends = 0
        tail = b""
        while ends < wanted:
            chunk = self._socket.recv(_CHUNK)
            if not chunk or (not octets and chunk.startswith(b"-")):
                raise Pop3Failed(f"{ends} of {wanted} messages came: {chunk[:200]!r}")
            # Dots at the start of a line are doubled, so this is always an end.
            ends += (tail + chunk).count(_END)
            tail = (tail + chunk)[-4:]
            octets += len(chunk)
        return octets


def main() -> None:
    """Retrieve a whole mailbox when told to by a line on standard input; print when, as JSON.

    `bench.pop3_rows` runs several of these at once, each in a process of its own.
    """
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("user")
    parser.add_argument("password")
    given = parser.parse_args()
    with Pop3Client(given.address, given.port) as client:
        client.log_in(given.user, given.password)
        count, octets = client.stat()
        print("ready", flush=True)
        select.select([sys.stdin], [], [])
        begin = time.monotonic()
        read = client.retrieve(1, count)
        end = time.monotonic()
        client.quit()
    if read < octets:
        raise Pop3Failed(f"{octets} octets were promised and {read} came")
    print(json.dumps({"begin": begin, "end": end, "messages": count}), flush=True)


if __name__ == "__main__":
    main()
