"""Programs beside us that judge whole messages: rspamd and ClamAV.

The message is kept in memory for them while it arrives (the pieces are those that go to the store, not
copied), up to a limit; larger ones are not shown to them, and the journey says so. Where a scanner
cannot be reached or says nothing sensible, mail is deferred, or goes on if so configured.
"""

import asyncio
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import TypeVar

import structlog
from msgspec import Struct

from postroad.model import Reply, ServerKind, format_id
from postroad.policy.checks.clients import ClientName, confirmed_name
from postroad.policy.checks.strangers import Action, Strangers, act
from postroad.policy.reading import MessageBegun
from postroad.policy.runner import Check, check
from postroad.policy.stages import MessageReceived
from postroad.policy.verdict import ACCEPT, Accept, Defer, Quarantine, Reject, Verdict
from postroad.ports import Clock, ConnectFailed, Network, Stream
from postroad.wire.scan import (
    HttpAnswer,
    RspamdAnswer,
    ScanFailed,
    checkv2,
    instream,
    read_clamav,
    read_rspamd,
)
from postroad.wire.scan.clamav import MAX_ANSWER_OCTETS

log = structlog.get_logger("postroad.policy")

_MAX_RECIPIENTS = 100

T = TypeVar("T")


class OnFailure(Enum):
    """What follows where a scanner cannot be asked."""

    DEFER = "defer"
    ACCEPT = "accept"


class Scanner(Struct, frozen=True):
    """Where a scanner listens (an IP address, or a path of a UNIX socket), how long it may take, and up
    to what size it is asked.

    `action` is for what ClamAV finds; `password` is rspamd's, if it wants one.
    """

    host: str
    port: int
    seconds: float = 20.0
    max_octets: int = 5 * 2**20
    failure: OnFailure = OnFailure.DEFER
    action: Action = Action.REJECT
    password: str = ""

    def __str__(self) -> str:
        if self.host.startswith("/"):
            return self.host
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class WholeMessage:
    """Keeps the pieces of a message, as long as it is not too large."""

    def __init__(self, head: bytes, max_octets: int) -> None:
        self.pieces: list[bytes] = [head]
        self.octets = len(head)
        self._max_octets = max_octets

    def write(self, chunk: bytes) -> None:
        """Take the next octets of the body."""
        self.octets += len(chunk)
        if self.too_large:
            self.pieces.clear()
        else:
            self.pieces.append(chunk)

    @property
    def too_large(self) -> bool:
        """Whether it is larger than the scanner is to be shown."""
        return self.octets > self._max_octets


class _ForRspamd(WholeMessage):
    """What rspamd is shown."""


class _ForClamav(WholeMessage):
    """What ClamAV is shown."""


def rspamd_check(scanner: Scanner, strangers: Strangers, network: Network, clock: Clock) -> Check:
    """Do what rspamd says: reject, defer, or put into Junk what it would mark."""

    @check(stage=MessageReceived, name="rspamd", reads=reader(_ForRspamd, scanner, strangers))
    async def rspamd(stage: MessageReceived) -> Verdict:
        message = stage.reading(_ForRspamd)
        if message is None:
            return ACCEPT
        if message.too_large:
            return Accept(f"not asked: larger than {scanner.max_octets} octets")
        fields = _known(stage)
        if scanner.password:
            fields.append(("Password", scanner.password))

        async def talk(stream: Stream, time_left: Callable[[], float]) -> RspamdAnswer:
            await stream.send(checkv2(fields, message.octets, str(scanner)), time_left())
            for piece in message.pieces:
                await stream.send(piece, time_left())
            answer = HttpAnswer()
            while not answer.complete:
                answer.feed(await stream.receive(time_left()))
            return read_rspamd(answer.body())

        try:
            return _rspamd_verdict(await ask(scanner, network, clock, talk))
        except ScanFailed as error:
            return unasked("rspamd", scanner, error)

    return rspamd


def clamav_check(scanner: Scanner, strangers: Strangers, network: Network, clock: Clock) -> Check:
    """Refuse, or put into Junk, what ClamAV finds something in."""

    @check(stage=MessageReceived, name="clamav", reads=reader(_ForClamav, scanner, strangers))
    async def clamav(stage: MessageReceived) -> Verdict:
        message = stage.reading(_ForClamav)
        if message is None:
            return ACCEPT
        if message.too_large:
            return Accept(f"not asked: larger than {scanner.max_octets} octets")

        async def talk(stream: Stream, time_left: Callable[[], float]) -> str:
            for piece in instream(message.pieces):
                await stream.send(piece, time_left())
            answer = b""
            while b"\0" not in answer:
                data = await stream.receive(time_left())
                answer += data
                if not data or len(answer) > MAX_ANSWER_OCTETS:
                    break
            return read_clamav(answer).found

        try:
            found = await ask(scanner, network, clock, talk)
        except ScanFailed as error:
            return unasked("clamav", scanner, error)
        if not found:
            return ACCEPT
        reply = Reply(550, "5.7.1", f"Malware found: {printed(found)}")
        return act(scanner.action, reply, f"found {found}")

    return clamav


def reader(
    kind: type[WholeMessage], scanner: Scanner, strangers: Strangers
) -> Callable[[MessageBegun], WholeMessage | None]:
    """Return what keeps messages for a scanner, except those of exempt clients."""

    def read(begun: MessageBegun) -> WholeMessage | None:
        if strangers.exempts(begun.origin.client):
            return None
        return kind(begun.added + begun.head, scanner.max_octets)

    return read


async def ask(
    scanner: Scanner,
    network: Network,
    clock: Clock,
    talk: Callable[[Stream, Callable[[], float]], Awaitable[T]],
) -> T:
    """Connect, talk, close, in a task, for connecting needs one (see `policy.eager`).

    Raises `ScanFailed` for whatever goes wrong, the time being over too.
    """
    return await asyncio.ensure_future(_in_task(scanner, network, clock, talk))


async def _in_task(
    scanner: Scanner,
    network: Network,
    clock: Clock,
    talk: Callable[[Stream, Callable[[], float]], Awaitable[T]],
) -> T:
    end = clock.monotonic() + scanner.seconds

    def time_left() -> float:
        left = end - clock.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    try:
        stream = await network.connect(scanner.host, scanner.port, timeout=time_left())
        try:
            return await talk(stream, time_left)
        finally:
            stream.close()
    except ConnectFailed as error:
        raise ScanFailed(error.reason) from None
    except TimeoutError:
        raise ScanFailed(f"no answer in {scanner.seconds:g} s") from None


def _known(stage: MessageReceived) -> list[tuple[str, str]]:
    """What rspamd is told of the envelope."""
    origin, envelope = stage.origin, stage.envelope
    sender = envelope.sender
    return [
        ("IP", origin.client.partition("%")[0]),
        ("Helo", origin.helo),
        ("Hostname", confirmed_name(stage.fact(ClientName))),
        ("From", str(sender) if sender is not None else "<>"),
        *(("Rcpt", str(each.address)) for each in envelope.recipients[:_MAX_RECIPIENTS]),
        ("User", (origin.account or "") if origin.server is ServerKind.SUBMISSION else ""),
        ("Queue-Id", format_id(stage.id)),
    ]


def _rspamd_verdict(found: RspamdAnswer) -> Verdict:
    reason = f"{found.action}, {found.score:.2f} of {found.required:.2f}"
    if found.symbols:
        reason += f": {' '.join(found.symbols)}"
    words = printed(found.message)
    match found.action:
        case "reject":
            return Reject(Reply(550, "5.7.1", words or "This looks like junk mail"), reason)
        case "soft reject" | "greylist":
            return Defer(Reply(451, "4.7.1", words or "Try again later"), reason)
        case "add header" | "rewrite subject":
            return Quarantine(reason)
        case "no action":
            return Accept(reason)
    return Accept(f"{reason} (an action that is not known here)")


def unasked(name: str, scanner: Scanner, error: ScanFailed) -> Verdict:
    """Return the verdict where a scanner said nothing that can be used."""
    reason = f"{name} at {scanner}: {error}"
    if scanner.failure is OnFailure.ACCEPT:
        return Accept(f"not checked: {reason}")
    log.error("a scanner cannot be asked; deferred", scanner=name, error=str(error))
    return Defer(Reply(451, "4.3.0", "A check failed here, try again later"), reason)


def printed(text: str) -> str:
    """Return a scanner's words as far as they fit into a reply."""
    return "".join(letter if " " <= letter <= "~" else "?" for letter in text)
