"""The web server of the lab."""

import asyncio
import contextlib
import ssl
from pathlib import Path

import pytest

from postroad.lab.ca import Authority
from postroad.lab.policies import PolicyServer
from postroad.wire.http import ResponseReader, get_request

PATH = "/.well-known/mta-sts.txt"


async def fetch(server: PolicyServer, trust: ssl.SSLContext, host: str) -> bytes:
    reader, writer = await asyncio.open_connection(
        server.address, server.port, ssl=trust, server_hostname=host
    )
    writer.write(get_request(host, PATH, "text/plain"))
    response = ResponseReader(1000).feed(await reader.read())
    assert response is not None
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return response.body


async def test_each_host_has_its_own_certificate(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    async with PolicyServer(authority, "127.0.0.1") as server:
        server.files = {"a.test": "for a", "b.test": "for b"}
        trust = authority.trust()
        assert await fetch(server, trust, "mta-sts.a.test") == b"for a"
        assert await fetch(server, trust, "mta-sts.b.test") == b"for b"
        server.untrusted.add("mta-sts.a.test")
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await fetch(server, trust, "mta-sts.a.test")
        assert server.asked == ["mta-sts.a.test", "mta-sts.b.test", "mta-sts.a.test"]
