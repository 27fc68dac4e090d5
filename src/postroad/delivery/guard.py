"""Which addresses mail must never be sent to, whatever the DNS says."""

import ipaddress
from typing import TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address

# Networks of translators, and an old form: the last 32 bits of an address are one of IPv4.
_CLOTHED = tuple(
    ipaddress.IPv6Network(each)
    for each in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96")
)


def refusal(text: str, *, allow_private: bool) -> str | None:
    """Return why no connection may be opened to the IP address `text`, None where it may.

    `allow_private` lets private, link-local and loopback addresses pass; what is no single host
    (multicast, ``0.0.0.0``, broadcast) is refused in any case.
    """
    try:
        address = _inner(ipaddress.ip_address(text))
    except ValueError:
        return f"{text!r} is not an IP address"
    if address.is_unspecified or address.is_multicast or str(address) == "255.255.255.255":
        return f"address {text} is not one host's"
    if allow_private or address.is_global:
        return None
    if address.is_loopback:
        return f"loopback address {text} refused"
    if address.is_link_local:
        return f"link-local address {text} refused"
    return f"private address {text} refused"


def _inner(address: _Address) -> _Address:
    """An IPv4 address in IPv6 clothes leads to the IPv4 host (RFC 4291 §2.5.5, RFC 3056, RFC 6052)."""
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address.sixtofour is not None:
            return address.sixtofour
        if int(address) > 1 and any(address in network for network in _CLOTHED):
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
