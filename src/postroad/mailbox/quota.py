"""How much mail accounts may have: asked when mail is announced, and again when it is deposited.

What an account has is looked up now and then, and what comes meanwhile is added; so a process may be
wrong for `REMEMBER_SECONDS` about what others deposit or delete. Before it says that an account is full,
it looks again. Where there are no quotas, `active` is False and nothing is asked. JMAP shows them
(RFC 9425).
"""

import asyncio
from collections.abc import Sequence

import structlog
from msgspec import Struct

from postroad.model import Quota, Reply
from postroad.ports import Clock, MailboxStore, OwnerStore, StorageError

log = structlog.get_logger("postroad.quota")

REMEMBER_SECONDS = 10.0
"""How long what an account has is not looked up again, and how often is looked what operators set."""

LOOK_AGAIN_SECONDS = 1.0
"""How often is looked, at most, whether an account that is full is so still."""

_REMEMBER_MAX = 10_000
_OVERLAP_SECONDS = 60.0  # clocks of machines that share a store may differ so much
_NONE = Quota()

FULL_FOR_NOW = Reply(452, "4.2.2", "The mailbox is full, try again later")
FULL = Reply(552, "5.2.2", "The mailbox is full")


class QuotaSettings(Struct, frozen=True):
    """What holds for accounts of which no operator said otherwise; `refuse`: for good, not for now."""

    default: Quota = _NONE
    refuse: bool = False


class Usage(Struct):
    """What is in all mailboxes of an account, looked up at `at` (monotonic seconds)."""

    octets: int
    messages: int
    at: float


class Quotas:
    """Knows for every INBOX what its account may have. Raises `StorageError`."""

    def __init__(
        self,
        *,
        owners: OwnerStore,
        mailboxes: MailboxStore,
        clock: Clock,
        settings: QuotaSettings | None = None,
    ) -> None:
        self._owners = owners
        self._mailboxes = mailboxes
        self._clock = clock
        self._settings = settings or QuotaSettings()
        self._own: dict[int, Quota] = {}
        self._known_until = 0.0
        self._uses: dict[int, Usage] = {}
        self.active = bool(self._settings.default)

    def configure(self, settings: QuotaSettings) -> None:
        """Use other settings from now on."""
        self._settings = settings
        self.active = bool(self._own) or bool(settings.default)

    async def refresh(self) -> None:
        """Read what operators set since it was read last."""
        until = self._clock.now() - _OVERLAP_SECONDS
        for inbox, quota in await self._owners.quotas(self._known_until):
            if quota == _NONE:
                self._own.pop(inbox, None)
            else:
                self._own[inbox] = quota
        self._known_until = until
        self.configure(self._settings)

    async def run(self) -> None:
        """Refresh now and then, for ever."""
        while True:
            await asyncio.sleep(REMEMBER_SECONDS)
            try:
                await self.refresh()
            except StorageError as error:
                log.error("quotas could not be read", error=str(error))

    def of(self, inbox: int) -> Quota:
        """Return what holds for the account of an INBOX."""
        return self._own.get(inbox, _NONE).over(self._settings.default)

    async def usage(self, inbox: int, max_age_seconds: float = REMEMBER_SECONDS) -> Usage:
        """Return what is in all mailboxes of the account of an INBOX."""
        now = self._clock.monotonic()
        known = self._uses.get(inbox)
        if known is not None and known.at + max_age_seconds > now:
            return known
        mailbox = await self._mailboxes.mailbox(inbox)
        found = [] if mailbox is None else await self._mailboxes.of_account(mailbox.account)
        usage = Usage(sum(box.octets for box in found), sum(box.entries for box in found), now)
        if len(self._uses) >= _REMEMBER_MAX:
            self._uses.clear()
        self._uses[inbox] = usage
        return usage

    async def problem(self, inbox: int, size: int) -> Reply | None:
        """Return why a message of `size` octets is too much for an account, None where it is not."""
        quota = self.of(inbox)
        if not quota:
            return None
        if _fits(quota, await self.usage(inbox), size):
            return None
        if _fits(quota, await self.usage(inbox, LOOK_AGAIN_SECONDS), size):
            return None
        return FULL if self._settings.refuse else FULL_FOR_NOW

    def took(self, inbox: int, size: int) -> None:
        """A message is about to be there, too."""
        known = self._uses.get(inbox)
        if known is not None:
            known.octets += size
            known.messages += 1

    async def refusal(self, inboxes: Sequence[int | None], size: int) -> Reply | None:
        """Return why a message is not taken that goes to these INBOXes alone (None: to another place):
        all of them are full.
        """
        reply = None
        for inbox in inboxes:
            reply = None if inbox is None else await self.problem(inbox, size)
            if reply is None:
                return None
        return reply


class NoQuotas:
    """Where nobody asks for any."""

    active = False

    async def refusal(self, inboxes: Sequence[int | None], size: int) -> Reply | None:
        """Return None."""
        return None


def _fits(quota: Quota, usage: Usage, size: int) -> bool:
    if quota.octets and usage.octets + size > quota.octets:
        return False
    return not quota.messages or usage.messages < quota.messages
