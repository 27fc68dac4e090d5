"""Which DNS servers to ask: from the configuration or from /etc/resolv.conf."""

import ipaddress
from pathlib import Path

from msgspec import Struct

_MAX_NAMESERVERS = 8
RESOLV_CONF = Path("/etc/resolv.conf")


class Nameserver(Struct, frozen=True):
    """A recursive resolver. `trusted` says that its AD bit counts (RFC 4035 §3.2.3)."""

    address: str
    port: int = 53
    trusted: bool = False

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return host if self.port == 53 else f"{host}:{self.port}"


def parse_nameserver(text: str, *, trusted: bool = False) -> Nameserver:
    """Read ``192.0.2.1``, ``192.0.2.1:5353``, ``2001:db8::1`` or ``[2001:db8::1]:5353``.

    A loopback address is always trusted: what stands between it and us is this machine.
    Raises `ValueError` in words for the configuration's reader.
    """
    host, port_text = text.strip(), ""
    if host.startswith("["):
        host, _, rest = host[1:].partition("]")
        port_text = rest.removeprefix(":")
    elif host.count(":") == 1:
        host, _, port_text = host.partition(":")
    try:
        address = ipaddress.ip_address(host)
        port = int(port_text) if port_text else 53
    except ValueError:
        raise ValueError(
            f"name server {text!r} is not an IP address, or not address:port"
        ) from None
    if not 0 < port < 65536:
        raise ValueError(f"name server {text!r}: port {port} is not between 1 and 65535")
    return Nameserver(str(address), port, trusted or address.is_loopback)


def nameservers_from_file(path: Path = RESOLV_CONF) -> tuple[Nameserver, ...]:
    """Return the name servers of a resolv.conf; this machine's port 53 where there is none, as
    resolv.conf(5) says.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        text = ""
    servers = []
    for line in text.splitlines():
        words = line.split()
        if len(words) >= 2 and words[0] == "nameserver":
            try:
                # A port cannot be given here, and a scope (fe80::1%eth0) is a part of the address.
                address = ipaddress.ip_address(words[1])
            except ValueError:
                continue
            servers.append(Nameserver(str(address), 53, address.is_loopback))
    return tuple(servers[:_MAX_NAMESERVERS]) or (Nameserver("127.0.0.1", 53, trusted=True),)
