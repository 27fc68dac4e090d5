"""One job's way: its recipients in one or more transactions, and what became of each."""

from collections.abc import Sequence

from postroad.model import (
    Change,
    Delivery,
    LeasedDelivery,
    Outcome,
    Recipient,
    Reply,
    RouteTaken,
    Step,
    outcome_of,
)
from postroad.ports import Attempt, Clock


class JobLog:
    """Collects outcomes and steps of one job until they make an `Attempt`."""

    __slots__ = ("changes", "job", "ours", "outcomes", "started", "started_at", "steps", "taken")

    def __init__(self, job: LeasedDelivery) -> None:
        self.job = job
        self.outcomes: dict[int, Outcome] = {}
        self.steps: list[Step] = []
        self.taken: RouteTaken | None = None
        self.started_at = 0.0
        self.started = 0.0  # monotonic
        self.changes: tuple[Change, ...] = ()  # to be committed with the outcomes
        self.ours = False  # failed by a fault of this machine

    def begin(self, wall: float, monotonic: float) -> None:
        """Set the start, the first time."""
        if not self.started_at:
            self.started_at = wall
            self.started = monotonic

    def step(self, monotonic: float, what: str, text: str) -> None:
        """Note what happened."""
        if "\n" in text:
            text = text.replace("\n", " / ")
        self.steps.append(Step(round(monotonic - self.started, 6), what, text))

    def add(self, started: float, steps: Sequence[Step]) -> None:
        """Note the steps of something that was begun at `started` (monotonic), but no look-up again."""
        known = {step.text for step in self.steps if step.what == "lookup"}
        later = started - self.started
        for each in steps:
            if each.what != "lookup" or each.text not in known:
                self.steps.append(Step(round(each.seconds + later, 6), each.what, each.text))

    def attempt(self, ended_at: float) -> Attempt:
        """Return the outcome of every delivery, in order."""
        outcomes = self.outcomes
        return Attempt(
            self.started_at or ended_at,
            ended_at,
            tuple([(d.ordinal, outcomes[d.ordinal]) for d in self.job.deliveries]),
            self.taken,
            tuple(self.steps),
            self.changes,
            self.ours,
        )


class Transaction:
    """Some recipients of one job, to be sent in one go.

    `begun` while MAIL has been said; `retried` once it was moved to a fresh connection.
    """

    __slots__ = (
        "accepted",
        "begun",
        "deliveries",
        "log",
        "mail_accepted",
        "mail_refusal",
        "piece",
        "postponed",
        "problem",
        "recipients",
        "retried",
    )

    def __init__(self, log: JobLog, deliveries: Sequence[Delivery]) -> None:
        self.log = log
        self.deliveries = deliveries
        self.recipients = [Recipient(d.recipient, d.notify, d.orcpt) for d in deliveries]
        self.retried = False
        self.begun = False
        self.piece: bytes | None = None  # the content or its first piece, once it was read
        self.problem = ""  # why it cannot be read
        self.mail_accepted = False
        self.mail_refusal: Reply | None = None
        self.accepted: list[int] = []
        self.postponed: list[int] = []

    def clear(self) -> None:
        """Forget what was answered: it is tried anew."""
        self.begun = False
        self.mail_accepted = False
        self.mail_refusal = None
        self.accepted = []
        self.postponed = []

    def rcpt(self, index: int, reply: Reply, clock: Clock) -> None:
        """Take the answer to one RCPT."""
        if reply.positive:
            self.accepted.append(index)
            return
        delivery = self.deliveries[index]
        self.log.step(clock.monotonic(), "rcpt", f"<{delivery.recipient}>: {reply}")
        if self.accepted and reply.code == 452 and reply.enhanced in ("", "4.5.3"):
            # RFC 5321 §4.5.3.1.10: too many for one transaction, not wrong. Since some were taken,
            # the rest, sent again, makes progress.
            self.postponed.append(index)
            return
        self.log.outcomes[delivery.ordinal] = outcome_of(reply)

    def settle(self, outcome: Outcome) -> None:
        """Give `outcome` to all who have none yet, except those postponed."""
        outcomes = self.log.outcomes
        postponed = self.postponed
        for index, delivery in enumerate(self.deliveries):
            if delivery.ordinal not in outcomes and index not in postponed:
                outcomes[delivery.ordinal] = outcome

    def settle_one(self, index: int, outcome: Outcome) -> None:
        """Give `outcome` to the recipient at `index` (LMTP, RFC 2033 §4.2)."""
        self.log.outcomes[self.deliveries[index].ordinal] = outcome

    def rest(self) -> "Transaction":
        """Return a transaction for those `postponed`, who were too many for this one."""
        rest = Transaction(self.log, [self.deliveries[index] for index in self.postponed])
        rest.piece = self.piece
        return rest


def split(log: JobLog, most: int) -> list[Transaction]:
    """Part a job's recipients into transactions of at most `most`."""
    deliveries = log.job.deliveries
    if len(deliveries) <= most:
        return [Transaction(log, deliveries)]
    return [
        Transaction(log, deliveries[start : start + most])
        for start in range(0, len(deliveries), most)
    ]
