"""`ports.Duties` of a store that one server has for itself."""


class AllOurs:
    """There is nobody else. See `ports.Duties`."""

    async def hold(self, duty: str) -> bool:
        """See `ports.Duties`."""
        return True

    async def drop(self, duty: str) -> None:
        """See `ports.Duties`."""

    async def nodes(self) -> int:
        """See `ports.Duties`."""
        return 1
