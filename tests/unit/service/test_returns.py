"""What comes back: verified, attributed to message and recipient, and noted; all else is refused."""

import pytest

from postroad.message.bounce.classify import classify
from postroad.message.dsn import Action, RecipientReport, Report, build_dsn
from postroad.model import (
    Accepted,
    Address,
    Bounced,
    Complained,
    ContentRef,
    Delivered,
    Delivery,
    Envelope,
    Group,
    LeasedDelivery,
    Message,
    Origin,
    Outcome,
    PermanentFailure,
    Recipient,
    Reply,
    ServerKind,
    Staged,
    Suppressed,
    SuppressionReason,
    Unsubscribed,
)
from postroad.ports import Attempt, RouteFailed, StorageError
from postroad.service.departures import Departures
from postroad.service.recipients import RETURNS
from postroad.service.returns import MAX_TOLD, ReturnAddresses, Returns
from postroad.storage.memory import MemoryStore
from postroad.trust.return_path import ReturnPaths, ReturnTo

NEWS, JO, ANN = (
    Address("news", "here.test"),
    Address("jo", "there.test"),
    Address("ann", "there.test"),
)
BASE, LOOP = Address("bounce", "here.test"), Address("fbl", "here.test")
LEAVE = Address("leave", "here.test")
PATHS = ReturnPaths(b"a secret that nobody knows")
NOW = 1_795_600_000.0


class Clock:
    def now(self) -> float:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None: ...


class Scene:
    """A store with one message of the stream `news`, and what takes in what comes back."""

    def __init__(self, *to: Address) -> None:
        self.store = store = MemoryStore()
        self.to = to
        self.last = 7
        self.addresses = ReturnAddresses(
            PATHS,
            Clock(),
            bases=[BASE.folded],
            complaints=[LOOP.folded],
            leaving=[LEAVE.folded],
        )
        self.returns = Returns(
            self.addresses,
            content=store.content,
            queue=store.queue,
            journey=store.journey,
            classify=classify,
            clock=Clock(),
            suppressing=["news"],
            departures=Departures(store.suppressions, Clock()),
        )

    async def accept(self, stream: str = "news") -> None:
        ref = ContentRef(7, 5)
        envelope = Envelope(NEWS, tuple(map(Recipient, self.to)))
        message = Message(
            7, envelope, ref, Origin(ServerKind.SUBMISSION), NOW, "<7@x>", stream=stream
        )
        deliveries = (Delivery(7, n, each, each, each.domain) for n, each in enumerate(self.to))
        await self._commit(Accepted(NOW, message, tuple(deliveries)), Staged(ref, b"x" * 5))

    async def _commit(self, change: Accepted, staged: Staged) -> None:
        await self.store.ledger.commit(Group((change,), (staged,)))

    async def came(self, data: bytes, *at: Address) -> Attempt:
        """Have a message with these bytes taken in, and commit what follows."""
        self.last = number = self.last + 1
        writer = self.store.content.stage(number)
        writer.write(data)
        staged = await writer.finish()
        message = Message(number, Envelope(None), staged.ref, Origin(ServerKind.MX), NOW)
        deliveries = tuple(Delivery(number, n, each, each, RETURNS) for n, each in enumerate(at))
        await self._commit(Accepted(NOW, message, deliveries), staged)
        session = await self.returns.connect(await self.returns.route(RETURNS))
        (attempt,) = await session.attempt([LeasedDelivery(message, deliveries)])
        await self.store.ledger.commit(Group(attempt.changes))
        return attempt


def path(ordinal: int | None = 0, message: int = 7) -> Address:
    return PATHS.make(BASE, ReturnTo(message, ordinal), NOW)


def dsn(*recipients: Address, reply: Reply | None = None, action: Action = Action.FAILED) -> bytes:
    reply = reply or Reply(550, "5.1.1", "no such user")
    reports = (
        RecipientReport(recipient=each, original=each, action=action, reply=reply, remote_mta="mx")
        for each in recipients
    )
    return build_dsn(
        Report(
            id=99,
            at=NOW,
            hostname="relay.there.test",
            to=NEWS,
            about=98,
            arrived_at=NOW,
            recipients=tuple(reports),
        )
    ).data


def complaint(*fields: str, kind: str = "abuse", returned: str = "") -> bytes:
    return (
        "From: fbl@isp.test\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {kind}\r\nUser-Agent: ISP/1\r\n"
        + "".join(f"{each}\r\n" for each in fields)
        + f"\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n{returned}Subject: x\r\n\r\n--b--\r\n"
    ).encode()


def outcome(attempt: Attempt) -> Outcome:
    ((_, found),) = attempt.outcomes
    return found


@pytest.fixture
async def scene() -> Scene:
    scene = Scene(JO, ANN)
    await scene.accept()
    return scene


async def test_a_bounce_is_noted_and_the_address_listed(scene: Scene) -> None:
    attempt = await scene.came(dsn(JO), path(0))
    assert outcome(attempt) == Delivered(
        Reply(250, "2.0.0", "noted with 0000000000007: jo@there.test bounced")
    )
    bounced, suppressed = attempt.changes
    no = Reply(550, "5.1.1", "no such user")
    assert bounced == Bounced(NOW, 7, 0, 8, True, no, "no-such-user", True, "relay.there.test")
    assert isinstance(suppressed, Suppressed)
    (entry,) = await scene.store.suppressions.of("news", [JO])
    assert entry.reason is SuppressionReason.HARD_BOUNCE
    assert entry.evidence == "0000000000007: 550 5.1.1 no such user, by 0000000000008"
    assert [event.change for event in await scene.store.journey.events(7)][1:] == [bounced]


async def test_a_path_of_one_is_about_that_one_whatever_the_report_writes(scene: Scene) -> None:
    attempt = await scene.came(dsn(Address("forwarded", "far.test")), path(1))
    assert [c.ordinal for c in attempt.changes if isinstance(c, Bounced)] == [1]
    assert await scene.store.suppressions.of("news", [ANN]) != []


async def test_a_path_of_several_needs_an_address_that_fits(scene: Scene) -> None:
    attempt = await scene.came(
        dsn(Address("JO", "there.test"), Address("x", "far.test")), path(None)
    )
    assert [c.ordinal for c in attempt.changes if isinstance(c, Bounced)] == [0]
    attempt = await scene.came(dsn(Address("x", "far.test")), path(None))
    assert attempt.changes == ()
    assert isinstance(outcome(attempt), Delivered)


async def test_other_troubles_list_nobody(scene: Scene) -> None:
    full = Reply(552, "5.2.2", "mailbox full")
    (change,) = (await scene.came(dsn(JO, reply=full), path(0))).changes
    assert isinstance(change, Bounced)
    assert (change.category, change.permanent) == ("mailbox-full", True)
    late = Reply(451, "4.4.1", "connection timed out")
    (change,) = (await scene.came(dsn(JO, reply=late, action=Action.DELAYED), path(0))).changes
    assert isinstance(change, Bounced)
    assert (change.failed, change.category) == (False, "network")
    attempt = await scene.came(
        dsn(JO, reply=Reply(250, "2.0.0", "ok"), action=Action.RELAYED), path(0)
    )
    assert attempt.changes == ()
    assert await scene.store.suppressions.page() == []


async def test_a_stream_without_a_list_has_only_the_journey() -> None:
    scene = Scene(JO)
    await scene.accept(stream="codes")
    (change,) = (await scene.came(dsn(JO), path(0))).changes
    assert isinstance(change, Bounced)


async def test_words_for_people(scene: Scene) -> None:
    words = (
        b"From: MAILER-DAEMON@there.test\r\n\r\nHi. This is the qmail-send program at x.\r\n\r\n"
        b"<jo@there.test>:\r\nSorry, no mailbox here by that name.\r\n\r\n--- Below\r\n"
    )
    change, suppressed = (await scene.came(words, path(0))).changes
    assert isinstance(change, Bounced)
    assert isinstance(suppressed, Suppressed)
    no = Reply(550, "5.0.0", "Sorry, no mailbox here by that name")
    assert (change.ordinal, change.reply, change.category) == (0, no, "no-such-user")


async def test_a_complaint_at_the_return_path(scene: Scene) -> None:
    complained, suppressed = (await scene.came(complaint(), path(0))).changes
    assert complained == Complained(NOW, 7, 0, 8, "abuse", "ISP/1")
    assert isinstance(suppressed, Suppressed)
    assert suppressed.suppressions[0].reason is SuppressionReason.COMPLAINT


@pytest.mark.parametrize(
    "data",
    [
        complaint(f"Original-Mail-From: <{path(1)}>"),
        complaint(returned=f"Return-Path: <{path(1)}>\r\n"),
        complaint(f"Original-Mail-From: <{path(None)}>", "Original-Rcpt-To: <ann@there.test>"),
    ],
)
async def test_a_complaint_at_the_address_for_them(scene: Scene, data: bytes) -> None:
    attempt = await scene.came(data, LOOP)
    assert [c.ordinal for c in attempt.changes if isinstance(c, Complained)] == [1]


@pytest.mark.parametrize(
    "data",
    [
        complaint(),
        complaint("Original-Mail-From: <news@here.test>"),
        complaint(f"Original-Mail-From: <bounce+{'a' * 36}@here.test>"),
        dsn(JO),
    ],
)
async def test_what_is_about_no_mail_of_ours_is_refused(scene: Scene, data: bytes) -> None:
    attempt = await scene.came(data, LOOP)
    found = outcome(attempt)
    assert isinstance(found, PermanentFailure)
    assert found.reply.enhanced == "5.1.1"
    assert attempt.changes == ()


async def test_not_spam_is_no_complaint(scene: Scene) -> None:
    assert (await scene.came(complaint(kind="not-spam"), path(0))).changes == ()


async def test_what_is_no_bounce_is_refused(scene: Scene) -> None:
    found = outcome(await scene.came(b"Subject: I am on holiday\r\n\r\nback soon\r\n", path(0)))
    assert found == PermanentFailure(
        Reply(550, "5.6.0", "only bounces and complaints are taken at this address")
    )


async def test_a_message_that_is_forgotten(scene: Scene) -> None:
    attempt = await scene.came(dsn(JO), path(0, message=6))
    assert isinstance(outcome(attempt), Delivered)
    assert attempt.changes == ()


async def test_nobody_fills_a_journey(scene: Scene) -> None:
    for _ in range(MAX_TOLD):
        assert (await scene.came(dsn(JO), path(0))).changes
    attempt = await scene.came(dsn(JO), path(0))
    assert attempt.changes == ()
    assert "often enough" in outcome(attempt).reply.text
    assert (await scene.came(dsn(ANN), path(1))).changes


async def test_a_store_that_cannot_be_read_defers(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(*_: object) -> bytes:
        raise StorageError("the disk is gone")

    monkeypatch.setattr(scene.store.content, "read", fails)
    attempt = await scene.came(dsn(JO), path(0))
    assert attempt.ours
    assert outcome(attempt).reply.transient


async def test_nothing_else_is_delivered_here(scene: Scene) -> None:
    with pytest.raises(RouteFailed):
        await scene.returns.route("there.test")
    message = Message(1, Envelope(None), ContentRef(1, 1), Origin(ServerKind.MX), NOW)
    assert await scene.returns.at_once(LeasedDelivery(message, ())) is None


def test_which_addresses_are_ours(scene: Scene) -> None:
    look = scene.addresses.look
    found = look(path(0))
    assert isinstance(found, tuple)
    (target,) = found
    assert (target.destination, target.mailbox, target.is_ours, target.is_local) == (
        RETURNS,
        None,
        True,
        False,
    )
    assert look(LOOP) is not None
    assert look(BASE) is None
    assert look(JO) is None
    assert look(Address(path(0).local_part, "elsewhere.test")) is None
    forged = Address(path(0).local_part[:-3] + "aaa", "here.test")
    assert look(forged) == Reply(550, "5.1.1", f"<{forged}> No such user here")
    old = PATHS.make(BASE, ReturnTo(7, 0), NOW - 40 * 86_400)
    assert look(old) == Reply(550, "5.1.1", f"<{old}> No such user here")
    assert not ReturnAddresses(PATHS, Clock())


async def test_who_writes_to_leave_is_unsubscribed_once() -> None:
    scene = Scene(JO, ANN)
    await scene.accept()
    to = PATHS.make(LEAVE, ReturnTo(7, 1), NOW)
    attempt = await scene.came(b"Subject: unsubscribe\r\n\r\n", to)
    assert attempt.outcomes[0][1].reply.text.endswith("ann@there.test unsubscribed")
    left, listed = attempt.changes
    assert left == Unsubscribed(NOW, 7, 1, "news", "mail")
    assert isinstance(listed, Suppressed)
    assert [each.address for each in listed.suppressions] == [ANN]
    assert listed.suppressions[0].reason is SuppressionReason.UNSUBSCRIBE
    assert (await scene.came(b"Subject: again\r\n\r\n", to)).changes == ()


async def test_what_is_no_wish_to_leave() -> None:
    scene = Scene(JO, ANN)
    await scene.accept()
    reported = await scene.came(dsn(ANN), PATHS.make(LEAVE, ReturnTo(7, 1), NOW))
    assert isinstance(reported.outcomes[0][1], PermanentFailure)
    forgotten = await scene.came(b"\r\n", PATHS.make(LEAVE, ReturnTo(99, 0), NOW))
    assert "no longer known" in forgotten.outcomes[0][1].reply.text
    nobody = await scene.came(b"\r\n", PATHS.make(LEAVE, ReturnTo(7, 5), NOW))
    assert isinstance(nobody.outcomes[0][1], PermanentFailure)
    # The mark of a bounce does not do, nor does one of the other address.
    moved = Address("leave+" + path(1).local_part.rpartition("+")[2], "here.test")
    forged = await scene.came(b"\r\n", moved)
    assert isinstance(forged.outcomes[0][1], PermanentFailure)
    for attempt in (reported, forgotten, nobody, forged):
        assert attempt.changes == ()
    assert await scene.store.suppressions.of("news", [JO, ANN]) == []
