"""Who is at the other end of a connection, as far as an address tells."""

import ipaddress
from functools import lru_cache


@lru_cache(maxsize=4096)
def client_key(peer: str) -> str:
    """Return what limits count a client by: the IPv4 address, or the /64 of an IPv6 address, which is
    what one customer gets.
    """
    if ":" not in peer:
        return peer
    address = ipaddress.IPv6Address(peer.partition("%")[0])
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address) >> 64 << 64, 64)))
