"""The seven promises, balanced against the book when all is quiet."""

import re
from collections import Counter

from postroad.message.dsn import Action
from postroad.model import (
    DEFAULT_STREAM,
    Accepted,
    Address,
    Attempted,
    Delivered,
    Delivery,
    DeliveryState,
    Dropped,
    Held,
    Message,
    Notify,
    Reply,
    Retried,
    ServerKind,
    Unknown,
    format_id,
    parse_id,
)
from postroad.queue import UnknownPolicy
from tests.sim.clients import Letter
from tests.sim.disk import _now
from tests.sim.server import Server
from tests.sim.sockets import HIGH_OCTETS
from tests.sim.system import CODES, CODES_SENDER, account_id
from tests.sim.world import World

_TRACE = re.compile(
    rb"(?:(?:Received|Date|Message-ID|Return-Path|Delivered-To):(?:[^\r\n]|\r\n[ \t])*\r\n)*", re.I
)
_FATES = re.compile(
    rb"Final-Recipient: (?:rfc822|utf-8); ([^\r\n]*(?:\r\n [^\r\n]*)*)\r\nAction: (\w+)", re.I
)
# What a transport takes before it says stop, and what may be written in one go.
_MOST_UNREAD_OCTETS = HIGH_OCTETS + 128 * 1024
_FAILED = (DeliveryState.BOUNCED, DeliveryState.EXPIRED)


def check(world: World) -> list[str]:
    """Return all broken promises."""
    for server in world.servers:
        _Audit(world, server).run()
    for letter in world.book.letters:
        _letter(world, letter)
    if world.network.most_unread > _MOST_UNREAD_OCTETS:
        world.book.complain(5, f"{world.network.most_unread} octets wait for a slow reader")
    return world.book.problems


class _Audit:
    """One system."""

    def __init__(self, world: World, server: Server) -> None:
        self.world = world
        self.book = world.book
        self.server = server
        self.name = server.hostname
        self.state = server.disk.store.state
        self.archive = server.disk.archive
        self.complain = world.book.complain
        self.fates: Counter[tuple[int, str, str]] = Counter()

    def run(self) -> None:
        self._reports()
        for (number, ordinal), queued in self.state.deliveries.items():
            message = self.state.messages[number]
            delivery = queued.delivery
            where = f"{self.name} {format_id(number)}/{ordinal} {delivery.recipient}"
            self._ended(where, message, delivery)
            self._told(where, message, delivery)
            self._policy(where, message, ordinal)
            if delivery.mailbox is None:
                self._takings(where, message, delivery)
            else:
                deposits = self.book.deposits[self.name, number, ordinal]
                wanted = delivery.state is DeliveryState.DELIVERED
                if deposits != wanted:
                    self.complain(3, f"{where}: {deposits} deposits, {delivery.state}")
        for number in self.state.messages:
            self._journey(number)
        self._mailboxes()

    def _reports(self) -> None:
        for message in self.state.messages.values():
            if message.about is None:
                continue
            about = self.state.messages[message.about]
            if about.envelope.sender is None:
                self.complain(2, f"{self.name}: a report about a message with the null sender")
            if message.envelope.sender is not None:
                self.complain(2, f"{self.name}: a report with a sender")
            for found in _FATES.finditer(self.archive[message.content.id]):
                recipient = found[1].replace(b"\r\n ", b" ").decode()
                self.fates[about.id, recipient, found[2].decode()] += 1

    def _ended(self, where: str, message: Message, delivery: Delivery) -> None:
        if not delivery.state.final:
            self.complain(2, f"{where} has not ended: {delivery.state}")
            return
        if delivery.state is DeliveryState.DROPPED:
            key = (message.id, delivery.ordinal)
            if not any(
                isinstance(event.change, Dropped) and key in event.change.keys
                for about, event in self.state.journey.values()
                if about == message.id
            ):
                self.complain(2, f"{where} was dropped, and no operator said so")

    def _told(self, where: str, message: Message, delivery: Delivery) -> None:
        def times(*actions: Action) -> int:
            recipient = str(delivery.recipient)
            return sum(self.fates[message.id, recipient, each.value] for each in actions)

        sender, notify = message.envelope.sender, delivery.notify
        reachable = sender is not None and self._place(sender)
        failed = reachable and delivery.state in _FAILED and notify.on_failure
        delivered = delivery.state is DeliveryState.DELIVERED
        if delivery.state is DeliveryState.DROPPED:
            # Dropped while it was being tried: what that attempt came to is reported all the same.
            ends = self._ends(message.id, delivery.ordinal)
            failed = reachable and notify.on_failure and any(end in _FAILED for end in ends)
            delivered = DeliveryState.DELIVERED in ends
        if times(Action.FAILED) != failed:
            self.complain(
                2, f"{where}: {times(Action.FAILED)} reports of failure, {delivery.state} {notify}"
            )
        if notify is Notify.NEVER and times(*Action):
            self.complain(2, f"{where}: a report that nobody wanted")
        delayed = reachable and delivery.delay_notified
        if times(Action.DELAYED) != delayed:
            self.complain(2, f"{where}: {times(Action.DELAYED)} reports of delay")
        success = (
            reachable
            and notify.on_success
            and delivered
            and not self._passed_on(message.id, delivery.ordinal)
        )
        if times(Action.DELIVERED, Action.RELAYED) != success:
            self.complain(
                2, f"{where}: {times(Action.DELIVERED, Action.RELAYED)} reports of success"
            )

    def _place(self, sender: Address) -> bool:
        return not isinstance(self._resolve(sender), Reply)

    def _resolve(self, address: Address) -> object:
        from postroad.service.recipients import Recipients

        directory = self.server.disk.store.directory
        return _now(Recipients(directory, hostname=self.name).resolve(address))

    def _attempts(self, number: int, ordinal: int) -> list[tuple[Attempted, object]]:
        return [
            (attempted, result.outcome)
            for _, attempted in self.book.attempts[self.name, number]
            for result in attempted.results
            if result.ordinal == ordinal
        ]

    def _ends(self, number: int, ordinal: int) -> list[DeliveryState]:
        """Return the ends that attempts brought, as far as they knew."""
        return [
            result.state
            for _, attempted in self.book.attempts[self.name, number]
            for result in attempted.results
            if result.ordinal == ordinal and result.state.final
        ]

    def _passed_on(self, number: int, ordinal: int) -> bool:
        """Whether the server that took it does DSN itself."""
        return any(
            attempted.taken is not None and attempted.taken.dsn
            for attempted, outcome in self._attempts(number, ordinal)
            if isinstance(outcome, Delivered)
        )

    def _takings(self, where: str, message: Message, delivery: Delivery) -> None:
        """Promises 1, 3 and 4 for mail that left.

        Whoever took it, took the same octets. It was taken at least as often as the journey says
        `Delivered`; and at most as often as the journey says `Delivered` or `Unknown`, plus one for
        each life that ended without having stored all it knew while the delivery was open.
        """
        key = (self.name, message.id, str(delivery.recipient).lower())
        takings = self.book.takings.get(key, [])
        outcomes = [outcome for _, outcome in self._attempts(message.id, delivery.ordinal)]
        sure = sum(isinstance(outcome, Delivered) for outcome in outcomes)
        unsure = sum(isinstance(outcome, Unknown) for outcome in outcomes)
        if sure > 1 + unsure:
            self.complain(3, f"{where}: the journey says delivered {sure} times")
        if len(takings) < sure:
            self.complain(1, f"{where}: delivered {sure} times, taken {len(takings)} times")
        if sure != (delivery.state is DeliveryState.DELIVERED) and not (
            sure and delivery.state is DeliveryState.DROPPED
        ):
            self.complain(2, f"{where}: {sure} deliveries, {delivery.state}")
        extra = sum(not taking.in_doubt for taking in takings) - sure - unsure
        if extra > 0:
            self.complain(3, f"{where}: taken {len(takings)} times, {outcomes}")
        stored = self.archive[message.content.id]
        for taking in takings:
            if not taking.octets.endswith(stored) or not _only_trace(taking.octets, stored):
                self.complain(4, f"{where}: {taking.by} got other octets")

    def _policy(self, where: str, message: Message, ordinal: int) -> None:
        """Promise 3: what follows `Unknown` is what the stream's policy says."""
        of_codes = message.origin.server is ServerKind.SUBMISSION and (
            message.envelope.sender is not None
            and message.envelope.sender.local_part == CODES_SENDER
        )
        if message.stream != (CODES if of_codes else DEFAULT_STREAM):
            self.complain(3, f"{where}: stream {message.stream!r}")
        settings = self.server.settings
        policy = settings.streams[CODES].unknown if of_codes else settings.unknown
        hold = policy is UnknownPolicy.HOLD
        held = False
        for _, event in (item for item in self.state.journey.values() if item[0] == message.id):
            change = event.change
            if isinstance(change, Retried | Dropped):
                held = held and (message.id, ordinal) not in change.keys
            elif isinstance(change, Attempted):
                for result in change.results:
                    if result.ordinal != ordinal:
                        continue
                    if held:
                        self.complain(3, f"{where}: tried though it was held after `Unknown`")
                    held = hold and isinstance(result.outcome, Unknown)
                    if held != (result.state is DeliveryState.HELD):
                        self.complain(3, f"{where}: {result.outcome}, {result.state}")

    def _journey(self, number: int) -> None:
        """Promise 7: from the journey follows the state."""
        found: dict[int, tuple[DeliveryState, int, Reply | None]] = {}
        for _, event in (item for item in self.state.journey.values() if item[0] == number):
            change = event.change
            if isinstance(change, Accepted):
                found = {d.ordinal: (d.state, 0, None) for d in change.deliveries}
            elif isinstance(change, Attempted):
                for result in change.results:
                    if result.ordinal not in found:
                        return self.complain(7, f"{self.name} {number}: attempted before accepted")
                    state, attempts, _ = found[result.ordinal]
                    stays = state.final or (
                        state is DeliveryState.HELD and result.state is DeliveryState.DUE
                    )
                    new = state if stays else result.state
                    found[result.ordinal] = (new, attempts + 1, result.outcome.reply)
            elif isinstance(change, Held | Retried | Dropped):
                for _, ordinal in change.keys:
                    state, attempts, last = found[ordinal]
                    if not state.final:
                        found[ordinal] = (_COMMANDED[type(change)], attempts, last)
        for ordinal, told in found.items():
            delivery = self.state.deliveries[number, ordinal].delivery
            if told != (delivery.state, delivery.attempts, delivery.last):
                where = f"{self.name} {format_id(number)}/{ordinal}"
                self.complain(7, f"{where}: the journey says {told}, the state {delivery}")
        if len(found) != len(self.state.ordinals(number)):
            self.complain(7, f"{self.name} {format_id(number)}: no journey")
        return None

    def _mailboxes(self) -> None:
        """What was read is what was stored; what is gone was deleted by its owner."""
        wanted: dict[int, set[int]] = {}
        for system, reading in self.book.readings:
            if system != self.name:
                continue
            mailbox = account_id(reading.account) + 2**33
            for uid, data in reading.messages.items():
                entry = self.book.entries[self.name, mailbox, uid]
                if data != entry.prefix + self.archive[entry.content.id]:
                    self.complain(4, f"{reading.account} read other octets in {uid}")
            if reading.asked:
                wanted.setdefault(mailbox, set()).update(reading.deleted)
            gone = self.book.expunged[self.name, mailbox]
            if reading.sure and not gone.issuperset(reading.deleted):
                self.complain(1, f"{reading.account}: deleted messages are still there")
        for (system, mailbox, uid), entry in self.book.entries.items():
            if system != self.name:
                continue
            if uid in self.book.expunged[system, mailbox]:
                if uid not in wanted.get(mailbox, ()):
                    self.complain(1, f"{system}: nobody deleted {uid} in {mailbox}")
            elif self.state.contents.get(entry.content.id) != self.archive[entry.content.id]:
                self.complain(1, f"{system}: the content of {uid} in {mailbox} is lost")


_COMMANDED = {
    Held: DeliveryState.HELD,
    Retried: DeliveryState.DUE,
    Dropped: DeliveryState.DROPPED,
}


def _only_trace(longer: bytes, stored: bytes) -> bool:
    above = longer[: len(longer) - len(stored)]
    match = _TRACE.match(above)
    return match is not None and match.end() == len(above)


def _letter(world: World, letter: Letter) -> None:
    """Promises 1, 2, 4 and 6 for what a client handed in."""
    book = world.book
    found = book.by_letter.get(letter.number, [])
    what = f"letter {letter.number} to {letter.system}"
    if len(found) > 1:
        book.complain(3, f"{what} was accepted {len(found)} times")
    positive = letter.answer.startswith(b"2")
    doubted = letter.answer.startswith(b"4") and book.in_doubt.issuperset(found)
    if found and (not letter.ended or (letter.answer and not positive and not doubted)):
        book.complain(1, f"{what} was answered {letter.answer!r}, and is here")
    if positive and b"X-Check:" in letter.data:
        book.complain(6, f"{what} slipped through a broken check")
    if not positive:
        return
    key = (letter.system, parse_id(letter.queue_id))
    if found != [key]:
        book.complain(1, f"{what} was acknowledged, and is lost")
        return
    message = book.messages[key]
    server = next(each for each in world.servers if each.hostname == letter.system)
    stored = server.disk.archive[message.content.id]
    if not stored.endswith(letter.data) or not _only_trace(stored, letter.data):
        book.complain(4, f"{what}: other octets were stored")
    audit = _Audit(world, server)
    said = {str(each.address) for each in message.envelope.recipients}
    if said != set(letter.accepted):
        book.complain(2, f"{what}: {said} instead of {letter.accepted}")
    wanted = set()
    for address in letter.accepted:
        targets = audit._resolve(Address.parse(address))
        assert isinstance(targets, tuple)
        wanted |= {target.address for target in targets}
    deliveries = server.disk.store.state.ordinals(message.id)
    if {queued.delivery.recipient for queued in deliveries} != wanted:
        book.complain(2, f"{what}: not all of {wanted} have a delivery")
