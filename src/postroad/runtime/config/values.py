"""The kinds of values that settings have beyond numbers and words."""

import ipaddress
import re
from pathlib import Path
from typing import Annotated, Any

from msgspec import Struct
from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer, Strict

from postroad.model import InvalidAddress, parse_domain

_LOCALHOST = "localhost"


class Endpoint(Struct, frozen=True, order=True):
    """An address and port to listen on; host ``*`` stands for all addresses, IPv4 and IPv6."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class Peer(Struct, frozen=True):
    """A server that we connect to: a host name or IP address, and a port (0: the usual one)."""

    host: str
    port: int = 0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.port else host


def parse_endpoint(text: str) -> Endpoint:
    """Read ``127.0.0.1:25``, ``[::1]:25`` or ``*:25``. Raises `ValueError` in words."""
    host, port = _split(text)
    if port is None:
        raise ValueError(f"{text!r} has no port; write it as address:port, as in '127.0.0.1:2525'")
    if host != "*":
        host = _LOCAL_NAMES.get(host, host)
        try:
            host = str(ipaddress.ip_address(host))
        except ValueError:
            raise ValueError(
                f"{text!r} does not begin with an IP address; "
                "write '127.0.0.1:2525', '[::1]:2525' or '*:2525' for all addresses"
            ) from None
    return Endpoint(host, port)


def parse_peer(text: str, *, default_port: int = 0) -> Peer:
    """Read ``relay.example:587``, ``192.0.2.1`` or ``[2001:db8::1]:25``. Raises `ValueError`."""
    host, port = _split(text)
    try:
        host = str(ipaddress.ip_address(host))
    except ValueError:
        try:
            host = parse_domain(host)
        except InvalidAddress as error:
            raise ValueError(f"{text!r} names no host: {error}") from None
    return Peer(host, default_port if port is None else port)


_LOCAL_NAMES = {_LOCALHOST: "127.0.0.1"}
_OCTET_UNITS = {"": 1, "kib": 2**10, "mib": 2**20, "gib": 2**30, "kb": 10**3, "mb": 10**6}
_OCTETS = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]*)", re.IGNORECASE)
_SECOND_UNITS = {"": 1, "ms": 0.001, "s": 1, "m": 60, "min": 60, "h": 3600, "d": 86400}


def _split(text: str) -> tuple[str, int | None]:
    host, port_text = text.strip(), ""
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        if rest and not rest.startswith(":"):
            raise ValueError(f"{text!r} has something between the ] and the port")
        port_text = rest[1:]
    elif host.count(":") == 1:
        host, _, port_text = host.partition(":")
    if not host:
        raise ValueError(f"{text!r} has no address before the port; '*' stands for all addresses")
    if not port_text:
        return host, None
    if not port_text.isascii() or not port_text.isdigit() or int(port_text) > 65535:
        raise ValueError(f"port {port_text!r} in {text!r} is not a number from 0 to 65535")
    return host, int(port_text)


def _to_octets(value: Any) -> Any:
    """``"50 MiB"`` is easier to read than 52428800; both are taken."""
    return parse_octets(value) if isinstance(value, str) else value


def parse_octets(value: str) -> int:
    """Read ``65536``, ``64 KiB`` or ``50 MiB``. Raises `ValueError` in words."""
    match = _OCTETS.fullmatch(value.strip())
    unit = _OCTET_UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(f"{value!r} is not a size; write octets as 65536 or '64 KiB', '50 MiB'")
    return int(float(match[1]) * unit)


def _to_seconds(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = _OCTETS.fullmatch(value.strip())
    unit = _SECOND_UNITS.get(match[2].lower()) if match else None
    if match is None or unit is None:
        raise ValueError(
            f"{value!r} is not a time; write seconds as 300 or '90s', '5m', '4h', '5d'"
        )
    return float(match[1]) * unit


def _to_list(value: Any) -> Any:
    """One string is a list of one; commas part the values in an environment variable."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


def _to_paths(value: Any) -> Any:
    value = _to_list(value)
    return tuple(Path(str(each)) for each in value) if isinstance(value, list | tuple) else value


def _to_endpoints(value: Any) -> Any:
    value = _to_list(value)
    if not isinstance(value, list | tuple):
        raise ValueError("a list of 'address:port' is wanted")
    return tuple(
        each if isinstance(each, Endpoint) else parse_endpoint(str(each)) for each in value
    )


def _to_peer(value: Any) -> Any:
    return parse_peer(value) if isinstance(value, str) else value


def _to_hostname(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return parse_domain(value.strip().rstrip("."))
    except InvalidAddress as error:
        raise ValueError(f"{error}; a full host name is wanted, as in 'mail.example.org'") from None


Switch = Annotated[bool, Strict()]
"""``true`` or ``false``, and nothing that looks like them: ``"no"`` would be a text."""

Octets = Annotated[int, BeforeValidator(_to_octets)]
Seconds = Annotated[float, BeforeValidator(_to_seconds)]
Strings = Annotated[tuple[str, ...], BeforeValidator(_to_list)]
Paths = Annotated[tuple[Path, ...], BeforeValidator(_to_paths)]
Hostname = Annotated[str, BeforeValidator(_to_hostname)]
OptionalHostname = Annotated[
    str, BeforeValidator(lambda value: _to_hostname(value) if value else "")
]
Endpoints = Annotated[
    tuple[Endpoint, ...],
    BeforeValidator(_to_endpoints),
    PlainSerializer(lambda value: [str(each) for each in value]),
]
PeerText = Annotated[Peer, BeforeValidator(_to_peer), PlainSerializer(str)]
OptionalPath = Annotated[Path | None, BeforeValidator(lambda value: value or None)]


class Section(BaseModel):
    """A table of the configuration file: frozen, and without keys that it does not know."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", arbitrary_types_allowed=True, validate_default=True
    )
