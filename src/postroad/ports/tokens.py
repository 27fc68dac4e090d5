"""Who a bearer token speaks for."""

from typing import Protocol


class TokensUnjudged(Exception):
    """Nobody can tell now whether a token is good; the message says why."""


class TokenVerifier(Protocol):
    """Judges OAuth access tokens."""

    async def user(self, token: str) -> str | None:
        """Return the address of the user that the token was given to, for mail, by somebody we trust;
        None for a token that is no good: forged, expired, or meant for somebody else.

        Raises `TokensUnjudged`.
        """
        ...
