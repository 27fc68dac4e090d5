"""`ports.Signatory` in this process: for commands, and where no process of its own is wanted."""

import structlog

from postroad.model import KeySet
from postroad.ports import SigningFailed
from postroad.trust.dkim.keyed import KeyedSigners

log = structlog.get_logger("postroad.signing")

MAX_KEY_SETS = 4096


class SignsHere:
    """Makes signatures where it is called, and holds up whatever else is to be done there."""

    def __init__(self) -> None:
        self._signers = KeyedSigners()

    async def sign(
        self, keys: KeySet, now: float, head: bytes, body: bytes, *, hashed: bool = False
    ) -> bytes:
        """Sign a message. Raises `SigningFailed`."""
        try:
            self._know(keys)
            return self._signers.sign(keys.number, now, head, body, hashed=hashed)
        except Exception as error:
            log.exception("a message cannot be signed")
            raise SigningFailed(str(error)) from error

    async def sign_digest(self, keys: KeySet, digest: bytes) -> bytes:
        """Sign a SHA-256. Raises `SigningFailed`."""
        try:
            self._know(keys)
            return self._signers.sign_digest(keys.number, digest)
        except Exception as error:
            log.exception("a seal cannot be made")
            raise SigningFailed(str(error)) from error

    def _know(self, keys: KeySet) -> None:
        if keys.number in self._signers:
            return
        if len(self._signers) >= MAX_KEY_SETS:
            self._signers.forget()
        self._signers.add(keys.number, keys.keys)
