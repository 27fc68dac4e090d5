"""Opening an account's INBOX for a POP3 session.

One session at a time (RFC 1939 §4), and not more often than the login delay allows (RFC 2449 §6.5),
which is counted from login to login. The delay is remembered in memory only: after a restart everybody
may come at once.
"""

from postroad.mailbox import Maildrop, ReadAhead
from postroad.model import Account
from postroad.ports import Clock, ContentStore, Ledger, MailboxLocks, MailboxStore

_SWEEP_ABOVE = 10_000


class LoginTooSoon(Exception):
    """The account was here a moment ago; try again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"logins may come again in {seconds:.0f} s")
        self.seconds = seconds


class Maildrops:
    """Opens maildrops for all POP3 servers of a process."""

    def __init__(
        self,
        *,
        mailboxes: MailboxStore,
        content: ContentStore,
        locks: MailboxLocks,
        ledger: Ledger,
        clock: Clock,
        login_delay_seconds: float = 0.0,
        read_ahead: ReadAhead | None = None,
    ) -> None:
        self._mailboxes = mailboxes
        self._content = content
        self._locks = locks
        self._ledger = ledger
        self._clock = clock
        self._delay = login_delay_seconds
        self._read_ahead = read_ahead or ReadAhead()
        self._opened_at: dict[int, float] = {}

    async def open(self, account: Account) -> Maildrop:
        """Return the account's INBOX, locked, until its `commit` or `close`.

        Raises `LoginTooSoon`, `MailboxInUse`, `MailboxGone`, `StorageError`.
        """
        if self._delay:
            self._refuse_if_too_soon(account.id)
        maildrop = await Maildrop.open(
            account.inbox,
            store=self._mailboxes,
            content=self._content,
            locks=self._locks,
            ledger=self._ledger,
            clock=self._clock,
            read_ahead=self._read_ahead,
        )
        if self._delay:
            self._opened_at[account.id] = self._clock.monotonic()
        return maildrop

    def _refuse_if_too_soon(self, account: int) -> None:
        now = self._clock.monotonic()
        opened_at = self._opened_at.get(account)
        if opened_at is not None and now - opened_at < self._delay:
            raise LoginTooSoon(self._delay - (now - opened_at))
        if len(self._opened_at) > _SWEEP_ABOVE:
            self._opened_at = {
                known: at for known, at in self._opened_at.items() if now - at < self._delay
            }
