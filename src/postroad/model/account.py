"""Who has mail here: domains, accounts, aliases, mailboxes."""

from msgspec import Struct

from postroad.model.address import Address

JUNK = "Junk"
"""The mailbox for what checks doubt (RFC 6154 §2); made when first needed."""


class Domain(Struct, frozen=True):
    """A local domain. `catch_all` takes mail for unknown local parts; `subaddress` is the separator
    of ``user+tag``, or ``""`` where subaddresses are off (RFC 5233).
    """

    name: str
    catch_all: Address | None = None
    subaddress: str = "+"


class Mailbox(Struct, frozen=True):
    """A folder of an account. `uid_validity` and the entries' uids are as in RFC 9051 §2.3.1."""

    id: int
    account: int
    name: str
    uid_validity: int


def uid_validity(at: float) -> int:
    """Return the uidvalidity of a mailbox made at that time: 32 bits, not zero (RFC 9051 §2.3.1).

    Made from the change alone, so that a replay of the journey gives the same.
    """
    return int(at) % 0xFFFFFFFF + 1


class Account(Struct, frozen=True):
    """Who logs in, by address and password; `inbox` is the id of the mailbox where mail arrives.

    `password_hash` is an argon2 encoded hash. A disabled account neither logs in nor gets mail.
    """

    id: int
    address: Address
    password_hash: str
    inbox: int
    enabled: bool = True


class Alias(Struct, frozen=True):
    """Mail for `address` goes to `targets`, here or elsewhere."""

    address: Address
    targets: tuple[Address, ...]
