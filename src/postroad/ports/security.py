"""What is remembered about how links are to be secured, and how they were."""

from typing import Protocol

from postroad.model import StsPolicy, TlsResult


class SecurityStore(Protocol):
    """Reads MTA-STS policies and results for TLS reports. Raises `StorageError`."""

    async def sts_policy(self, domain: str) -> StsPolicy | None:
        """Return the policy kept for a domain (lower-case A-labels), also one that has run out."""
        ...

    async def tls_days(self, before: str, limit: int = 100) -> list[tuple[str, str]]:
        """Return (day, domain) of which there are results, of days before that one, oldest first."""
        ...

    async def tls_results(self, day: str, domain: str) -> list[tuple[TlsResult, int]]:
        """Return the results of a domain's day, each with how often it came."""
        ...
