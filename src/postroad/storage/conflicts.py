"""What stores say when a change contradicts what is stored: the same words in every store."""

from postroad.model import Address, format_id
from postroad.ports import Conflict, KeyTaken


def account_exists(address: Address) -> Conflict:
    """Return the conflict of an account added twice."""
    return Conflict(
        f"There is already an account {address}. Choose another address, or remove it first: "
        f"postroad account remove {address}"
    )


def address_is_alias(address: Address) -> Conflict:
    """Return the conflict of an account at an alias's address."""
    return Conflict(
        f"{address} is an alias. Choose another address, or remove it first: "
        f"postroad alias remove {address}"
    )


def address_is_account(address: Address) -> Conflict:
    """Return the conflict of an alias at an account's address."""
    return Conflict(
        f"{address} is an account, so it cannot be an alias. Choose another address, or remove the "
        f"account first: postroad account remove {address}"
    )


def not_local(address: Address) -> Conflict:
    """Return the conflict of an account or alias in a domain that is not ours."""
    return Conflict(
        f"{address.domain} is no local domain. Add it first: postroad domain add {address.domain}"
    )


def domain_exists(name: str) -> Conflict:
    """Return the conflict of a domain added twice."""
    return Conflict(f"{name} is a local domain already. See: postroad domain list")


def domain_in_use(name: str, accounts: int, aliases: int) -> Conflict:
    """Return the conflict of removing a domain that still has somebody."""
    return Conflict(
        f"{name} still has {accounts} accounts and {aliases} aliases. Remove these first "
        f"(postroad account list, postroad alias list)."
    )


def no_domain(name: str) -> Conflict:
    """Return the conflict of removing a domain that is not there."""
    return Conflict(f"There is no local domain {name}. See: postroad domain list")


def answered_already() -> Conflict:
    """Return the conflict of a sender who was answered a while ago."""
    return Conflict("That sender was answered already, a while ago. Nothing has to be done.")


def no_account(account: int) -> Conflict:
    """Return the conflict of changing an account that is not there."""
    return Conflict(
        f"There is no account with id {format_id(account)}; it was removed. See: postroad account list"
    )


def app_password_exists(name: str) -> Conflict:
    """Return the conflict of an app password added twice."""
    return Conflict(
        f"The account has an app password {name!r} already. Choose another name, or remove it first: "
        f"postroad account app-password remove"
    )


def no_app_password(name: str) -> Conflict:
    """Return the conflict of removing an app password that is not there."""
    return Conflict(
        f"The account has no app password {name!r}. See: postroad account app-password list"
    )


def api_key_exists(name: str) -> Conflict:
    """Return the conflict of a key of the API added twice."""
    return Conflict(
        f"There is a key {name!r} already. Choose another name, or remove it first: "
        f"postroad api-key remove {name}"
    )


def no_api_key(name: str) -> Conflict:
    """Return the conflict of removing a key of the API that is not there."""
    return Conflict(f"There is no key {name!r}. See: postroad api-key list")


def no_second_factor() -> Conflict:
    """Return the conflict of a code of an account that has no second factor."""
    return Conflict("The account has no second factor.")


def code_taken() -> Conflict:
    """Return the conflict of a code, or an answer to a challenge, that comes a second time."""
    return Conflict("That code was used before. Wait for the next one.")


def passkey_exists() -> Conflict:
    """Return the conflict of a passkey added twice."""
    return Conflict("That passkey is registered already.")


def too_many_passkeys(keep: int) -> Conflict:
    """Return the conflict of one passkey too many."""
    return Conflict(f"The account has {keep} passkeys, which is the limit. Remove one first.")


def no_passkey() -> Conflict:
    """Return the conflict of a passkey that is not there."""
    return Conflict("The account has no such passkey.")


def passkey_copied() -> Conflict:
    """Return the conflict of a passkey whose count of signatures went back."""
    return Conflict("Somebody else used a copy of that passkey. Remove it.")


def no_grant() -> Conflict:
    """Return the conflict of a grant that is over."""
    return Conflict("What was granted to the program is over. It has to ask again.")


def token_taken() -> Conflict:
    """Return the conflict of a code or token of a grant that comes a second time."""
    return Conflict("That token was used before.")


def webhook_exists(name: str) -> Conflict:
    """Return the conflict of a webhook added twice."""
    return Conflict(
        f"There is a webhook {name!r} already. Choose another name, or remove it first: "
        f"postroad webhook remove {name}"
    )


def no_webhook(name: str) -> Conflict:
    """Return the conflict of a webhook that is not there."""
    return Conflict(f"There is no webhook {name!r}. See: postroad webhook list")


def answer_kept(key: str) -> KeyTaken:
    """Return the conflict of an idempotency key that has an answer already."""
    return KeyTaken(f"The idempotency key {key!r} was used before.")


def no_alias(address: Address) -> Conflict:
    """Return the conflict of removing an alias that is not there."""
    return Conflict(f"There is no alias {address}. See: postroad alias list")


def id_taken(number: int, address: Address) -> Conflict:
    """Return the conflict of an account whose id, or inbox's id, is taken."""
    return Conflict(f"Id {number} of account {address} is taken. Try again.")


def content_stored(content: int) -> Conflict:
    """Return the conflict of storing a content twice."""
    return Conflict(f"Content {format_id(content)} is already stored.")


def content_gone(content: int) -> Conflict:
    """Return the conflict of depositing a content that was swept."""
    return Conflict(f"Content {format_id(content)} is gone.")


def message_stored(message: int) -> Conflict:
    """Return the conflict of accepting a message twice."""
    return Conflict(f"Message {format_id(message)} is already stored.")


def mailbox_gone(mailbox: int) -> Conflict:
    """Return the conflict of using a mailbox that is not there."""
    return Conflict(
        f"Mailbox {mailbox} is gone: its account was removed. Drop the delivery or let it bounce."
    )


def same_mailbox() -> Conflict:
    """Return the conflict of moving entries to where they are."""
    return Conflict("The messages are in that mailbox already.")


def other_account(mailbox: int) -> Conflict:
    """Return the conflict of moving entries to somebody else's mailbox."""
    return Conflict(f"Mailbox {mailbox} is of another account. Choose one of the same account.")


def mailbox_exists(name: str) -> Conflict:
    """Return the conflict of making a mailbox whose name the account has already."""
    return Conflict(f"The account has a mailbox {name} already. Try again.")


def delivery_ended(message: int, ordinal: int) -> Conflict:
    """Return the conflict of depositing for a delivery that ended."""
    return Conflict(
        f"Delivery {format_id(message)}/{ordinal} already ended; it is not deposited again."
    )


def no_delivery(message: int, ordinal: int) -> Conflict:
    """Return the conflict of an attempt for a delivery that is not there."""
    return Conflict(f"Message {format_id(message)} has no delivery {ordinal}.")


def given_twice() -> Conflict:
    """Return the conflict of a group that adds one thing twice."""
    return Conflict("The group contradicts itself: the same id is in it twice.")


def inbox_stays() -> Conflict:
    """Return the conflict of an INBOX that is to have another name, or to go."""
    return Conflict("The INBOX cannot be renamed or removed: new mail arrives there")


def mailbox_not_empty(mailbox: int) -> Conflict:
    """Return the conflict of a mailbox removed without what is in it."""
    return Conflict(f"Mailbox {mailbox} is not empty. Move its messages, or remove them with it")


def cap_reached(source: str, provider: str, cap: int) -> Conflict:
    """Return the conflict of sending more from a source address than its cap of the day."""
    return Conflict(f"{source} may send no more than {cap} to {provider} today.")


def template_moved_on(name: str) -> Conflict:
    """Return the conflict of saving a version that is not the next one."""
    return Conflict(f"Somebody else saved the template {name} at the same moment. Try again")


def no_template(name: str, version: int = 0) -> Conflict:
    """Return the conflict of a template, or a version of it, that is not there."""
    if version:
        return Conflict(
            f"There is no version {version} of {name!r}. See: postroad template show {name} --versions"
        )
    return Conflict(f"There is no template {name!r}. See: postroad template list")
