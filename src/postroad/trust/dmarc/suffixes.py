"""Organisational domains by the public suffix list (RFC 7489 §3.2).

The list is read at the first question, which takes a tenth of a second: `load` does it before.
"""

from functools import lru_cache

from publicsuffixlist import PublicSuffixList


@lru_cache(maxsize=1)
def load() -> PublicSuffixList:
    """Return the list that came with the package; rules of both its sections count."""
    return PublicSuffixList()


def registered_domain(domain: str) -> str | None:
    """Return the public suffix and one label more, in lower case; None for a public suffix itself, and
    for what is no domain.
    """
    return load().privatesuffix(domain)
