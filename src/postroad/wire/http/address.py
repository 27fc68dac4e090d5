"""Addresses of HTTPS (RFC 9110 §4.2.2), taken apart strictly."""

import re

from msgspec import Struct

_MAX_OCTETS = 2000
# A host name or IPv4 address; neither user names (RFC 9110 §4.2.4) nor IP literals.
_HTTPS = re.compile(
    r"https://([a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?)(?::([0-9]{1,5}))?([/?][!-~]*)?",
    re.IGNORECASE,
)


class HttpsAddress(Struct, frozen=True):
    """Host in lower case, port, and target: path and query."""

    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As ``Host`` has it."""
        return self.host if self.port == 443 else f"{self.host}:{self.port}"

    def __str__(self) -> str:
        return f"https://{self.authority}{self.target}"


def parse_https(text: str) -> HttpsAddress:
    """Return what an address tells; a fragment is left out. Raises `ValueError`."""
    match = _HTTPS.fullmatch(text.partition("#")[0]) if len(text) <= _MAX_OCTETS else None
    port = int(match[2] or 443) if match else 0
    if match is None or not 0 < port < 65536:
        raise ValueError(f"{text[:80]!r} is no address of the form https://HOST/PATH")
    target = match[3] or "/"
    return HttpsAddress(match[1].lower(), port, target if target[0] == "/" else f"/{target}")
