"""One question to one name server and its answer: UDP, then TCP where the answer did not fit.

Each question has its own socket, hence its own port from the kernel, and its own random id (RFC 5452):
the connected socket takes datagrams from the server's address only.
"""

import asyncio
import os
import socket

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from postroad.network.nameservers import Nameserver

# RFC 9715: what passes everywhere without fragments.
_UDP_PAYLOAD_OCTETS = 1232
# So many wrong answers are an attack or a broken server; a late duplicate is one.
_MAX_MISMATCHES = 8
# What servers that do not know EDNS say to it (RFC 6891 §7).
_NO_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS)


class ExchangeFailed(Exception):
    """No usable answer; the message says why in words."""


async def exchange(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, server: Nameserver, timeout: float
) -> dns.message.Message:
    """Ask `server`. Raises `ExchangeFailed`; any rcode is an answer."""
    try:
        response = await _exchange(_question(name, rdtype, server, edns=True), server, timeout)
        if response.rcode() in _NO_EDNS:
            query = _question(name, rdtype, server, edns=False)
            response = await _exchange(query, server, timeout)
    except TimeoutError as error:
        raise ExchangeFailed("timed out") from error
    except ConnectionRefusedError as error:
        raise ExchangeFailed("connection refused") from error
    except OSError as error:
        raise ExchangeFailed(
            os.strerror(error.errno).lower() if error.errno else "connection lost"
        ) from error
    return response


def _question(
    name: dns.name.Name, rdtype: dns.rdatatype.RdataType, server: Nameserver, *, edns: bool
) -> dns.message.QueryMessage:
    if not edns:
        return dns.message.make_query(name, rdtype)
    query = dns.message.make_query(
        name,
        rdtype,
        use_edns=0,
        payload=_UDP_PAYLOAD_OCTETS,
        # Signatures are of no use to us, but some forwarders validate only when asked for them.
        want_dnssec=server.trusted,
    )
    query.flags |= dns.flags.AD  # RFC 6840 §5.7: "tell me whether it is authentic"
    return query


async def _exchange(
    query: dns.message.QueryMessage, server: Nameserver, timeout: float
) -> dns.message.Message:
    response = await _by_udp(query, server, timeout)
    if response is not None:
        return response
    async with asyncio.timeout(timeout):
        return await _by_tcp(query, server)


async def _by_udp(
    query: dns.message.QueryMessage, server: Nameserver, timeout: float
) -> dns.message.Message | None:
    """Return the answer, None where it was cut short (TC)."""
    loop = asyncio.get_running_loop()
    family = socket.AF_INET6 if ":" in server.address else socket.AF_INET
    mismatches = 0
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((server.address, server.port))
        sock.send(query.to_wire())
        try:
            async with asyncio.timeout(timeout):
                while mismatches < _MAX_MISMATCHES:
                    # What does not match is passed over: it may be forged, and the true one follow.
                    response = _parse(await loop.sock_recv(sock, 65535), query)
                    if response is not None:
                        return None if response.flags & dns.flags.TC else response
                    mismatches += 1
        except TimeoutError:
            if not mismatches:
                raise
    raise ExchangeFailed(f"{mismatches} answer(s) that did not match the question")


async def _by_tcp(query: dns.message.QueryMessage, server: Nameserver) -> dns.message.Message:
    """RFC 7766: two octets of length, then the message."""
    reader, writer = await asyncio.open_connection(server.address, server.port)
    try:
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        length = int.from_bytes(await reader.readexactly(2), "big")
        response = _parse(await reader.readexactly(length), query)
    except asyncio.IncompleteReadError as error:
        raise ExchangeFailed("closed the connection before its answer was complete") from error
    finally:
        writer.close()
    if response is None:
        raise ExchangeFailed("an answer by TCP that did not match the question")
    return response


def _parse(wire: bytes, query: dns.message.QueryMessage) -> dns.message.Message | None:
    """Return the message where it is one and answers `query`, else None."""
    try:
        response = dns.message.from_wire(wire, raise_on_truncation=False, ignore_trailing=True)
        return response if query.is_response(response) else None
    except Exception:  # whatever the parser trips over is not an answer
        return None
