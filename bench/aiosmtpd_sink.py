"""aiosmtpd with a handler that stores nothing: ``python -m bench.aiosmtpd_sink ADDRESS PORT``.

It is as fast as aiosmtpd can be, under uvloop, and it is not durable: what it says 250 to is gone.
"""

import asyncio
import sys

import uvloop
from aiosmtpd.smtp import SMTP, Envelope, Session


class Nothing:
    """Takes every message and forgets it."""

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        return "250 2.0.0 Ok"


async def serve(address: str, port: int) -> None:
    """Serve until the process is ended."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(Nothing(), hostname="aiosmtpd.test", enable_SMTPUTF8=True), address, port
    )
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(sys.argv[1], int(sys.argv[2])))
