"""What became of the links that delivery opened, since the process began."""

from collections import Counter

from postroad.model import RouteTaken


class LinkTally:
    """Counts links by how they are secured, and refusals of our addresses."""

    def __init__(self) -> None:
        self.opened: Counter[str] = Counter()  # verified, encrypted, clear
        self.failed = 0  # no host of a route took us
        self.blocked = 0  # times that a provider blocked a source address

    def open(self, taken: RouteTaken) -> None:
        """A link was opened."""
        kind = "verified" if taken.verified else "encrypted" if taken.tls else "clear"
        self.opened[kind] += 1
