"""What all checks together came to."""

from msgspec import Struct

from postroad.message.newfield import NewField
from postroad.model import Ruling
from postroad.policy.verdict import ACCEPT, Accept, Defer, Quarantine, Reject, Verdict


class Decision(Struct, frozen=True):
    """`verdict` is what counts: the first `Defer` or `Reject`, else the first `Quarantine`, else
    `ACCEPT`.

    `rulings` are what each check had to say, for the journey; `headers` and `facts` what they gave.
    """

    verdict: Verdict = ACCEPT
    rulings: tuple[Ruling, ...] = ()
    headers: tuple[NewField, ...] = ()
    facts: tuple[object, ...] = ()

    @property
    def refused(self) -> Defer | Reject | None:
        """The verdict that refuses, None where the message may go on."""
        verdict = self.verdict
        return verdict if isinstance(verdict, Defer | Reject) else None

    @property
    def quarantined(self) -> bool:
        """Whether the message belongs into Junk."""
        return isinstance(self.verdict, Quarantine)

    def plus(self, later: "Decision") -> "Decision":
        """Return this and what was decided at a later stage."""
        if later is NOTHING:
            return self
        if self is NOTHING:
            return later
        verdict = self.verdict
        if isinstance(verdict, Accept) or later.refused:
            verdict = later.verdict
        return Decision(
            verdict,
            self.rulings + later.rulings,
            self.headers + later.headers,
            self.facts + later.facts,
        )

    def without_verdict(self) -> "Decision":
        """Return what is left where the verdict was about something else: one recipient."""
        return Decision(ACCEPT, self.rulings, self.headers, self.facts)


NOTHING = Decision()
