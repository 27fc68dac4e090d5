"""Messages that are handed in whole, for all recipients or none: what the HTTP API does.

They go the way that mail by SMTP goes: the same checks at the same stages, the same intake.
"""

from collections.abc import Sequence

from msgspec import Struct

from postroad.model import Address, Body, Envelope, Origin, Recipient, Reply
from postroad.policy import NOTHING, Connected, Decision, MailFrom, Policy, RcptTo
from postroad.service.intake import Intake
from postroad.service.once import TakenOnce, taken_once
from postroad.service.recipients import Accepted
from postroad.service.wishes import NO_WISHES, Wishes


class Posting(Struct, frozen=True):
    """A whole message with CRLF line ends. `plain` vouches for it, see `ContentRef.plain`."""

    sender: Address | None
    recipients: tuple[Address, ...]
    data: bytes
    origin: Origin
    wishes: Wishes = NO_WISHES
    plain: bool = False


class NotTaken(Exception):
    """Nothing of it was taken. `replies` are what SMTP would have said: of the whole, under -1, or of
    recipients by their places. `earlier` is there where it is that the idempotency key was used for
    something else: what for.
    """

    def __init__(
        self, replies: Sequence[tuple[int, Reply]], earlier: TakenOnce | None = None
    ) -> None:
        super().__init__("; ".join(str(reply) for _, reply in replies))
        self.replies = tuple(replies)
        self.earlier = earlier


_WHOLE = -1


class Postings:
    """Takes them in by the intake."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def take(self, posting: Posting) -> TakenOnce:
        """Take a message (several where each recipient has a copy); it is on stable storage then. Where
        its idempotency key was used before, return what was said then. Raises `NotTaken`.
        """
        intake = self._intake
        accepted, decision = await self._resolve(posting)
        utf8 = not all(address.is_ascii for address in posting.recipients) or (
            posting.sender is not None and not posting.sender.is_ascii
        )
        envelope = Envelope(
            posting.sender,
            tuple(each.recipient for each in accepted),
            body=Body.SEVEN_BIT if posting.data.isascii() else Body.EIGHT_BIT_MIME,
            smtputf8=utf8,
        )
        incoming = intake.begin(envelope, accepted, posting.origin, decision, posting.wishes)
        try:
            incoming.write(posting.data)
        except BaseException:
            incoming.discard()
            raise
        reply = await incoming.finish(plain=posting.plain)
        earlier = None if incoming.kept is None else taken_once(incoming.kept)
        if reply.code != 250:
            raise NotTaken([(_WHOLE, reply)], earlier)
        return earlier or TakenOnce.of(incoming.messages)

    async def _resolve(self, posting: Posting) -> tuple[list[Accepted], Decision]:
        """Ask what SMTP asks at the stages before DATA. Raises `NotTaken`."""
        intake, origin = self._intake, posting.origin
        policy = intake.policy.of(origin.server)
        decision = NOTHING
        envelope = Envelope(posting.sender)
        if policy.has(Connected):
            decision = _passed(await policy.ask(Connected(origin)))
        if policy.has(MailFrom):
            stage = MailFrom(origin, envelope, facts=decision.facts)
            decision = decision.plus(_passed(await policy.ask(stage)))
        accepted: list[Accepted] = []
        refused: list[tuple[int, Reply]] = []
        asks = policy.has(RcptTo)
        resolve, remembered = intake.recipients.resolve, intake.recipients.remembered
        for place, address in enumerate(posting.recipients):
            targets = remembered(address) or await resolve(address)
            if isinstance(targets, Reply):
                refused.append((place, targets))
                continue
            if intake.quotas.active:
                full = await intake.too_much(targets, len(posting.data))
                if full is not None:
                    refused.append((place, full))
                    continue
            taken = Accepted(Recipient(address), targets)
            if asks:
                ruled = await self._rcpt(policy, posting, address, decision, taken)
                if isinstance(ruled, Reply):
                    refused.append((place, ruled))
                    continue
                taken, decision = ruled
            accepted.append(taken)
        if refused:
            raise NotTaken(refused)
        return accepted, decision

    async def _rcpt(
        self,
        policy: Policy,
        posting: Posting,
        address: Address,
        before: Decision,
        taken: Accepted,
    ) -> tuple[Accepted, Decision] | Reply:
        origin = posting.origin
        stage = RcptTo(origin, Envelope(posting.sender), address, facts=before.facts)
        decision = await policy.ask(stage)
        if decision.refused is not None:
            return decision.refused.reply
        if decision.quarantined:
            taken = Accepted(taken.recipient, taken.targets, True)
            reply = self._intake.refuses(taken, origin)
            if reply is not None:
                return reply
        return taken, before.plus(decision.without_verdict())


def _passed(decision: Decision) -> Decision:
    if decision.refused is not None:
        raise NotTaken([(_WHOLE, decision.refused.reply)])
    return decision
