"""`ports.Signatory` by one or several signing processes: a request goes to the one with least to do."""

import asyncio
from collections.abc import Awaitable, Sequence

import structlog

from postroad.model import KeySet
from postroad.runtime.signing import frames
from postroad.runtime.signing.client import COMMAND, SigningProcess

log = structlog.get_logger("postroad.signing")


class SigningPool:
    """Up to `count` processes, started with the first request if not by `start`.

    `seconds` is how long an answer may take, `max_octets` what may wait for one of them.
    """

    def __init__(
        self, count: int, *, seconds: float, max_octets: int, command: Sequence[str] = COMMAND
    ) -> None:
        loop = asyncio.get_running_loop()
        self.processes = tuple(
            SigningProcess(loop, seconds=seconds, max_octets=max_octets, command=command)
            for _ in range(count)
        )
        self._first = self.processes[0]
        self._single = count == 1

    def start(self) -> None:
        """Start the processes now, so that the first message need not wait for it."""
        for process in self.processes:
            try:
                process.start()
            except OSError as error:
                log.error("the signing process cannot be started", error=str(error))

    async def close(self) -> None:
        """End the processes; what waits for them fails."""
        await asyncio.gather(*(process.close() for process in self.processes))

    def sign(
        self, keys: KeySet, now: float, head: bytes, body: bytes, *, hashed: bool = False
    ) -> Awaitable[bytes]:
        """Sign a message. Raises `SigningFailed`."""
        kind = frames.HASHED if hashed else frames.MESSAGE
        return self._next().ask(kind, keys, now, head, body)

    def sign_digest(self, keys: KeySet, digest: bytes) -> Awaitable[bytes]:
        """Sign a SHA-256. Raises `SigningFailed`."""
        return self._next().ask(frames.DIGEST, keys, 0.0, b"", digest)

    def _next(self) -> SigningProcess:
        if self._single:
            return self._first
        return min(self.processes, key=lambda process: (process.ailing, process.waiting))
