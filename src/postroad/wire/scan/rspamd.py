"""rspamd's ``POST /checkv2``: a message out, with what is known of it in fields; JSON back."""

import json
from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from postroad.wire.scan.failed import ScanFailed

MAX_ANSWER_OCTETS = 1024 * 1024
_MAX_SYMBOLS = 12


class RspamdAnswer(Struct, frozen=True):
    """`action` is rspamd's word (``no action``, ``greylist``, ``add header``, ``rewrite subject``,
    ``soft reject``, ``reject``); `symbols` are the rules that weighed most, as ``NAME(1.50)``.
    """

    action: str
    score: float
    required: float
    symbols: tuple[str, ...] = ()
    message: str = ""


def checkv2(fields: Sequence[tuple[str, str]], octets: int, host: str) -> bytes:
    """Return the head of the request for a message of so many octets, which follows as it is.

    Values are made printable: what a client called itself must not become a header field.
    """
    lines = [
        "POST /checkv2 HTTP/1.1",
        f"Host: {host}",
        "Connection: close",
        f"Content-Length: {octets}",
        *(f"{name}: {_value(value)}" for name, value in fields if value),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _value(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)[:998]


class HttpAnswer:
    """An answer of HTTP/1.1, taken in as it comes. `complete` tells when all of it is there."""

    def __init__(self) -> None:
        self._data = bytearray()
        self._body_at = -1
        self._length: int | None = None
        self.complete = False

    def feed(self, data: bytes) -> None:
        """Take octets; ``b""`` at the end of the connection. Raises `ScanFailed`."""
        self._data += data
        if len(self._data) > MAX_ANSWER_OCTETS:
            raise ScanFailed(f"it answered more than {MAX_ANSWER_OCTETS} octets")
        if self._body_at < 0:
            end = self._data.find(b"\r\n\r\n")
            if end >= 0:
                self._body_at = end + 4
                self._length = self._content_length(bytes(self._data[:end]))
        if not data or (
            self._length is not None and len(self._data) >= self._body_at + self._length
        ):
            self.complete = True

    def body(self) -> bytes:
        """Return the body of an answer with status 200. Raises `ScanFailed` for any other."""
        status = bytes(self._data[: self._data.find(b"\r\n")]).decode("latin-1")
        words = status.split(" ", 2)
        if self._body_at < 0 or len(words) < 2 or words[0] not in ("HTTP/1.1", "HTTP/1.0"):
            raise ScanFailed(f"it did not answer in HTTP: {status[:100]!r}")
        if words[1] != "200":
            raise ScanFailed(f"it answered {' '.join(words[1:])[:100]}")
        body = bytes(self._data[self._body_at :])
        if self._length is not None and len(body) < self._length:
            raise ScanFailed("its answer was cut short")
        return body

    @staticmethod
    def _content_length(head: bytes) -> int | None:
        for line in head.split(b"\r\n")[1:]:
            name, _, value = line.partition(b":")
            if name.strip().lower() == b"transfer-encoding":
                raise ScanFailed("it answered in chunks, which it was not asked for")
            if name.strip().lower() == b"content-length" and value.strip().isdigit():
                return int(value)
        return None


def read_rspamd(body: bytes) -> RspamdAnswer:
    """Read the JSON of an answer. Raises `ScanFailed`."""
    try:
        found: Any = json.loads(body)
        symbols = found.get("symbols") or {}
        weights = sorted(
            ((float(each.get("score", 0.0)), str(name)) for name, each in symbols.items()),
            key=lambda pair: -abs(pair[0]),
        )
        return RspamdAnswer(
            action=str(found["action"]),
            score=float(found["score"]),
            required=float(found["required_score"]),
            symbols=tuple(f"{name}({weight:.2f})" for weight, name in weights if weight)[
                :_MAX_SYMBOLS
            ],
            message=str((found.get("messages") or {}).get("smtp_message", ""))[:200],
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ScanFailed(f"its answer cannot be read: {error}") from None
