"""The world outside, for real: sockets, TLS, the DNS, the clock. Implementations of `ports`.

Only `runtime` and `lab` import this room; the core sees the Protocols in `ports`.
"""

from postroad.network.clock import SystemClock, SystemEntropy
from postroad.network.nameservers import Nameserver, nameservers_from_file, parse_nameserver
from postroad.network.resolver import DnsResolver, ResolverSettings
from postroad.network.stream import AsyncNetwork, AsyncStream
from postroad.network.tls import ClientTls, ServerTls, TlsFilesInvalid, describe

__all__ = [
    "AsyncNetwork",
    "AsyncStream",
    "ClientTls",
    "DnsResolver",
    "Nameserver",
    "ResolverSettings",
    "ServerTls",
    "SystemClock",
    "SystemEntropy",
    "TlsFilesInvalid",
    "describe",
    "nameservers_from_file",
    "parse_nameserver",
]
