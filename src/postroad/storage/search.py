"""How people's search words are compared with what is stored: the same in every store."""

from postroad.model import Address, InvalidAddress


def fold(address: str) -> str:
    """Return an address as people type it the way the columns that are searched have it."""
    try:
        return Address.parse(address).folded
    except InvalidAddress:
        return address.lower()


def bracketed(message_id: str) -> str:
    """Return a Message-ID with its angle brackets."""
    return f"<{message_id.strip().removeprefix('<').removesuffix('>')}>"
