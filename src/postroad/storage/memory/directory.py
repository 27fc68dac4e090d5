"""How changes of domains, accounts, their passwords, mailboxes and aliases are applied in memory."""

from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from postroad.model import (
    AccountAdded,
    AliasAdded,
    AliasRemoved,
    AppPasswordAdded,
    AppPasswordRemoved,
    DomainAdded,
    DomainRemoved,
    Mailbox,
    MailboxAdded,
    OperatorSet,
    PasswordSet,
    uid_validity,
)
from postroad.storage import conflicts
from postroad.storage.memory.state import StoredMailbox

if TYPE_CHECKING:
    from postroad.storage.memory.apply import Application


def _mailbox_added(do: "Application", change: MailboxAdded) -> None:
    state, mailbox = do.state, change.mailbox
    if mailbox.account not in state.accounts:
        raise conflicts.no_account(mailbox.account)
    for stored in state.mailboxes.values():
        if (stored.mailbox.account, stored.mailbox.name) == (mailbox.account, mailbox.name):
            if stored.mailbox.id != mailbox.id:
                raise conflicts.mailbox_exists(mailbox.name)
            return
    if mailbox.id in state.mailboxes:
        raise conflicts.given_twice()
    do.undo.put(state.mailboxes, mailbox.id, StoredMailbox(mailbox))
    do.undo.put(state.entries, mailbox.id, {})
    do.note(change)


def _domain_added(do: "Application", change: DomainAdded) -> None:
    if change.domain.name in do.state.domains:
        raise conflicts.domain_exists(change.domain.name)
    do.undo.put(do.state.domains, change.domain.name, change.domain)
    do.note(change)


def _domain_removed(do: "Application", change: DomainRemoved) -> None:
    state, name = do.state, change.name
    accounts = sum(account.address.domain == name for account in state.accounts.values())
    aliases = sum(alias.address.domain == name for alias in state.aliases.values())
    if accounts or aliases:
        raise conflicts.domain_in_use(name, accounts, aliases)
    if name not in state.domains:
        raise conflicts.no_domain(name)
    do.undo.delete(state.domains, name)
    do.note(change)


def _account_added(do: "Application", change: AccountAdded) -> None:
    state, account = do.state, change.account
    address = account.address
    if address.domain not in state.domains:
        raise conflicts.not_local(address)
    if state.account_of(address):
        raise conflicts.account_exists(address)
    if address.folded in state.aliases:
        raise conflicts.address_is_alias(address)
    if account.id in state.accounts:
        raise conflicts.id_taken(account.id, address)
    if account.inbox in state.mailboxes:
        raise conflicts.id_taken(account.inbox, address)
    inbox = Mailbox(account.inbox, account.id, "INBOX", uid_validity(change.at))
    do.undo.put(state.accounts, account.id, account)
    do.undo.put(state.mailboxes, inbox.id, StoredMailbox(inbox))
    do.undo.put(state.entries, inbox.id, {})
    do.note(change)


def _password_set(do: "Application", change: PasswordSet) -> None:
    account = do.state.accounts.get(change.account)
    if account is None:
        raise conflicts.no_account(change.account)
    new = replace(account, password_hash=change.password_hash, scram=change.scram)
    do.undo.put(do.state.accounts, change.account, new)
    do.note(change)


def _operator_set(do: "Application", change: OperatorSet) -> None:
    account = do.state.accounts.get(change.account)
    if account is None:
        raise conflicts.no_account(change.account)
    do.undo.put(do.state.accounts, account.id, replace(account, operator=change.operator))
    do.note(change)


def _app_password_added(do: "Application", change: AppPasswordAdded) -> None:
    state, added = do.state, change.app_password
    if added.account not in state.accounts:
        raise conflicts.no_account(added.account)
    known = state.app_passwords
    if (added.account, added.name) in known or any(o.id == added.id for o in known.values()):
        raise conflicts.app_password_exists(added.name)
    do.undo.put(known, (added.account, added.name), added)
    do.note(change)


def _app_password_removed(do: "Application", change: AppPasswordRemoved) -> None:
    key = (change.account, change.name)
    if key not in do.state.app_passwords:
        raise conflicts.no_app_password(change.name)
    do.undo.delete(do.state.app_passwords, key)
    do.note(change)


def _alias_added(do: "Application", change: AliasAdded) -> None:
    address = change.alias.address
    if address.domain not in do.state.domains:
        raise conflicts.not_local(address)
    if do.state.account_of(address):
        raise conflicts.address_is_account(address)
    do.undo.put(do.state.aliases, address.folded, change.alias)
    do.note(change)


def _alias_removed(do: "Application", change: AliasRemoved) -> None:
    if change.address.folded not in do.state.aliases:
        raise conflicts.no_alias(change.address)
    do.undo.delete(do.state.aliases, change.address.folded)
    do.note(change)


APPLY: dict[type, Any] = {
    MailboxAdded: _mailbox_added,
    DomainAdded: _domain_added,
    DomainRemoved: _domain_removed,
    AccountAdded: _account_added,
    PasswordSet: _password_set,
    OperatorSet: _operator_set,
    AppPasswordAdded: _app_password_added,
    AppPasswordRemoved: _app_password_removed,
    AliasAdded: _alias_added,
    AliasRemoved: _alias_removed,
}
