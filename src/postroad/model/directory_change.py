"""Changes to who has mail here, and by what they log in to mail programs; see `model.change`."""

from msgspec import Struct

from postroad.model.account import Account, Alias, AppPassword, Domain, Mailbox, ScramKeys
from postroad.model.address import Address


class MailboxAdded(Struct, frozen=True, tag="mailbox_added"):
    """A mailbox was made for an account; nothing changes where the same one is there already."""

    at: float
    mailbox: Mailbox


class DomainAdded(Struct, frozen=True, tag="domain_added"):
    """A local domain was added."""

    at: float
    domain: Domain


class DomainRemoved(Struct, frozen=True, tag="domain_removed"):
    """A local domain without accounts was removed."""

    at: float
    name: str


class AccountAdded(Struct, frozen=True, tag="account_added"):
    """An account and its INBOX were made."""

    at: float
    account: Account


class AccountRemoved(Struct, frozen=True, tag="account_removed"):
    """An account was removed with its mailboxes and entries."""

    at: float
    account: int


class PasswordSet(Struct, frozen=True, tag="password_set", omit_defaults=True):
    """An account's password was changed: its hash, and its keys for SCRAM where it can be used so."""

    at: float
    account: int
    password_hash: str
    scram: ScramKeys | None = None


class OperatorSet(Struct, frozen=True, tag="operator_set"):
    """An account became that of an operator, or is none any more. `by` is who said so."""

    at: float
    account: int
    operator: bool
    by: str


class AppPasswordAdded(Struct, frozen=True, tag="app_password_added"):
    """An account got an app password."""

    at: float
    app_password: AppPassword


class AppPasswordRemoved(Struct, frozen=True, tag="app_password_removed"):
    """An app password of an account is no longer good."""

    at: float
    account: int
    name: str


class AliasAdded(Struct, frozen=True, tag="alias_added"):
    """An alias was added, or its targets replaced."""

    at: float
    alias: Alias


class AliasRemoved(Struct, frozen=True, tag="alias_removed"):
    """An alias was removed."""

    at: float
    address: Address
