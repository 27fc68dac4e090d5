"""Who is logged in on the web, by what they log in there, and what they granted to programs."""

from typing import Protocol

from postroad.model import Grant, Passkey, SecondFactor, WebSession


class SessionStore(Protocol):
    """Reads sessions and what belongs to them. Raises `StorageError`."""

    async def session(self, session: int) -> WebSession | None:
        """Return a session by its id; it may be over by its age."""
        ...

    async def sessions(self, account: int) -> list[WebSession]:
        """Return an account's sessions, the last used first."""
        ...

    async def factor(self, account: int) -> SecondFactor | None:
        """Return an account's second factor."""
        ...

    async def passkey(self, credential: bytes) -> Passkey | None:
        """Return a passkey by the id of its credential."""
        ...

    async def passkeys(self, account: int) -> list[Passkey]:
        """Return an account's passkeys, the oldest first."""
        ...

    async def grant(self, grant: int) -> Grant | None:
        """Return a grant by its id; it may have run out."""
        ...

    async def grants(self, account: int) -> list[Grant]:
        """Return an account's grants, the last used first."""
        ...
