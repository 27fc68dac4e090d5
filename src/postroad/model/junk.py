"""What an account's owner taught us of junk."""

from msgspec import Struct


class JunkTotals(Struct, frozen=True):
    """How many messages were learned as `spam` and as `ham`, and how many tokens are kept of them."""

    spam: int = 0
    ham: int = 0
    tokens: int = 0


class TokenCount(Struct, frozen=True):
    """In how many messages learned as spam, and in how many learned as ham, a token was."""

    token: str
    spam: int
    ham: int
