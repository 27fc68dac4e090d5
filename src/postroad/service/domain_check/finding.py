"""What a check found, and the records that would mend it."""

import ipaddress
from collections.abc import Iterable
from enum import Enum

from msgspec import Struct

TTL_SECONDS = 3600
_STRING_OCTETS = 255  # RFC 1035 §3.3: a character-string has one octet for its length


class Level(Enum):
    """How bad it is. A warning costs trust or comfort; a problem costs mail."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Record(Struct, frozen=True):
    """One record to publish. `name` and host names in `data` are without a dot at the end; `data` of TXT
    is the text itself.
    """

    name: str
    type: str
    data: str

    def zone_line(self) -> str:
        """Return the record as a line of a zone file (RFC 1035 §5.1)."""
        return f"{self.name}. {TTL_SECONDS} IN {self.type} {_rdata(self.type, self.data)}"


class Finding(Struct, frozen=True):
    """One thing that was looked at. `topic` is a word like ``"SPF"``; `text` says what there is; `why`
    says why it matters where it is not well; `records` are what to publish then.
    """

    topic: str
    level: Level
    text: str
    why: str = ""
    records: tuple[Record, ...] = ()


def zone_file(records: Iterable[Record]) -> str:
    """Return records as a zone file, each name in full."""
    return "".join(f"{record.zone_line()}\n" for record in records)


def reverse_name(address: str) -> str:
    """Return where the PTR record of an IP address is."""
    return ipaddress.ip_address(address).reverse_pointer


def _rdata(kind: str, data: str) -> str:
    if kind == "TXT":
        octets = data.encode()
        pieces = [
            octets[start : start + _STRING_OCTETS]
            for start in range(0, len(octets) or 1, _STRING_OCTETS)
        ]
        return " ".join(f'"{_quoted(piece)}"' for piece in pieces)
    words = data.split(" ")
    if kind in ("MX", "SRV", "PTR", "CNAME") and words[-1] != ".":
        words[-1] += "."
    return " ".join(words)


def _quoted(octets: bytes) -> str:
    return "".join(
        f"\\{chr(octet)}"
        if octet in b'"\\'
        else (chr(octet) if 0x20 <= octet < 0x7F else f"\\{octet:03d}")
        for octet in octets
    )
