"""SPF at MAIL: may this client send for this domain (RFC 7208)?"""

from postroad.model import Reply
from postroad.policy.checks.recognition import Recognition, SpfFailure, client_address
from postroad.policy.runner import Check, check
from postroad.policy.stages import MailFrom
from postroad.policy.verdict import ACCEPT, Accept, Quarantine, Reject, Verdict
from postroad.ports import Clock, Resolver
from postroad.trust.spf import SpfCheck, SpfResult, check_spf


def recognise_client(settings: Recognition, resolver: Resolver, clock: Clock) -> Check:
    """Check the sender's domain, that of HELO for the null sender (RFC 7208 §2.4).

    The fact is a `SpfCheck`. Look-ups end after `spf_seconds` with temperror.
    """

    @check(stage=MailFrom, name="spf")
    async def spf(stage: MailFrom) -> Verdict:
        origin = stage.origin
        if not settings.concerns(origin):
            return ACCEPT
        end = clock.monotonic() + settings.spf_seconds
        found = await check_spf(
            resolver,
            ip=client_address(origin),
            helo=origin.helo,
            sender=stage.envelope.sender,
            receiver=settings.authserv_id,
            at=clock.now(),
            expired=lambda: clock.monotonic() > end,
        )
        return _judge(settings, found)

    return spf


def _judge(settings: Recognition, found: SpfCheck) -> Verdict:
    reason = f"{found.result.value}: {found.reason}"
    if found.result is SpfResult.FAIL and settings.spf_failure is not SpfFailure.ACCEPT:
        if settings.spf_failure is SpfFailure.QUARANTINE:
            return Quarantine(reason, fact=found)
        text = f"SPF: {found.ip} may not send for {found.domain}"
        return Reject(Reply(550, "5.7.1", text), reason, found)
    return Accept(reason, fact=found)
