"""Addresses of HTTPS (RFC 9110 §4.2.2), and of all the web (RFC 9110 §4.2), taken apart strictly."""

import re
from urllib.parse import quote

import idna
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


_WEB = re.compile(
    r"(https?)://([^\s/?#@:\[\]\\%\"<>]{1,253})(?::([0-9]{1,5}))?([/?][^\t\r\n\f\v#]*)?",
    re.IGNORECASE,
)
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,252}[a-z0-9])?")


class WebAddress(Struct, frozen=True):
    """Where something is in the web, by HTTPS if `secure`, else in clear. Host in lower case (A-labels),
    port, and target: path and query.
    """

    secure: bool
    host: str
    port: int
    target: str

    @property
    def authority(self) -> str:
        """As ``Host`` has it."""
        return (
            self.host if self.port == (443 if self.secure else 80) else f"{self.host}:{self.port}"
        )

    def __str__(self) -> str:
        return f"http{'s' if self.secure else ''}://{self.authority}{self.target}"


def parse_web(text: str) -> WebAddress:
    """Return what an address tells, as people and their programs write them: names in any script, octets
    that should be encoded. A fragment is left out. Raises `ValueError`.
    """
    match = _WEB.fullmatch(text.partition("#")[0]) if len(text) <= _MAX_OCTETS else None
    if match is None:
        raise ValueError(f"{text[:80]!r} is no address of the web")
    secure = match[1].lower() == "https"
    port = int(match[3] or (443 if secure else 80))
    host = match[2].lower()
    if not host.isascii():
        try:
            host = idna.encode(host, uts46=True).decode("ascii")
        except idna.IDNAError as error:
            raise ValueError(f"{host[:80]!r} is no name of a host") from error
    if _NAME.fullmatch(host) is None or not 0 < port < 65536:
        raise ValueError(f"{text[:80]!r} is no address of the web")
    target = quote(match[4] or "/", safe="!$%&'()*+,/:;=?@[]-._~")
    return WebAddress(secure, host, port, target if target[0] == "/" else f"/{target}")
