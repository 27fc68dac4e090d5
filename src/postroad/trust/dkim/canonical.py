"""Canonical forms of header fields and bodies, and the hash of a body while it arrives.

All work is done on whole chunks by `bytes` methods; there is no loop over lines. A chunk may end
anywhere, also inside a CRLF. Memory is bounded by the chunk: what may still turn out to be the blank end
of the body is counted, not kept.
"""

import hashlib
from collections.abc import Iterable
from enum import Enum
from typing import Any

from msgspec import Struct


class Form(Enum):
    """A canonicalisation (RFC 6376 §3.4)."""

    SIMPLE = "simple"
    RELAXED = "relaxed"


class BodyKind(Struct, frozen=True):
    """What a signature hashes of the body: its form, and how many octets of that (l=; None: all)."""

    form: Form
    length: int | None = None


_PIECE = b"\r\n" * 16_384


def field(raw: bytes, form: Form) -> bytes:
    """Return a header field, folding and line end included, in canonical form.

    RFC 6376 §3.4.1, RFC 6376 §3.4.2.
    """
    if form is Form.SIMPLE:
        return raw if raw.endswith(b"\r\n") else raw + b"\r\n"
    name, _, value = raw.partition(b":")
    value = value.replace(b"\r\n", b"")
    if b"\t" in value:
        value = value.replace(b"\t", b" ")
    while b"  " in value:  # each pass halves the longest run
        value = value.replace(b"  ", b" ")
    return b"%b:%b\r\n" % (name.rstrip(b" \t").lower(), value.strip(b" "))


class BodyHasher:
    """Hashes a body in several ways at once (RFC 6376 §3.4.3, RFC 6376 §3.4.4, RFC 6376 §3.7)."""

    __slots__ = ("_done", "_forms")

    def __init__(self, kinds: Iterable[BodyKind]) -> None:
        self._forms: dict[Form, _Canonical] = {}
        self._done = False
        for kind in kinds:
            canonical = self._forms.get(kind.form)
            if canonical is None:
                canonical = self._forms[kind.form] = _Canonical(kind.form is Form.RELAXED)
            canonical.want(kind.length)

    def write(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next part of the body."""
        data = bytes(chunk)
        for canonical in self._forms.values():
            canonical.write(data)

    def digest(self, kind: BodyKind) -> bytes:
        """End the body and return its SHA-256; one of the kinds that were asked for."""
        self._finish()
        return self._forms[kind.form].digest(kind.length)

    def length(self, form: Form) -> int:
        """End the body and return how many octets its canonical form has."""
        self._finish()
        return self._forms[form].length

    def _finish(self) -> None:
        if not self._done:
            self._done = True
            for canonical in self._forms.values():
                canonical.finish()


class _Canonical:
    """One form of one body, with the hash of all of it or of its first octets."""

    __slots__ = ("_blank_lines", "_carry", "_hashes", "_relaxed", "length")

    def __init__(self, relaxed: bool) -> None:
        self._relaxed = relaxed
        self._carry = b""  # the end of the last chunk, where the next octet decides what it is
        self._blank_lines = 0  # CRLFs that count only if something follows
        self._hashes: dict[int | None, Any] = {}
        self.length = 0

    def want(self, length: int | None) -> None:
        self._hashes[length] = hashlib.sha256()

    def digest(self, length: int | None) -> bytes:
        digest: bytes = self._hashes[length].digest()
        return digest

    def write(self, data: bytes) -> None:
        if self._carry:
            data = self._carry + data
            self._carry = b""
        if self._relaxed and b"\t" in data:
            data = data.replace(b"\t", b" ")
        if self._relaxed and b" " in data:  # there is none in base64
            while b"  " in data:
                data = data.replace(b"  ", b" ")
            if b" \r\n" in data:
                data = data.replace(b" \r\n", b"\r\n")
            if data.endswith((b" ", b" \r")):
                cut = data.rindex(b" ")
                self._carry = data[cut:]
                data = data[:cut]
        if not self._carry and data.endswith(b"\r"):
            self._carry = b"\r"
            data = data[:-1]
        if data:
            self._add(data)

    def finish(self) -> None:
        rest = self._carry
        if self._relaxed and rest == b" ":
            rest = b""  # white space at the end of a line that lacks its CRLF
        if rest:
            self._add(rest)
        if self.length or not self._relaxed:
            self._hash(b"\r\n")

    def _add(self, data: bytes) -> None:
        end = _content_end(data)
        if end:
            while self._blank_lines:
                lines = min(self._blank_lines, len(_PIECE) // 2)
                self._hash(_PIECE[: 2 * lines])
                self._blank_lines -= lines
            self._hash(data if end == len(data) else data[:end])
        self._blank_lines += (len(data) - end) // 2

    def _hash(self, data: bytes) -> None:
        before = self.length
        self.length = before + len(data)
        for limit, hashed in self._hashes.items():
            if limit is None or self.length <= limit:
                hashed.update(data)
            elif before < limit:
                hashed.update(data[: limit - before])


def _content_end(data: bytes) -> int:
    """Where the CRLFs at the end of `data` begin."""
    if not data.endswith(b"\r\n"):
        return len(data)
    tail = data[len(data.rstrip(b"\r\n")) :]
    if len(tail) == 2:
        return len(data) - 2
    # Bare CRs and LFs are content: the run begins behind the last place where two of a kind meet.
    run = len(tail) - 1 - max(tail.rfind(b"\r\r"), tail.rfind(b"\n\n"))
    return len(data) - run // 2 * 2
