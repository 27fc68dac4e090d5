"""Our own MTA-STS policy: made of the settings, and served by HTTPS."""

import asyncio
import contextlib
from pathlib import Path

from postroad.lab.ca import Authority
from postroad.runtime.compose import System
from postroad.runtime.config import Config
from postroad.runtime.own_policy import own_policy
from postroad.wire.http import ResponseReader, get_request


async def test_it_is_served(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "ca")
    leaf = authority.issue("mx.us.test", "mta-sts.us.test")
    config = Config.model_validate(
        {
            "server": {"hostname": "mx.us.test", "data_dir": tmp_path / "data"},
            "listen": {
                "local": None,
                "mta_sts": ["127.0.0.1:0"],
                **{name: [] for name in ("mx", "submission", "submissions", "pop3", "pop3s")},
            },
            "tls": {"certificate": leaf.certificate, "key": leaf.key},
            "mta_sts": {"mode": "enforce", "max_age_seconds": "30d"},
        }
    )
    async with System.open(config) as system:
        await system.start()
        ((host, port),) = system.listening["mta_sts"]
        reader, writer = await asyncio.open_connection(
            host, port, ssl=authority.trust(), server_hostname="mta-sts.us.test"
        )
        writer.write(get_request("mta-sts.us.test", "/.well-known/mta-sts.txt", "text/plain"))
        response = ResponseReader(1000).feed(await reader.read())
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    assert response is not None
    assert response.body.decode() == own_policy(config)
    assert b"mode: enforce\r\nmx: mx.us.test\r\nmax_age: 2592000\r\n" in response.body
