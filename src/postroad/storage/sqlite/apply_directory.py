"""Applies changes of domains, accounts and aliases inside the writer's open transaction.

What contradicts the store raises `Conflict`, in words that tell an operator what to do.
"""

from typing import Any

import apsw
import msgspec

from postroad.model import (
    AccountAdded,
    AccountRemoved,
    AliasAdded,
    AliasRemoved,
    DomainAdded,
    DomainRemoved,
    MailboxAdded,
    PasswordSet,
    uid_validity,
)
from postroad.storage.conflicts import (
    account_exists,
    address_is_account,
    address_is_alias,
    domain_exists,
    domain_in_use,
    given_twice,
    id_taken,
    mailbox_exists,
    no_account,
    no_alias,
    no_domain,
    not_local,
)
from postroad.storage.sqlite.statements import SQL


class Unchanged(Exception):
    """What a change asks for is so already."""


def account_removed(connection: apsw.Connection, change: AccountRemoved) -> list[int]:
    """Remove account and mailboxes; return the mailboxes' ids, for their entries to be removed."""
    connection.execute(SQL["account_delete"], (change.account,))
    if not connection.changes():
        raise no_account(change.account)
    rows: Any = connection.execute(SQL["mailbox_delete_account"], (change.account,)).fetchall()
    return [mailbox for (mailbox,) in rows]


def _domain_added(connection: apsw.Connection, change: DomainAdded) -> None:
    domain = change.domain
    catch_all = None if domain.catch_all is None else _json(domain.catch_all)
    if _exists(connection, "domain_get", domain.name):
        raise domain_exists(domain.name)
    connection.execute(SQL["domain_insert"], (domain.name, catch_all, domain.subaddress))


def _domain_removed(connection: apsw.Connection, change: DomainRemoved) -> None:
    accounts, aliases = connection.execute(SQL["domain_used"], (change.name,)).get
    if accounts or aliases:
        raise domain_in_use(change.name, accounts, aliases)
    connection.execute(SQL["domain_delete"], (change.name,))
    if not connection.changes():
        raise no_domain(change.name)


def _account_added(connection: apsw.Connection, change: AccountAdded) -> None:
    account = change.account
    address = account.address
    folded = address.folded
    if not _exists(connection, "domain_get", address.domain):
        raise not_local(address)
    if _exists(connection, "account_get", folded):
        raise account_exists(address)
    if _exists(connection, "alias_get", folded):
        raise address_is_alias(address)
    for statement, taken in (("account_get_by_id", account.id), ("mailbox_get", account.inbox)):
        if _exists(connection, statement, taken):
            raise id_taken(taken, address)
    row = (
        account.id,
        folded,
        address.local_part,
        address.domain,
        account.password_hash,
        account.inbox,
        account.enabled,
    )
    connection.execute(SQL["account_insert"], row)
    connection.execute(
        SQL["mailbox_insert"], (account.inbox, account.id, "INBOX", uid_validity(change.at))
    )


def _mailbox_added(connection: apsw.Connection, change: MailboxAdded) -> None:
    """Make it, unless it is there; then nothing changed, and the journey says nothing."""
    mailbox = change.mailbox
    if not _exists(connection, "account_get_by_id", mailbox.account):
        raise no_account(mailbox.account)
    found = connection.execute(SQL["mailbox_named"], (mailbox.account, mailbox.name)).get
    if found is not None:
        if found[0] != mailbox.id:
            raise mailbox_exists(mailbox.name)
        raise Unchanged
    if _exists(connection, "mailbox_get", mailbox.id):
        raise given_twice()
    row = (mailbox.id, mailbox.account, mailbox.name, mailbox.uid_validity)
    connection.execute(SQL["mailbox_insert"], row)


def _password_set(connection: apsw.Connection, change: PasswordSet) -> None:
    connection.execute(SQL["account_password"], (change.account, change.password_hash))
    if not connection.changes():
        raise no_account(change.account)


def _alias_added(connection: apsw.Connection, change: AliasAdded) -> None:
    address = change.alias.address
    if not _exists(connection, "domain_get", address.domain):
        raise not_local(address)
    if _exists(connection, "account_get", address.folded):
        raise address_is_account(address)
    row = (address.folded, address.local_part, address.domain, _json(change.alias.targets))
    connection.execute(SQL["alias_put"], row)


def _alias_removed(connection: apsw.Connection, change: AliasRemoved) -> None:
    connection.execute(SQL["alias_delete"], (change.address.folded,))
    if not connection.changes():
        raise no_alias(change.address)


def _exists(connection: apsw.Connection, statement: str, value: object) -> bool:
    return connection.execute(SQL[statement], (value,)).get is not None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


APPLY: dict[type, Any] = {
    DomainAdded: _domain_added,
    DomainRemoved: _domain_removed,
    AccountAdded: _account_added,
    MailboxAdded: _mailbox_added,
    PasswordSet: _password_set,
    AliasAdded: _alias_added,
    AliasRemoved: _alias_removed,
}
