"""What we know of a sending domain from our own history."""

from msgspec import Struct


class Judged(Struct, frozen=True):
    """How many messages that are proven to come from `domain` (lower-case A-labels) were `good`, and
    how many `junk`.
    """

    domain: str
    good: int = 0
    junk: int = 0


class DomainHistory(Struct, frozen=True):
    """All that was judged of a domain, old judgements weighing less: `good` and `junk` are sums as of
    `at`, in seconds since 1970.
    """

    domain: str
    good: float
    junk: float
    at: float

    @property
    def junk_share(self) -> float:
        """Which part was junk, from 0 to 1."""
        total = self.good + self.junk
        return self.junk / total if total else 0.0

    def later(self, judged: Judged, at: float, half_life_seconds: float) -> "DomainHistory":
        """Return the history with more judged; what is one half-life old weighs half."""
        weight = 0.5 ** (max(at - self.at, 0.0) / half_life_seconds)
        return DomainHistory(
            self.domain, self.good * weight + judged.good, self.junk * weight + judged.junk, at
        )
