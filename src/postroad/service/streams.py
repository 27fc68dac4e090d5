"""Which stream a message belongs to: the first rule that names its account or its sender.

A stream is a named kind of outgoing mail with its own policy. Only mail of our own users (submission
and the sendmail command) has one: a sender in mail from strangers may be anybody's invention.
"""

from collections.abc import Iterable

from msgspec import Struct

from postroad.model import DEFAULT_STREAM, Address, Origin, ServerKind

_OURS = (ServerKind.SUBMISSION, ServerKind.LOCAL, ServerKind.API)


class StreamRule(Struct, frozen=True):
    """Who sends by a stream: accounts, and senders of the envelope, each as a whole address or
    ``@domain``, folded (`Address.folded`).
    """

    name: str
    senders: tuple[str, ...] = ()
    accounts: tuple[str, ...] = ()


class Streams:
    """Chooses by two look-ups in a table. An address goes before its domain, an account before the
    sender.
    """

    def __init__(self, rules: Iterable[StreamRule] = ()) -> None:
        self._senders: dict[str, str] = {}
        self._accounts: dict[str, str] = {}
        for rule in rules:
            for table, names in ((self._senders, rule.senders), (self._accounts, rule.accounts)):
                for name in names:
                    table.setdefault(name, rule.name)

    def __bool__(self) -> bool:
        return bool(self._senders or self._accounts)

    def of(self, sender: Address | None, origin: Origin) -> str:
        """Return the name of the stream."""
        if origin.server not in _OURS:
            return DEFAULT_STREAM
        if origin.account is not None:
            account = origin.account.lower()
            found = _look_up(self._accounts, account, account[account.rfind("@") :])
            if found is not None:
                return found
        if sender is None:
            return DEFAULT_STREAM
        return _look_up(self._senders, sender.folded, f"@{sender.domain}") or DEFAULT_STREAM


def _look_up(table: dict[str, str], whole: str, domain: str) -> str | None:
    found = table.get(whole)
    return table.get(domain) if found is None else found
