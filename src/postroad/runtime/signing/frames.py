"""What the server and a signing process say to each other on their socket pair.

Each request and each answer is a frame: its length, then fixed fields, then octets. Answers come in the
order of the requests; `Kind.KEYS` and `Kind.FORGET` get none. Both ends are of the same installation, so
there is no version.
"""

import struct

import msgspec
from msgspec import Struct

from postroad.model import KeySet, StoredKey

_REQUEST = struct.Struct("!IBIdI")
_ANSWER = struct.Struct("!IB")
_SIZE = struct.Struct("!I")
_FIELDS = struct.Struct("!BIdI")
_REQUEST_REST = _REQUEST.size - _SIZE.size
MAX_FRAME_OCTETS = 64 * 1024 * 1024

KEYS, FORGET, MESSAGE, HASHED, DIGEST = range(1, 6)
"""Kinds of requests: know keys by a number, forget all, sign a message given whole or with the hash of
its body, sign a hash. (No enum: they are used for each message.)
"""
SIGNED, FAILED = 0, 1
"""What an answer is: the signature, or why there is none."""


class BrokenFrame(ValueError):
    """What came is no frame; the other end cannot be understood any more."""


def request(kind: int, number: int, now: float, head: bytes, body: bytes) -> bytes:
    """Return a request about the keys of that number."""
    return b"".join(
        (
            _REQUEST.pack(_REQUEST_REST + len(head) + len(body), kind, number, now, len(head)),
            head,
            body,
        )
    )


def keys(key_set: KeySet) -> bytes:
    """Return a request to know keys."""
    return request(KEYS, key_set.number, 0.0, b"", msgspec.msgpack.encode(key_set.keys))


def read_keys(body: bytes) -> tuple[StoredKey, ...]:
    """Return the keys of a `KEYS` request. Raises `msgspec.DecodeError`."""
    return msgspec.msgpack.decode(body, type=tuple[StoredKey, ...])


def answer(status: int, octets: bytes) -> bytes:
    """Return an answer."""
    return _ANSWER.pack(1 + len(octets), status) + octets


class Request(Struct, frozen=True):
    """A request as it was read."""

    kind: int
    number: int
    now: float
    head: bytes
    body: bytes


def read_request(frame: bytes) -> Request:
    """Read a frame. Raises `BrokenFrame`."""
    if len(frame) < _REQUEST_REST:
        raise BrokenFrame(f"a request of {len(frame)} octets")
    kind, number, now, size = _FIELDS.unpack_from(frame)
    middle = _REQUEST_REST + size
    if middle > len(frame):
        raise BrokenFrame(f"a header of {size} octets in a request of {len(frame)}")
    return Request(kind, number, now, frame[_REQUEST_REST:middle], frame[middle:])


class FrameReader:
    """Cuts what comes into frames."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Return the frames that are whole now, without their lengths. Raises `BrokenFrame`."""
        if self._rest:
            data = self._rest + data
        frames = []
        at, size_octets = 0, _SIZE.size
        while len(data) - at >= size_octets:
            (size,) = _SIZE.unpack_from(data, at)
            if not 0 < size <= MAX_FRAME_OCTETS:
                raise BrokenFrame(f"a frame of {size} octets")
            end = at + size_octets + size
            if end > len(data):
                break
            frames.append(data[at + size_octets : end])
            at = end
        self._rest = data[at:]
        return frames
