"""Applies changes of domains, accounts, app passwords and aliases in the writer's open transaction.

What contradicts the store raises `Conflict`, in words that tell an operator what to do.
"""

from typing import Any

import msgspec

from postroad.model import (
    AccountAdded,
    AccountRemoved,
    AliasAdded,
    AliasRemoved,
    AppPasswordAdded,
    AppPasswordRemoved,
    DomainAdded,
    DomainRemoved,
    MailboxAdded,
    OperatorSet,
    PasswordSet,
    uid_validity,
)
from postroad.storage.conflicts import (
    account_exists,
    address_is_account,
    address_is_alias,
    app_password_exists,
    domain_exists,
    domain_in_use,
    given_twice,
    id_taken,
    mailbox_exists,
    no_account,
    no_alias,
    no_app_password,
    no_domain,
    not_local,
)
from postroad.storage.sql import sessions
from postroad.storage.sql.connection import Connection
from postroad.storage.sql.statements import SQL


class Unchanged(Exception):
    """What a change asks for is so already."""


def account_removed(connection: Connection, change: AccountRemoved) -> list[int]:
    """Remove account and mailboxes; return the mailboxes' ids, for their entries to be removed."""
    connection.execute(SQL["account_delete"], (change.account,))
    if not connection.changes():
        raise no_account(change.account)
    connection.execute(SQL["app_password_delete_account"], (change.account,))
    sessions.account_removed(connection, change.account)
    rows: Any = connection.execute(SQL["mailbox_delete_account"], (change.account,)).fetchall()
    return [mailbox for (mailbox,) in rows]


def _domain_added(connection: Connection, change: DomainAdded) -> None:
    domain = change.domain
    catch_all = None if domain.catch_all is None else _json(domain.catch_all)
    if _exists(connection, "domain_get", domain.name):
        raise domain_exists(domain.name)
    connection.execute(SQL["domain_insert"], (domain.name, catch_all, domain.subaddress))


def _domain_removed(connection: Connection, change: DomainRemoved) -> None:
    accounts, aliases = connection.execute(SQL["domain_used"], (change.name,)).get
    if accounts or aliases:
        raise domain_in_use(change.name, accounts, aliases)
    connection.execute(SQL["domain_delete"], (change.name,))
    if not connection.changes():
        raise no_domain(change.name)


def _account_added(connection: Connection, change: AccountAdded) -> None:
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
        None if account.scram is None else _json(account.scram),
        account.operator,
        account.second_factor,
    )
    connection.execute(SQL["account_insert"], row)
    connection.execute(
        SQL["mailbox_insert"], (account.inbox, account.id, "INBOX", uid_validity(change.at))
    )


def _mailbox_added(connection: Connection, change: MailboxAdded) -> None:
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


def _password_set(connection: Connection, change: PasswordSet) -> None:
    scram = None if change.scram is None else _json(change.scram)
    connection.execute(SQL["account_password"], (change.account, change.password_hash, scram))
    if not connection.changes():
        raise no_account(change.account)


def _operator_set(connection: Connection, change: OperatorSet) -> None:
    connection.execute(SQL["account_operator"], (change.account, int(change.operator)))
    if not connection.changes():
        raise no_account(change.account)


def _app_password_added(connection: Connection, change: AppPasswordAdded) -> None:
    added = change.app_password
    if not _exists(connection, "account_get_by_id", added.account):
        raise no_account(added.account)
    named = (added.account, added.name)
    if connection.execute(SQL["app_password_exists"], named).get is not None:
        raise app_password_exists(added.name)
    if _exists(connection, "app_password_id_exists", added.id):
        raise app_password_exists(added.name)
    row = (
        *named,
        added.id,
        _json(added.scopes),
        added.digest,
        _json(added.scram),
        added.created_at,
        added.used_at,
    )
    connection.execute(SQL["app_password_insert"], row)


def _app_password_removed(connection: Connection, change: AppPasswordRemoved) -> None:
    connection.execute(SQL["app_password_delete"], (change.account, change.name))
    if not connection.changes():
        raise no_app_password(change.name)


def _alias_added(connection: Connection, change: AliasAdded) -> None:
    address = change.alias.address
    if not _exists(connection, "domain_get", address.domain):
        raise not_local(address)
    if _exists(connection, "account_get", address.folded):
        raise address_is_account(address)
    row = (address.folded, address.local_part, address.domain, _json(change.alias.targets))
    connection.execute(SQL["alias_put"], row)


def _alias_removed(connection: Connection, change: AliasRemoved) -> None:
    connection.execute(SQL["alias_delete"], (change.address.folded,))
    if not connection.changes():
        raise no_alias(change.address)


def _exists(connection: Connection, statement: str, value: object) -> bool:
    return connection.execute(SQL[statement], (value,)).get is not None


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


APPLY: dict[type, Any] = {
    DomainAdded: _domain_added,
    DomainRemoved: _domain_removed,
    AccountAdded: _account_added,
    MailboxAdded: _mailbox_added,
    PasswordSet: _password_set,
    OperatorSet: _operator_set,
    AppPasswordAdded: _app_password_added,
    AppPasswordRemoved: _app_password_removed,
    AliasAdded: _alias_added,
    AliasRemoved: _alias_removed,
}
