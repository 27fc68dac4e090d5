"""Where an address leads: to mailboxes here, to other domains, or nowhere.

Local parts of local domains are looked up as they are, then as an alias, then without their subaddress
(RFC 5233), then as the sender of mail that we passed on, then by the domain's catch-all. Nothing that
others wrote into a local part is ever taken for a route: ``a%b``, ``a!b`` and ``"a@b"`` are just names
(no open relay by old spellings).
"""

from collections.abc import Awaitable, Callable

from msgspec import Struct

from postroad.model import Address, Domain, Recipient, Reply
from postroad.ports import Directory
from postroad.trust.srs import SrsInvalid, is_srs

LOCAL = "local"
"""The destination of all mail that stays here."""

RETURNS = "returns"
"""The destination of what comes back to return paths of ours (`service.returns`)."""

MAX_ALIAS_DEPTH = 10
MAX_ALIAS_TARGETS = 1000

REMEMBER_SECONDS = 1.0
"""How long an address that leads somewhere is not looked up again."""
_REMEMBER_MAX = 10_000


class Target(Struct, frozen=True):
    """One final place for an address. `mailbox` is set, and `destination` is ``"local"``, for mail that
    stays here; else `destination` is the domain that the mail goes to.
    """

    address: Address
    original: Address
    destination: str
    mailbox: int | None

    @property
    def is_local(self) -> bool:
        """Whether it stays here."""
        return self.mailbox is not None

    @property
    def is_ours(self) -> bool:
        """Whether we are who takes it, from anybody."""
        return self.mailbox is not None or self.destination == RETURNS

    @property
    def is_passed_on(self) -> bool:
        """Whether somebody here leads it to another place."""
        return self.mailbox is None and self.address != self.original


class Accepted(Struct, frozen=True):
    """A recipient that was taken at RCPT, with where it leads; `quarantined`: into Junk."""

    recipient: Recipient
    targets: tuple[Target, ...]
    quarantined: bool = False


class Recipients:
    """Resolves addresses.

    With `monotonic` (seconds), what an address leads to is remembered for `REMEMBER_SECONDS`: most mail
    of a moment goes to few addresses. Refusals are not, so a new account has its mail at once. What was
    removed meanwhile is found out when the mail is delivered.

    `returns` knows the return paths that we make: it returns where one leads, its refusal, or None for
    any other address. `way_back` opens local parts of forwarded mail's senders (SRS) and raises
    `SrsInvalid`.
    """

    def __init__(
        self,
        directory: Directory,
        *,
        hostname: str,
        monotonic: Callable[[], float] | None = None,
        way_back: Callable[[str], Awaitable[Address]] | None = None,
        returns: Callable[[Address], tuple[Target, ...] | Reply | None] | None = None,
    ) -> None:
        self._returns = returns
        self._way_back = way_back
        self._directory = directory
        self._hostname = hostname
        self._monotonic = monotonic
        self._known: dict[Address, tuple[float, tuple[Target, ...]]] = {}

    def remembered(self, address: Address) -> tuple[Target, ...] | None:
        """Return what `resolve` found a moment ago, None where it has to be asked."""
        known = self._known.get(address)
        if known is None or self._monotonic is None or known[0] < self._monotonic():
            return None
        return known[1]

    async def resolve(self, address: Address) -> tuple[Target, ...] | Reply:
        """Return all targets of an address, or the reply that refuses it.

        Refusals: 550 5.1.1 for a local part that nobody has, 550 5.2.1 for a disabled account,
        554 5.4.6 for aliases that lead in a circle, 554 5.3.5 for aliases without end.
        """
        targets = self.remembered(address)
        if targets is not None:
            return targets
        found = await self._look_up(address)
        if self._monotonic is not None and not isinstance(found, Reply):
            if len(self._known) >= _REMEMBER_MAX:
                self._known.clear()
            self._known[address] = (self._monotonic() + REMEMBER_SECONDS, found)
        return found

    async def _look_up(self, address: Address) -> tuple[Target, ...] | Reply:
        if self._returns is not None:
            found_path = self._returns(address)
            if found_path is not None:
                return found_path
        directory = self._directory
        domain = await directory.domain(address.domain)
        if domain is None:
            if address.domain != self._hostname:
                return (Target(address, address, address.domain, None),)
            return await self._at_hostname(address)
        account = await directory.account(address)
        if account is not None:
            # The common case, without the machinery of aliases.
            if not account.enabled:
                return _disabled(address)
            return (Target(account.address, address, LOCAL, account.inbox),)
        found: dict[Address, Target] = {}
        refusal = await self._expand(address, address, found, ())
        if refusal is not None:
            return refusal
        return tuple(found.values())

    async def hosts(self, domain: str) -> bool:
        """Whether mailboxes of that domain are here."""
        return await self._directory.domain(domain) is not None

    async def place(self, address: Address) -> tuple[str, int | None] | None:
        """Return (destination, mailbox) of the first target, None where nobody has the address.

        The queue asks this for the senders that it reports to.
        """
        targets = await self.resolve(address)
        if isinstance(targets, Reply):
            return None
        return targets[0].destination, targets[0].mailbox

    async def _expand(
        self,
        address: Address,
        original: Address,
        found: dict[Address, Target],
        path: tuple[str, ...],
    ) -> Reply | None:
        """Add the targets of `address` to `found`; return the refusal, if any."""
        if address.folded in path:
            return Reply(554, "5.4.6", f"Aliases of <{original}> lead in a circle")
        if len(path) > MAX_ALIAS_DEPTH or len(found) >= MAX_ALIAS_TARGETS:
            return Reply(554, "5.3.5", f"Aliases of <{original}> do not end")
        domain = await self._directory.domain(address.domain)
        if domain is None:
            found[address] = Target(address, original, address.domain, None)
            return None
        step = await self._one_step(address, domain)
        if isinstance(step, Target):
            found[step.address] = Target(step.address, original, LOCAL, step.mailbox)
            return None
        if isinstance(step, Reply):
            return step
        for target in step:
            refusal = await self._expand(target, original, found, (*path, address.folded))
            if refusal is not None:
                return refusal
        return None

    async def _one_step(
        self, address: Address, domain: Domain
    ) -> Target | tuple[Address, ...] | Reply:
        candidates = [address]
        if domain.subaddress:
            base, separator, _ = address.local_part.partition(domain.subaddress)
            if separator and base:
                candidates.append(Address(base, address.domain))
        for candidate in candidates:
            account = await self._directory.account(candidate)
            if account is not None:
                if not account.enabled:
                    return _disabled(address)
                return Target(account.address, address, LOCAL, account.inbox)
            alias = await self._directory.alias(candidate)
            if alias is not None:
                return alias.targets
        if self._way_back is not None and is_srs(address.local_part):
            try:
                return (await self._way_back(address.local_part),)
            except SrsInvalid as error:
                return Reply(550, "5.1.1", f"<{address}> No way back: {error}")
        if domain.catch_all is not None and domain.catch_all.folded != address.folded:
            return (domain.catch_all,)
        if address.local_part.lower() == "postmaster":
            found = await self._postmaster()
            if found is not None and found.folded != address.folded:
                return (found,)
        return Reply(550, "5.1.1", f"<{address}> No such user here")

    async def _at_hostname(self, address: Address) -> tuple[Target, ...] | Reply:
        """RFC 5321 §4.5.1: postmaster is reachable at the server's own name."""
        if address.local_part.lower() == "postmaster":
            found = await self._postmaster()
            if found is not None:
                return await self.resolve(found)
        return Reply(550, "5.1.1", f"<{address}> No such user here")

    async def _postmaster(self) -> Address | None:
        """Return who stands in for a postmaster that a domain lacks (RFC 5321 §4.5.1): that of the
        local domain which our name belongs to, else that of the first domain which has one.
        """
        _, _, parent = self._hostname.partition(".")
        names = []
        while parent:
            names.append(parent)
            _, _, parent = parent.partition(".")
        names += [each.name for each in await self._directory.domains()]
        for name in names:
            domain = await self._directory.domain(name)
            if domain is None:
                continue
            address = Address("postmaster", name)
            if domain.catch_all is not None or await self._has(address):
                return address
        return None

    async def _has(self, address: Address) -> bool:
        """Whether an account or alias has exactly that address."""
        directory = self._directory
        if await directory.account(address) is not None:
            return True
        return await directory.alias(address) is not None


def _disabled(address: Address) -> Reply:
    return Reply(550, "5.2.1", f"<{address}> This account is disabled")
