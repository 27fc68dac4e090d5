"""Who vouches for our names: a certificate authority."""

from collections.abc import Sequence
from typing import Protocol


class IssueFailed(Exception):
    """There is no new certificate; `reason` is in an operator's words."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class CertificateAuthority(Protocol):
    """Issues certificates to those who prove that names are theirs."""

    async def issue(self, names: Sequence[str], key: bytes) -> bytes:
        """Return certificate and chain (PEM) for `names` and the private `key` (PEM).

        Takes from seconds to minutes. Raises `IssueFailed`.
        """
        ...
