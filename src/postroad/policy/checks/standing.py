"""The standing of a sending domain, from our own history: how much of its mail was junk?

Only domains that DMARC has proven count, for a history that anybody may write is worth nothing. What
the checks before this one suspected (`Quarantine`) is junk; what they let pass is good; what this check
itself suspects adds nothing, or a bad name would feed on itself. What was refused is not counted.
"""

from msgspec import Struct

from postroad.model import DomainHistory, Judged, Reply
from postroad.policy.checks.strangers import Action, Strangers, act
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Accept, Quarantine, Verdict
from postroad.ports import Clock, StandingStore
from postroad.trust.dmarc import DmarcCheck, DmarcResult

_DAY = 86400.0
MAX_PENDING = 1000


class StandingSettings(Struct, frozen=True):
    """When a domain has a bad name: of at least `min_messages` the share `junk_share` or more was junk.
    What is `half_life_seconds` old weighs half; of all domains, the `keep` last judged are remembered.
    """

    min_messages: float = 20.0
    junk_share: float = 0.8
    half_life_seconds: float = 30 * _DAY
    keep: int = 100_000


class Standings:
    """The history of domains, with what is not yet written. Whoever owns it writes `take`, now and then:
    a commit for each message would be dear, and a crash costs some counts that nobody was promised.
    """

    def __init__(self, store: StandingStore, clock: Clock, settings: StandingSettings) -> None:
        self.settings = settings
        self._store = store
        self._clock = clock
        self._pending: dict[str, Judged] = {}
        self._taken: dict[str, Judged] = {}

    def judge(self, domain: str, *, junk: bool) -> None:
        """Count one message; where too many domains wait to be written, nothing."""
        known = self._pending.get(domain)
        if known is None:
            if len(self._pending) >= MAX_PENDING:
                return
            known = Judged(domain)
        good, bad = known.good + (not junk), known.junk + junk
        self._pending[domain] = Judged(domain, good, bad)

    def take(self) -> tuple[Judged, ...]:
        """Return what waits to be written. It counts here until `let_go`: a commit takes a while."""
        self._taken, self._pending = self._pending, {}
        return tuple(self._taken.values())

    def let_go(self) -> None:
        """Forget what was taken: the store has it, or it is lost."""
        self._taken = {}

    async def of(self, domain: str) -> DomainHistory:
        """Return all that is known of a domain as of now."""
        now = self._clock.now()
        known = await self._store.of(domain) or DomainHistory(domain, 0.0, 0.0, now)
        waiting = [each[domain] for each in (self._taken, self._pending) if domain in each]
        good, junk = sum(each.good for each in waiting), sum(each.junk for each in waiting)
        return known.later(Judged(domain, good, junk), now, self.settings.half_life_seconds)


def standing_check(action: Action, standings: Standings, strangers: Strangers) -> Check:
    """Judge mail by the name of its domain, and count it. The fact is a `DomainHistory`."""
    settings = standings.settings

    @check(stage=MessageReceived, name="standing")
    async def standing(stage: MessageReceived) -> Verdict:
        domain = proven_domain(stage)
        if not domain or not strangers.has(stage.origin):
            return ACCEPT
        history = await standings.of(domain)
        standings.judge(domain, junk=stage.fact(Quarantine) is not None)
        total = history.good + history.junk
        words = f"{domain}: {history.junk:.0f} of {total:.0f} were junk"
        if total < settings.min_messages or history.junk_share < settings.junk_share:
            return Accept(words if total >= 1 else "", fact=history)
        reply = Reply(550, "5.7.1", f"Most of what {domain} has sent us was junk")
        return act(action, reply, words, history)

    return standing


def proven_domain(stage: MessageReceived) -> str:
    """Return the author's domain if DMARC passed, else ``""``."""
    found = stage.fact(DmarcCheck)
    if found is None or found.result is not DmarcResult.PASS:
        return ""
    return found.domains[0].domain if len(found.domains) == 1 else ""
