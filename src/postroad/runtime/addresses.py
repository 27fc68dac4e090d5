"""The IP addresses of this machine, to see when the DNS would have us send mail to ourselves."""

import ipaddress
import re
from collections.abc import Iterable
from pathlib import Path

import structlog

log = structlog.get_logger("postroad.delivery")

# Not below /proc/net, which is not there in a service with ProcSubset=pid.
_IPV4_TABLE = Path("/proc/self/net/fib_trie")
_IPV6_TABLE = Path("/proc/self/net/if_inet6")
_IPV4_LOCAL = re.compile(r"\|-- (\d+\.\d+\.\d+\.\d+)\n\s+/32 host LOCAL")


def own_endpoints(bound: Iterable[tuple[str, int]]) -> frozenset[tuple[str, int]]:
    """Return where we can be reached, with the address of every interface for ``0.0.0.0`` and ``::``."""
    found: set[tuple[str, int]] = set()
    for host, port in bound:
        if host in ("0.0.0.0", "::"):
            addresses = _ipv4_addresses() if host == "0.0.0.0" else _ipv6_addresses()
            if not addresses:
                log.warning(
                    "the addresses of this machine are not known, so a loop over an MX host that is "
                    "this machine by another name is not seen before it is connected to",
                    listening=f"{host} {port}",
                )
            found |= {(address, port) for address in addresses}
        else:
            found.add((host, port))
    return frozenset(found)


def _ipv4_addresses() -> set[str]:
    return set(_IPV4_LOCAL.findall(_text(_IPV4_TABLE)))


def _ipv6_addresses() -> set[str]:
    words = (line.split()[0] for line in _text(_IPV6_TABLE).splitlines())
    return {str(ipaddress.IPv6Address(int(word, 16))) for word in words}


def _text(path: Path) -> str:
    """Where the system has no such file, loops are still seen by our name."""
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
