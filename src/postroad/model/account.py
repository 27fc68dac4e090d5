"""Who has mail here: domains, accounts, aliases, mailboxes; and by what they log in."""

from enum import Enum

from msgspec import Struct

from postroad.model.address import Address

JUNK = "Junk"
"""The mailbox for what checks doubt (RFC 6154 §2); made when first needed."""


INBOX = "INBOX"
"""The mailbox where mail arrives; its name is the same in any case (RFC 9051 §5.1)."""

SPECIAL = (JUNK, "Archive", "Drafts", "Sent", "Trash")
"""Names by which mailboxes with a purpose go (RFC 6154 §2)."""

MAX_MAILBOX_NAME = 200


class InvalidMailboxName(ValueError):
    """No mailbox can have that name; the message says why."""


def parse_mailbox_name(text: str) -> str:
    """Return the name of a mailbox as it is stored. Raises `InvalidMailboxName`.

    At most `MAX_MAILBOX_NAME` characters that can be printed; ``/`` separates levels (RFC 9051 §5.1.1),
    none of them empty. Wildcards of IMAP's LIST are refused.
    """
    for known in (INBOX, *SPECIAL):
        if text.casefold() == known.casefold():
            return known
    if not 0 < len(text) <= MAX_MAILBOX_NAME:
        raise InvalidMailboxName(f"the name of a mailbox has 1 to {MAX_MAILBOX_NAME} characters")
    if not text.isprintable() or set(text) & set('*%\\"'):
        raise InvalidMailboxName(
            'the name of a mailbox has no control characters and none of * % \\ "'
        )
    if any(not level.strip() or level.strip(".") == "" for level in text.split("/")):
        raise InvalidMailboxName("no level of a mailbox's name is empty or consists of dots")
    if text != text.strip():
        raise InvalidMailboxName("the name of a mailbox neither begins nor ends with a space")
    return text


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


class ScramKeys(Struct, frozen=True, array_like=True):
    """What a server keeps of a password for SCRAM-SHA-256 (RFC 5802 §3): enough to recognise who knows
    it, not enough to log in with.
    """

    salt: bytes
    iterations: int
    stored_key: bytes
    server_key: bytes


class Account(Struct, frozen=True):
    """Who logs in, by address and password; `inbox` is the id of the mailbox where mail arrives.

    `password_hash` is an argon2 encoded hash, `scram` the same password's keys, None where it cannot
    be used by SCRAM. A disabled account neither logs in nor gets mail. An `operator` may use the
    console. With a `second_factor` its own password is good on the web alone, where that is asked for;
    programs need app passwords.
    """

    id: int
    address: Address
    password_hash: str
    inbox: int
    enabled: bool = True
    scram: ScramKeys | None = None
    operator: bool = False
    second_factor: bool = False


class Scope(Enum):
    """What an app password is good for."""

    SMTP = "smtp"
    POP3 = "pop3"
    JMAP = "jmap"


class AppPassword(Struct, frozen=True):
    """A password that we made for one program of an account, beside the account's own.

    `digest` is its SHA-256: it is random and long, so nothing slower is needed. `name` is the owner's
    word for it, unique in the account. Times are seconds since 1970.
    """

    id: int
    account: int
    name: str
    scopes: tuple[Scope, ...]
    digest: bytes
    scram: ScramKeys
    created_at: float
    used_at: float | None = None


class Alias(Struct, frozen=True):
    """Mail for `address` goes to `targets`, here or elsewhere."""

    address: Address
    targets: tuple[Address, ...]
