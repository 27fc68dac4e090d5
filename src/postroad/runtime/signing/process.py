"""The signing process: ``python -m postroad.runtime.signing.process``, its socket as standard input.

It takes requests until the server's end of the socket is closed, also by the server's death, and ends
then and not before: signals that ask to stop are the server's to obey, which may have mail in flight
yet. It opens no file and talks to nobody else; private keys come by the socket and stay in memory.
"""

import gc
import resource
import signal
import socket
import sys
import time

from msgspec import DecodeError

from postroad.runtime.signing import frames
from postroad.trust.dkim import InvalidKey
from postroad.trust.dkim.keyed import KeyedSigners, UnknownKeys

GATHER_ANSWERS = 8
GATHER_SECONDS = 0.005
"""So many answers, or what comes of so long, go out together while there is more to sign: each time
wakes the server up, which does better to commit several messages at once.
"""

_PIECE_OCTETS = 256 * 1024


class Desk:
    """Answers requests, one after the other."""

    def __init__(self) -> None:
        self._signers = KeyedSigners()
        self._problems: dict[int, str] = {}  # why keys of that number cannot be used

    def answer(self, request: frames.Request) -> bytes:
        """Return the answer to one request, ``b""`` where there is none to be given."""
        kind = request.kind
        if kind == frames.KEYS:
            self._know(request.number, request.body)
            return b""
        if kind == frames.FORGET:
            self._signers.forget()
            self._problems.clear()
            return b""
        try:
            return frames.answer(frames.SIGNED, self._sign(request))
        except UnknownKeys as error:
            reason = self._problems.get(request.number, str(error))
        except Exception as error:  # one message must not cost the others
            reason = f"{type(error).__name__}: {error}"
        return frames.answer(frames.FAILED, reason.encode("utf-8", "replace")[:1000])

    def _sign(self, request: frames.Request) -> bytes:
        if request.kind == frames.DIGEST:
            return self._signers.sign_digest(request.number, request.body)
        if request.kind not in (frames.MESSAGE, frames.HASHED):
            raise frames.BrokenFrame(f"a request of kind {request.kind}")
        return self._signers.sign(
            request.number,
            request.now,
            request.head,
            request.body,
            hashed=request.kind == frames.HASHED,
        )

    def _know(self, number: int, body: bytes) -> None:
        try:
            self._signers.add(number, frames.read_keys(body))
        except (InvalidKey, DecodeError) as error:
            self._problems[number] = str(error)


def serve(connection: socket.socket) -> None:
    """Answer until the other end is closed. Raises `BrokenFrame`, and `OSError` as sockets do."""
    desk, reader = Desk(), frames.FrameReader()
    while data := connection.recv(_PIECE_OCTETS):
        answers: list[bytes] = []
        send_at = time.monotonic() + GATHER_SECONDS
        for frame in reader.feed(data):
            answers.append(desk.answer(frames.read_request(frame)))
            if len(answers) >= GATHER_ANSWERS or time.monotonic() >= send_at:
                connection.sendall(b"".join(answers))
                answers.clear()
                send_at = time.monotonic() + GATHER_SECONDS
        if answers:
            connection.sendall(b"".join(answers))


def _confine() -> None:
    """Keep the keys in memory: no image of it is written, nor any file."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def main() -> int:
    """Run; return the exit status."""
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    _confine()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 20)
    connection = socket.socket(fileno=sys.stdin.fileno())
    try:
        serve(connection)
    except (BrokenPipeError, ConnectionResetError):
        pass  # the server is gone, in the midst of an answer
    finally:
        connection.detach()  # the descriptor is standard input's to close
    return 0


if __name__ == "__main__":
    sys.exit(main())
