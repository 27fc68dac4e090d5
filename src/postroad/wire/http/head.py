"""The head of an HTTP message: first line and header fields (RFC 9112 §2, §5), bounded and strict."""

import re
from collections.abc import Mapping

MAX_HEAD_OCTETS = 16 * 1024
_FIELD = re.compile(r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*")


class HttpBroken(Exception):
    """The peer does not speak HTTP, or goes beyond a limit; the message says how."""


def take_head(buffer: bytearray) -> tuple[str, Mapping[str, str]] | None:
    """Take first line and fields (names in lower case) off the buffer; None: not there yet.

    Raises `HttpBroken`, also for a field that comes twice.
    """
    end = buffer.find(b"\r\n\r\n")
    if end < 0:
        if len(buffer) > MAX_HEAD_OCTETS:
            raise HttpBroken(f"a head of more than {MAX_HEAD_OCTETS} octets")
        return None
    if end > MAX_HEAD_OCTETS:
        raise HttpBroken(f"a head of more than {MAX_HEAD_OCTETS} octets")
    first, *lines = bytes(buffer[:end]).decode("latin-1").split("\r\n")
    del buffer[: end + 4]
    fields: dict[str, str] = {}
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None or not match[2].isprintable():
            raise HttpBroken(f"a header field that is none: {line[:60]!r}")
        name = match[1].lower()
        if name in fields and name in ("content-length", "transfer-encoding", "host"):
            raise HttpBroken(f"{match[1]} comes twice")  # RFC 9112 §6.3: the stuff of smuggling
        fields[name] = match[2]
    return first, fields
