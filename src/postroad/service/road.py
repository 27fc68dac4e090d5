"""The road of a message: what happened to it, step by step, for those whose mail it is.

A person sees the roads of messages in their own mailboxes and of those that they sent, and of each only
their part: who received a message sees nothing of other recipients, who sent it nothing of what others
do with it in mailboxes here.
"""

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from postroad.message.header import header_end
from postroad.message.mime import MimeMessage
from postroad.model import (
    SEEN_BIT,
    Accepted,
    Account,
    Attempted,
    Bounced,
    Change,
    Delivered,
    Delivery,
    DeliveryState,
    Deposited,
    Message,
    Opened,
    PermanentFailure,
    RouteKind,
    ServerKind,
    TemporaryFailure,
    Unknown,
)
from postroad.ports import Email, EmailBytes, JourneyStore
from postroad.service.jmap.blobs import Blob, read_raw
from postroad.service.jmap.desk import Context, Desk
from postroad.service.jmap.ids import Kind
from postroad.service.links import rule_words
from postroad.service.road_shapes import Attempt, Branch, Line, Road, Stage
from postroad.service.trusted import UNKNOWN, Trust, trust_of, version_of
from postroad.trust.findings import read_findings

MAX_HEADER_OCTETS = 256 * 1024
_SERVERS = {
    ServerKind.SUBMISSION: "with a mail program or the web app",
    ServerKind.API: "from the web or by a program",
    ServerKind.LOCAL: "by a program on the server",
    ServerKind.DSN: "by the server itself",
}


class Roads:
    """Tells roads. `authserv_id` is the name in Authentication-Results of ours."""

    def __init__(self, desk: Desk, journey: JourneyStore, authserv_id: str) -> None:
        self._desk = desk
        self._journey = journey
        self._authserv_id = authserv_id

    async def of(self, account: Account, email: str, *, dialogue: bool = False) -> Road | None:
        """Return the road of an email, None where the account has none of that id. `dialogue`: with all
        that was said on the way. Raises `MethodError`, `StorageError`.
        """
        context = Context(self._desk, account, {})
        number = context.read(Kind.EMAIL, email)
        if number is None:
            return None
        await self._desk.noticing.catch_up(account.id)
        stored = await self._desk.emails.bytes_of(account.id, [number])
        emails = await self._desk.emails.emails(account.id, [number])
        if not stored or not emails:
            return None
        sent = [
            each.message
            for each in await self._desk.emails.submissions(account.id)
            if each.email == number
        ]
        if sent:
            return await self._sent(email, sent[0], dialogue)
        return await self._received(context, email, stored[0], emails[0])

    async def _sent(self, email: str, number: int, dialogue: bool) -> Road | None:
        message = await self._desk.queue.message(number)
        if message is None:
            return None
        deliveries = await self._desk.queue.deliveries(number)
        changes = [each.change for each in await self._journey.events(number)]
        trust = trust_of(message.origin, (), _author(message))
        branches = tuple(branch_of(message, each, changes, dialogue) for each in deliveries)
        done = all(each.state.final for each in deliveries)
        return Road(email, "sent", done, trust, timed(sent_stages(message, deliveries)), branches)

    async def _received(
        self, context: Context, email: str, stored: EmailBytes, seen: Email
    ) -> Road:
        message = await self._desk.queue.message(stored.message) if stored.message else None
        if message is None:
            brought = (
                Stage("stored", "Put here", "by you or a program of yours", seen.received_at),
            )
            return Road(email, "received", True, UNKNOWN, brought)
        changes = [each.change for each in await self._journey.events(message.id)]
        own = {
            each.ordinal
            for each in await self._desk.queue.deliveries(message.id)
            if each.mailbox == context.account.inbox
        }
        trust = await self._recognise(context, message, stored)
        stages = received_stages(message, changes, own, trust, bool(seen.flags & SEEN_BIT))
        return Road(email, "received", True, trust, timed(stages))

    async def _recognise(self, context: Context, message: Message, stored: EmailBytes) -> Trust:
        """Return who it is from, by our own findings in its header."""
        blob = Blob(stored.prefix, stored.content, stored.size)
        raw = await read_raw(context, blob, 0, min(stored.size, MAX_HEADER_OCTETS))
        end = header_end(raw)
        mime = MimeMessage(raw[:end] if end >= 0 else raw)
        values = [value for name, value in mime.fields() if name == "authentication-results"]
        outside = message.origin.server in (ServerKind.MX, ServerKind.LMTP)
        findings = read_findings(values, self._authserv_id) if outside else ()
        authors = mime.addresses("from")
        author = authors[0].address.rpartition("@")[2].lower() if authors else ""
        return trust_of(message.origin, findings, author)


def received_stages(
    message: Message,
    changes: Iterable[Change],
    own: set[int],
    trust: Trust,
    is_read: bool,
) -> list[Stage]:
    """Return the steps of a message to one of the accounts here, whose deliveries are `own`."""
    origin = message.origin
    stages = []
    changes = list(changes)
    for change in changes:
        if not isinstance(change, Accepted):
            continue
        if origin.account or origin.server is not ServerKind.MX:
            how = _SERVERS.get(origin.server, "")
            stages.append(Stage("submitted", "Submitted", how, message.accepted_at))
        else:
            first = min((each.at for each in change.rulings), default=message.accepted_at)
            place = f"{origin.helo or 'a server'} [{origin.client}]"
            link = f"encrypted, {version_of(origin.tls)}" if origin.tls else "not encrypted"
            stages.append(Stage("connected", "A server brought it", f"{place}, {link}", first))
            lines = tuple(
                f"{each.check}: {each.kind.value}{f', {each.reason}' if each.reason else ''}"
                for each in change.rulings
                if not each.dry_run
            )
            last = max((each.at + each.seconds for each in change.rulings), default=None)
            stages.append(Stage("recognised", "Looked at", trust.title, last, lines=lines))
        text = "kept on stable storage before the sender was told so"
        stages.append(Stage("accepted", "Accepted", text, message.accepted_at))
        stages += [
            _split(each, message.accepted_at) for each in change.deliveries if each.ordinal in own
        ]
    for change in changes:
        if isinstance(change, Deposited) and change.ordinal in own:
            text = f"{change.size:,} octets".replace(",", " ")
            stages.append(Stage("stored", "In your mailbox", text, change.at))
    state = "done" if is_read else "next"
    stages.append(Stage("read", "Read" if is_read else "Not read yet", state=state))
    return stages


def sent_stages(message: Message, deliveries: Sequence[Delivery]) -> list[Stage]:
    """Return the steps that all copies of a message share."""
    how = _SERVERS.get(message.origin.server, "")
    link = ""
    if message.origin.tls:
        link = f"{', ' if how else ''}over an encrypted link"
    stages = [
        Stage("submitted", "You sent it", how + link, message.accepted_at),
        Stage(
            "accepted",
            "Accepted",
            "kept on stable storage: it cannot be lost any more",
            message.accepted_at,
        ),
    ]
    if message.release_at > message.accepted_at:
        stages.append(Stage("waiting", "Kept until its time", "as you asked", message.release_at))
    count = len(deliveries)
    text = "one recipient" if count == 1 else f"{count} recipients, each on a road of its own"
    stages.append(Stage("split", "Addresses taken apart", text, message.accepted_at))
    return stages


def branch_of(
    message: Message, delivery: Delivery, changes: Iterable[Change], dialogue: bool
) -> Branch:
    """Return the road of one recipient's copy."""
    stages = [_split(delivery, message.accepted_at)]
    attempts = []
    read = None
    back = None
    for change in changes:
        if isinstance(change, Attempted):
            result = next((r for r in change.results if r.ordinal == delivery.ordinal), None)
            if result is not None and delivery.mailbox is None:
                attempts.append(_attempt(change, result.outcome, dialogue))
                stages += _steps(change, result.outcome, attempts[-1])
        elif isinstance(change, Deposited) and change.ordinal == delivery.ordinal:
            stages.append(Stage("stored", "In the mailbox", "here, on this server", change.at))
        elif isinstance(change, Opened) and change.ordinal == delivery.ordinal and read is None:
            read = Stage("read", "Opened", "a picture in it was looked at", change.at)
        elif isinstance(change, Bounced) and change.ordinal == delivery.ordinal and change.failed:
            back = Stage("back", "Came back", _back(change), change.at, state="failed")
    state, words = _standing(delivery)
    if not delivery.state.final:
        due = delivery.due_at if delivery.due_at > message.accepted_at else None
        stages.append(Stage("waiting", words, at=due, state=state))
    elif delivery.state in (DeliveryState.EXPIRED, DeliveryState.DROPPED):
        stages.append(Stage("handed", words, state="failed"))
    stages += [each for each in (read, back) if each is not None]
    previous = Stage("split", "", "", message.accepted_at)
    return Branch(
        str(delivery.recipient),
        delivery.state.value,
        "Came back" if back else words,
        timed((previous, *stages))[1:],
        tuple(attempts),
    )


def timed(stages: Iterable[Stage]) -> tuple[Stage, ...]:
    """Return the steps with the time since the step before, where both are known."""
    found: list[Stage] = []
    before: float | None = None
    for stage in stages:
        at = stage.at
        if at is None:
            found.append(stage)
            continue
        passed = None
        if before is not None and stage.state != "next":
            passed = round(max(0.0, at - before), 6)
        found.append(replace(stage, seconds=passed))
        before = at if before is None else max(before, at)
    return tuple(found)


def _split(delivery: Delivery, at: float) -> Stage:
    address = delivery.recipient
    place = "a mailbox here"
    if delivery.mailbox is None:
        place = f"the mail servers of {address.domain}"
    text = f"{address.local_part} at {address.domain}: {place}"
    if delivery.original != address:
        text += f" (written to {delivery.original})"
    return Stage("split", "Address taken apart", text, at)


def _steps(change: Attempted, outcome: object, attempt: Attempt) -> list[Stage]:
    """The steps of one attempt: names looked up, connected, handed over or not."""
    lookups = [each for each in change.steps if each.what == "lookup"]
    stages = []
    if lookups:
        lines = tuple(each.text for each in lookups)
        at = change.started_at + lookups[0].seconds
        stages.append(Stage("dns", "Way looked up", "in the DNS", at, lines=lines))
    if attempt.host and attempt.encrypted is None:
        text = f"{attempt.host} [{attempt.address}]"
        stages.append(Stage("connected", "Not reached", text, change.at, state="late"))
    elif attempt.host:
        links = [each for each in change.steps if each.what in ("connect", "tls")]
        at = change.started_at + (links[-1].seconds if links else 0.0)
        link = attempt.tls and f"encrypted, {attempt.tls}"
        if link and attempt.verified:
            link += ", its server proved who it is"
        text = f"{attempt.host} [{attempt.address}], {link or 'not encrypted'}"
        lines = (attempt.rule,) if attempt.rule else ()
        stages.append(Stage("connected", "Connected", text, at, lines=lines))
    titles = {
        Delivered: ("Handed over", "done"),
        TemporaryFailure: ("Not taken yet", "late"),
        PermanentFailure: ("Refused", "failed"),
        Unknown: ("Handed over, perhaps", "late"),
    }
    title, state = titles[type(outcome)]  # type: ignore[index]
    stages.append(Stage("handed", title, attempt.reply, change.at, state=state))
    return stages


def _attempt(change: Attempted, outcome: object, dialogue: bool) -> Attempt:
    taken = change.taken
    has_link = taken is not None and bool(taken.address) and taken.kind is not RouteKind.LOCAL
    # Of a server that could not be connected to, only the try was noted.
    reached = has_link and (
        isinstance(outcome, Delivered)
        or (taken is not None and (taken.reused or taken.tls is not None))
        or any(each.what == "connect" and " from " in each.text for each in change.steps)
    )
    ended = type(outcome).__name__.lower()
    lines = tuple(Line(each.seconds, each.what, each.text) for each in change.steps)
    return Attempt(
        at=change.started_at,
        seconds=round(change.at - change.started_at, 6),
        host=taken.host if taken is not None and has_link else "",
        address=taken.address if taken is not None and has_link else "",
        encrypted=taken.tls is not None if taken is not None and reached else None,
        tls=version_of(taken.tls) if taken is not None and taken.tls else "",
        rule=rule_words(taken.policy) if taken is not None and taken.policy else "",
        verified=taken.verified if taken is not None else "",
        reply=str(getattr(outcome, "reply", "")),
        ended=ended,
        dialogue=lines if dialogue else None,
    )


def _standing(delivery: Delivery) -> tuple[str, str]:
    words = {
        DeliveryState.DUE: ("next", "Waits for its next try" if delivery.attempts else "Waits"),
        DeliveryState.LEASED: ("now", "On its way"),
        DeliveryState.HELD: ("now", "Stopped by an operator"),
        DeliveryState.DELIVERED: ("done", "Delivered"),
        DeliveryState.BOUNCED: ("failed", "Refused"),
        DeliveryState.EXPIRED: ("failed", "Given up"),
        DeliveryState.DROPPED: ("failed", "Cancelled"),
    }
    return words[delivery.state]


def _back(change: Bounced) -> str:
    return str(change.reply) if change.reply is not None else "a server reports that it failed"


def _author(message: Message) -> str:
    sender = message.envelope.sender
    return "" if sender is None else sender.domain
