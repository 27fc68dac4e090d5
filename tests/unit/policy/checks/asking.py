"""Stages for the tests of checks, and one check asked by itself."""

from postroad.model import Address, Envelope, Origin, ServerKind
from postroad.policy import (
    Accept,
    Check,
    Connected,
    Decision,
    MailFrom,
    Policy,
    RcptTo,
    Stage,
    Verdict,
)
from postroad.policy.checks.strangers import Strangers

ALL = Strangers()
ANN = Address.parse("ann@sender.test")
BOB = Address.parse("bob@us.test")


def origin(
    client: str = "192.0.2.1",
    *,
    account: str | None = None,
    helo: str = "mx.sender.test",
    server: ServerKind = ServerKind.MX,
) -> Origin:
    return Origin(server, client=client, helo=helo, account=account)


def connected(client: str = "192.0.2.1") -> Connected:
    return Connected(origin(client))


def mail_from(given: Origin | None = None, sender: Address | None = ANN) -> MailFrom:
    return MailFrom(given or origin(), Envelope(sender))


def rcpt_to(
    given: Origin | None = None,
    recipient: Address = BOB,
    sender: Address | None = ANN,
    *facts: object,
) -> RcptTo:
    return RcptTo(given or origin(), Envelope(sender), recipient, facts=facts)


async def decide(stage: Stage, *checks: Check) -> Decision:
    return await Policy(checks).ask(stage)


async def verdict(stage: Stage, *checks: Check) -> Verdict:
    return (await decide(stage, *checks)).verdict


async def passes(stage: Stage, *checks: Check) -> bool:
    return isinstance(await verdict(stage, *checks), Accept)
