"""Who logged in, and who tried to."""

from typing import Protocol

from postroad.model import Login


class LoginStore(Protocol):
    """Reads the journey of logins."""

    async def newest(
        self,
        username: str | None = None,
        *,
        failed: bool = False,
        since: float | None = None,
        limit: int = 50,
    ) -> list[Login]:
        """Return at most `limit` logins, the newest first: of all, or of one `username` (folded);
        `failed`: only those that were not let in; `since`: only those later than that.
        """
        ...
