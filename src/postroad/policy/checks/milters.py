"""Milters (opendkim, amavisd, others' own): asked about a whole message when it is here.

A milter was made to be asked while the client still speaks. Here it is told all of that at once, at the
end: what it refuses is refused then, for all recipients, also where it minds but one of them. It cannot
change what is stored or who gets it: what it wants to add is put on top, what it wants to change is told
in the journey and not done. Mail that it would discard goes into Junk: nothing is dropped in silence.
"""

import re
from collections.abc import Callable

from postroad.message.header import Header
from postroad.message.newfield import NewField
from postroad.model import Reply, ServerKind, format_id
from postroad.policy.checks.clients import ClientName, confirmed_name
from postroad.policy.checks.scanners import Scanner, WholeMessage, ask, printed, reader, unasked
from postroad.policy.checks.strangers import Strangers
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Accept, Defer, Quarantine, Reject, Verdict
from postroad.ports import Clock, Network, Stream
from postroad.wire.scan import ScanFailed
from postroad.wire.scan.milter import (
    Answer,
    Milter,
    Outcome,
    PacketReader,
    Told,
    negotiation,
    packet,
)

_REPLY = re.compile(r"([45]\d\d)[ -]([45]\.\d{1,3}\.\d{1,3})?[ ]?([^\r\n]*)")
_UNSAID = "It did not say why"


class _ForMilters(WholeMessage):
    """What milters are shown."""


def milter_check(
    name: str,
    where: Scanner,
    hostname: str,
    strangers: Strangers,
    network: Network,
    clock: Clock,
) -> Check:
    """Do what a milter says. `name` is that of the check, `hostname` ours."""

    @check(stage=MessageReceived, name=name, reads=reader(_ForMilters, where, strangers))
    async def milter(stage: MessageReceived) -> Verdict:
        message = stage.reading(_ForMilters)
        if message is None:
            return ACCEPT
        if message.too_large:
            return Accept(f"not asked: larger than {where.max_octets} octets")
        told = _told(stage, message, hostname)

        async def talk(stream: Stream, time_left: Callable[[], float]) -> Answer:
            return await _talk(stream, time_left, told)

        try:
            return _verdict(await ask(where, network, clock, talk))
        except ScanFailed as error:
            return unasked(name, where, error)

    return milter


async def _talk(stream: Stream, time_left: Callable[[], float], told: Told) -> Answer:
    machine, packets = Milter(), PacketReader()

    async def next_packet() -> tuple[str, bytes]:
        while (found := packets.next()) is None:
            packets.feed(await stream.receive(time_left()))
        return found

    await stream.send(negotiation(), time_left())
    machine.agree(*await next_packet())
    for step in machine.steps(told):
        await stream.send(step.octets, time_left())
        if step.answered:
            while not machine.take(*await next_packet()):
                pass
    await stream.send(packet("Q"), time_left())
    return machine.answer


def _told(stage: MessageReceived, message: WholeMessage, hostname: str) -> Told:
    origin, envelope = stage.origin, stage.envelope
    macros = [("j", hostname), ("{daemon_name}", hostname), ("i", format_id(stage.id))]
    if origin.account and origin.server is ServerKind.SUBMISSION:
        macros += [("{auth_authen}", origin.account), ("{auth_type}", "SASL")]
    if origin.tls:
        macros.append(("{tls_version}", origin.tls.partition(" ")[0]))
    return Told(
        client=origin.client.partition("%")[0],
        name=confirmed_name(stage.fact(ClientName)),
        helo=origin.helo,
        sender="" if envelope.sender is None else str(envelope.sender),
        recipients=[str(each.address) for each in envelope.recipients],
        fields=[
            (field.name.encode("ascii"), field.raw.partition(b":")[2].rstrip(b"\r\n"))
            for field in Header.parse(stage.added + stage.head).fields
            if field.name
        ],
        body=message.pieces[1:],
        macros=macros,
    )


def _verdict(answer: Answer) -> Verdict:
    reasons = [f"asked to {each}, which is not done" for each in answer.not_done[:5]]
    try:
        headers = tuple(_field(name, value) for name, value in answer.headers)
    except ValueError as error:
        raise ScanFailed(f"a header field that cannot be added: {error}") from None
    match answer.outcome:
        case Outcome.REJECT:
            return Reject(Reply(550, "5.7.1", "This message is not wanted here"), _UNSAID)
        case Outcome.DEFER:
            return Defer(Reply(451, "4.7.1", "Try again later"), _UNSAID)
        case Outcome.REPLY:
            return _replied(answer.reply)
        case Outcome.FAILED:
            raise ScanFailed("it gave up")
        case Outcome.DISCARD:
            return Quarantine("; ".join(["asked to drop it", *reasons]), headers)
    if answer.quarantine is not None:
        return Quarantine("; ".join([printed(answer.quarantine), *reasons]), headers)
    return Accept("; ".join(reasons), headers) if reasons or headers else ACCEPT


def _replied(text: str) -> Verdict:
    """The words of the milter, with its codes as far as they fit each other."""
    match = _REPLY.fullmatch(text.split("\r\n", 1)[0].split("\n", 1)[0].rstrip())
    if match is None:
        raise ScanFailed(f"a reply that is none: {printed(text)[:80]}")
    code, enhanced, words = int(match[1]), match[2] or "", printed(match[3])[:400]
    if enhanced[:1] != match[1][0]:
        enhanced = f"{match[1][0]}.7.1"
    reply = Reply(code, enhanced, words or _UNSAID)
    return Reject(reply) if code >= 500 else Defer(reply)


def _field(name: str, value: str) -> NewField:
    """Folds come as bare LF."""
    lines = value.replace("\r\n", "\n").rstrip("\n").split("\n")
    return NewField(name, "\r\n".join(lines).lstrip(" "))
