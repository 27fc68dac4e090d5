"""What a session makes of servers that behave, and of those that do not."""

import asyncio

import pytest

from postroad.delivery import RelayHost
from postroad.model import (
    Body,
    Delivered,
    Notify,
    Outcome,
    PermanentFailure,
    TemporaryFailure,
    Unknown,
)
from postroad.ports import Attempt
from tests.unit.delivery.world import CLOSE, HANG, ONE_MX, FakeServer, FakeStream, World, run, words


def outcomes(attempt: Attempt) -> list[Outcome]:
    assert [ordinal for ordinal, _ in attempt.outcomes] == list(range(len(attempt.outcomes)))
    return [outcome for _, outcome in attempt.outcomes]


def only(attempts: list[Attempt]) -> Outcome:
    (attempt,) = attempts
    (outcome,) = outcomes(attempt)
    return outcome


def send(world: World, **job: object) -> Outcome:
    return only(run(world.send(world.job(**job))))  # type: ignore[arg-type]


def test_a_message_goes_out() -> None:
    server = FakeServer()
    world = World(server)
    (attempt,) = run(world.send(world.job(content=b"Subject: x\r\n\r\n.dot\r\nend\r\n")))
    assert isinstance(outcomes(attempt)[0], Delivered)
    assert server.messages == [b"Subject: x\r\n\r\n.dot\r\nend\r\n"]
    assert server.commands[0] == "EHLO sender.test"
    assert server.commands[1].startswith("MAIL FROM:<a@sender.test>")
    assert server.commands[2:] == ["RCPT TO:<b@receiver.test>", "DATA", "QUIT"]
    assert attempt.taken is not None
    assert (attempt.taken.host, attempt.taken.address, attempt.taken.reused) == (
        "mx1.receiver.test",
        "127.0.0.3",
        False,
    )
    assert words(attempt) == (
        "lookup: MX of receiver.test: 10 mx1.receiver.test (A 127.0.0.3); ttl 300 s\n"
        "connect: mx1.receiver.test 127.0.0.3:25 from 127.0.0.1\n"
        "greeting: 220 mx.test ESMTP\n"
        "hello: 250 mx.test PIPELINING 8BITMIME\n"
        "end: 250 2.0.0 queued"
    )


def test_envelope_goes_in_one_write_and_body_with_dot_and_next_envelope_in_another() -> None:
    server = FakeServer()
    world = World(server)
    attempts = run(world.send(*(world.job(content=f"n: {n}\r\n\r\n".encode()) for n in range(3))))
    assert [type(only([attempt])) for attempt in attempts] == [Delivered] * 3
    writes = [write.decode() for write in server.writes]
    assert writes[0].startswith("EHLO")
    assert writes[1].startswith("MAIL")
    assert writes[1].endswith("DATA\r\n")
    assert writes[2].startswith("n: 0\r\n\r\n.\r\nMAIL")
    assert writes[2].endswith("DATA\r\n")
    assert writes[3].startswith("n: 1\r\n\r\n.\r\nMAIL")
    assert writes[4] == "n: 2\r\n\r\n.\r\n"
    assert len(writes) == 6  # and QUIT
    assert [attempt.taken.reused for attempt in attempts if attempt.taken] == [False, True, True]
    assert [len(attempt.steps) for attempt in attempts] == [5, 1, 1]


def test_without_pipelining_each_command_waits() -> None:
    server = FakeServer("8BITMIME")
    world = World(server)
    attempts = run(world.send(world.job(), world.job()))
    assert [type(only([attempt])) for attempt in attempts] == [Delivered] * 2
    assert all(write.count(b"\r\n") == 1 for write in server.writes if b"Subject" not in write)


def test_batch_follows_pipelining() -> None:
    async def batch(extensions: str) -> int:
        world = World(FakeServer(extensions))
        return (await world.deliverer.connect(await world.deliverer.route("receiver.test"))).batch

    assert run(batch("PIPELINING")) == 10
    assert run(batch("SIZE")) == 1
    assert run(batch("PIPELINING LIMITS_MAILMAX=3")) == 3


def test_some_recipients_are_refused_the_others_get_it() -> None:
    def rcpt(line: str) -> str:
        if "gone@" in line:
            return "550 5.1.1 no such user"
        return "450 4.2.2 mailbox full" if "full@" in line else "250 2.1.5 ok"

    server = FakeServer(RCPT=rcpt)
    world = World(server)
    job = world.job(
        "b@receiver.test", "gone@receiver.test", "full@receiver.test", "c@receiver.test"
    )
    (attempt,) = run(world.send(job))
    kinds = [type(outcome) for outcome in outcomes(attempt)]
    assert kinds == [Delivered, PermanentFailure, TemporaryFailure, Delivered]
    assert len(server.messages) == 1
    assert "rcpt: <gone@receiver.test>: 550 5.1.1 no such user" in words(attempt)


def test_all_recipients_refused_then_the_next_message_is_fine() -> None:
    server = FakeServer(RCPT=lambda line: "550 5.1.1 no" if "gone" in line else "250 ok")
    world = World(server)
    attempts = run(world.send(world.job("gone@receiver.test"), world.job()))
    assert isinstance(only(attempts[:1]), PermanentFailure)
    assert isinstance(only(attempts[1:]), Delivered)
    assert server.connections == 1
    assert "RSET" in server.commands


def test_greylisting_shows_in_steps() -> None:
    world = World(FakeServer(RCPT="451 4.7.1 greylisted, come back"))
    (attempt,) = run(world.send(world.job()))
    assert isinstance(outcomes(attempt)[0], TemporaryFailure)
    assert "rcpt: <b@receiver.test>: 451 4.7.1 greylisted, come back" in words(attempt)


@pytest.mark.parametrize(
    ("verb", "reply", "kind"),
    [
        ("MAIL", "550 5.7.1 not you", PermanentFailure),
        ("MAIL", "451 4.3.0 later", TemporaryFailure),
        ("DATA", "554 5.7.1 no", PermanentFailure),
        ("DATA", "451 4.3.0 later", TemporaryFailure),
        ("END", "554 5.6.0 spam", PermanentFailure),
        ("END", "452 4.3.1 disk full", TemporaryFailure),
        ("MAIL", "421 4.3.2 bye", TemporaryFailure),
        ("RCPT", "421 4.3.2 bye", TemporaryFailure),
        ("END", "421 4.3.2 bye", TemporaryFailure),
    ],
)
def test_refusals(verb: str, reply: str, kind: type[Outcome]) -> None:
    world = World(FakeServer(**{verb: reply}))
    outcome = send(world)
    assert type(outcome) is kind
    assert outcome.reply.code == int(reply[:3])
    assert world.network.streams[-1].closed


def test_a_refused_sender_stays_refused_whatever_is_said_to_the_recipients() -> None:
    world = World(FakeServer(MAIL="550 5.7.1 not you", RCPT="250 ok"))
    assert isinstance(send(world), PermanentFailure)


@pytest.mark.parametrize("how", [CLOSE, HANG])
@pytest.mark.parametrize(
    ("verb", "kind"),
    [
        ("MAIL", TemporaryFailure),
        ("RCPT", TemporaryFailure),
        ("DATA", TemporaryFailure),
        ("END", Unknown),
    ],
)
def test_loss(verb: str, kind: type[Outcome], how: str) -> None:
    world = World(FakeServer(**{verb: how}))
    outcome = send(world)
    assert type(outcome) is kind
    assert (outcome.reply.code, outcome.reply.enhanced) == (451, "4.4.2")
    assert ("may have been delivered" in outcome.reply.text) == (kind is Unknown)


def test_what_was_pipelined_behind_a_lost_message_goes_on_a_new_connection() -> None:
    said = iter([CLOSE, "250 ok", "250 ok"])
    server = FakeServer(END=lambda _: next(said))
    world = World(server)
    attempts = run(world.send(world.job(), world.job(), world.job()))
    kinds = [type(only([attempt])) for attempt in attempts]
    assert kinds == [Unknown, Delivered, Delivered]
    assert server.connections == 2
    # What was begun behind it is forgotten: it was neither refused nor lost.
    assert [step.what for step in attempts[1].steps if step.what in ("mail", "data")] == []


def test_a_server_that_always_dies_is_not_asked_for_every_message() -> None:
    server = FakeServer(END=CLOSE)
    world = World(server)
    attempts = run(world.send(*(world.job() for _ in range(6))))
    kinds = [type(only([attempt])) for attempt in attempts]
    assert kinds == [Unknown, Unknown] + [TemporaryFailure] * 4
    assert server.connections == 2


def test_421_to_a_message_ends_the_connection_for_those_behind() -> None:
    said = iter(["421 4.7.0 too many", "250 ok"])
    server = FakeServer(END=lambda _: next(said))
    world = World(server)
    attempts = run(world.send(world.job(), world.job()))
    assert [type(only([attempt])) for attempt in attempts] == [TemporaryFailure, Delivered]
    assert server.connections == 2


@pytest.mark.parametrize("end", ["421 4.4.2 idle too long", CLOSE])
def test_a_kept_connection_that_died_is_replaced(end: str) -> None:
    said = iter(["250 ok", end, "250 ok"])
    server = FakeServer(MAIL=lambda _: next(said))
    world = World(server)

    async def main() -> list[Attempt]:
        session = await world.deliverer.connect(await world.deliverer.route("receiver.test"))
        first = await session.attempt([world.job()])
        assert session.usable
        second = await session.attempt([world.job()])
        await session.close()
        return [*first, *second]

    attempts = run(main())
    assert [type(only([attempt])) for attempt in attempts] == [Delivered, Delivered]
    assert server.connections == 2
    assert "kept connection" in words(attempts[1])
    assert attempts[1].taken is not None
    assert not attempts[1].taken.reused


def test_a_kept_connection_that_cannot_be_replaced_fails_for_now() -> None:
    said = iter(["250 ok", CLOSE])
    server = FakeServer(MAIL=lambda _: next(said))
    world = World(server)

    async def main() -> Attempt:
        session = await world.deliverer.connect(await world.deliverer.route("receiver.test"))
        await session.attempt([world.job()])
        world.network.servers.clear()
        (attempt,) = await session.attempt([world.job()])
        assert not session.usable
        await session.close()
        return attempt

    attempt = run(main())
    assert isinstance(only([attempt]), TemporaryFailure)
    assert "127.0.0.3:25: connection refused" in words(attempt)


def test_usable_ends_with_age_idleness_and_count() -> None:
    async def main() -> None:
        world = World(FakeServer(), messages_per_connection=2)
        route = await world.deliverer.route("receiver.test")
        session = await world.deliverer.connect(route)
        assert session.usable
        await session.attempt([world.job(), world.job()])
        assert not session.usable
        session = await world.deliverer.connect(route)
        world.clock.at += 61
        assert not session.usable
        session = await world.deliverer.connect(route)
        for _ in range(6):
            world.clock.at += 50
            if session.usable:
                await session.attempt([world.job()])
        assert not session.usable

    run(main())


def test_mailmax_and_rcptmax_are_kept() -> None:
    server = FakeServer("PIPELINING LIMITS_MAILMAX=2_RCPTMAX=2")
    world = World(server)
    job = world.job(*(f"u{n}@receiver.test" for n in range(5)))
    (attempt,) = run(world.send(job))
    assert [type(outcome) for outcome in outcomes(attempt)] == [Delivered] * 5
    assert len(server.messages) == 3
    assert server.connections == 2


def test_too_many_recipients_are_sent_again_at_once() -> None:
    taken = 0

    def rcpt(line: str) -> str:
        nonlocal taken
        taken += 1
        return "250 ok" if taken <= 2 else "452 4.5.3 too many"

    def mail(line: str) -> str:
        nonlocal taken
        taken = 0
        return "250 ok"

    server = FakeServer(RCPT=rcpt, MAIL=mail)
    world = World(server)
    (attempt,) = run(world.send(world.job(*(f"u{n}@receiver.test" for n in range(5)))))
    assert [type(outcome) for outcome in outcomes(attempt)] == [Delivered] * 5
    assert len(server.messages) == 3


def test_452_to_the_first_recipient_defers() -> None:
    world = World(FakeServer(RCPT="452 4.5.3 too many"))
    assert isinstance(send(world), TemporaryFailure)


def test_too_large_is_not_even_begun() -> None:
    server = FakeServer("PIPELINING SIZE_1000")
    world = World(server)
    (attempt,) = run(world.send(world.job(content=b"x" * 2000 + b"\r\n")))
    outcome = only([attempt])
    assert isinstance(outcome, PermanentFailure)
    assert (outcome.reply.code, outcome.reply.enhanced) == (552, "5.3.4")
    assert not any(command.startswith("MAIL") for command in server.commands)
    assert "not sent: message of 2002 octets" in words(attempt)


def test_smtputf8_address_needs_the_extension() -> None:
    world = World(FakeServer())
    outcome = only(run(world.send(world.job("bü@receiver.test", smtputf8=True))))
    assert isinstance(outcome, PermanentFailure)
    assert outcome.reply.enhanced == "5.6.7"


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"Subject: plain\r\n\r\nb\xc3\xbcdy\r\n", Delivered),
        ("Subject: ü\r\n\r\nbody\r\n".encode(), PermanentFailure),
    ],
)
def test_smtputf8_message_that_is_plain_needs_it_not(content: bytes, kind: type[Outcome]) -> None:
    assert type(send(World(FakeServer()), content=content, smtputf8=True)) is kind


@pytest.mark.parametrize(("strict", "kind"), [(False, Delivered), (True, PermanentFailure)])
def test_8bitmime_is_sent_as_it_is_unless_strict(strict: bool, kind: type[Outcome]) -> None:
    server = FakeServer("PIPELINING")
    world = World(server, strict_8bitmime=strict)
    content = b"Subject: x\r\n\r\n\xe9\r\n"
    outcome = send(world, content=content, body=Body.EIGHT_BIT_MIME)
    assert type(outcome) is kind
    if strict:
        assert outcome.reply.enhanced == "5.6.3"
    else:
        assert server.messages == [content]
        assert not any("BODY=" in command for command in server.commands)


def test_binary_needs_its_extensions() -> None:
    outcome = send(World(FakeServer()), body=Body.BINARY_MIME)
    assert isinstance(outcome, PermanentFailure)
    assert outcome.reply.enhanced == "5.6.3"


@pytest.mark.parametrize("offered", [True, False])
def test_dsn_parameters_go_along_where_offered(offered: bool) -> None:
    server = FakeServer("PIPELINING DSN" if offered else "PIPELINING")
    world = World(server)
    run(world.send(world.job(notify=Notify.NEVER)))
    assert any("NOTIFY=NEVER" in command for command in server.commands) == offered


def test_large_content_is_streamed() -> None:
    server = FakeServer()
    world = World(server, piece_octets=10_000)
    content = b"Subject: large\r\n\r\n" + b"0123456789abcdef" * 10_000 + b"\r\n"
    assert isinstance(send(world, content=content), Delivered)
    assert server.messages == [content]
    assert world.content.largest == 10_000
    assert max(map(len, server.writes)) < 21_000


@pytest.mark.parametrize("fail_after", [0, 10_000])
def test_content_that_cannot_be_read_is_never_half_sent(fail_after: int) -> None:
    server = FakeServer()
    world = World(server, piece_octets=10_000)
    world.content.fail_after = fail_after
    attempts = run(world.send(world.job(content=b"x" * 30_000 + b"\r\n")))
    outcome = only(attempts)
    assert isinstance(outcome, TemporaryFailure)
    assert outcome.reply.enhanced == "4.3.0"
    assert server.messages == []


def test_content_that_is_shorter_than_it_should_be_is_never_sent() -> None:
    server = FakeServer()
    world = World(server)
    job = world.job()
    world.content.data[job.message.id] = b"Subj"
    outcome = only(run(world.send(job)))
    assert isinstance(outcome, TemporaryFailure)
    assert server.messages == []


def test_content_that_ends_early_behind_its_first_piece_is_never_finished() -> None:
    server = FakeServer()
    world = World(server, piece_octets=10_000)
    job = world.job(content=b"x" * 30_000 + b"\r\n")
    whole = world.content.data[job.message.content.id]
    world.content.data[job.message.content.id] = whole[:14_998] + b"\r\n"
    outcome = only(run(world.send(job)))
    assert isinstance(outcome, TemporaryFailure)
    assert "ends after 15000" in outcome.reply.text
    assert server.messages == []


def test_content_failure_of_the_next_message_does_not_hurt_the_one_before() -> None:
    server = FakeServer()
    world = World(server)
    first, second, third = world.job(), world.job(), world.job()
    world.content.data[second.message.id] = b""
    attempts = run(world.send(first, second, third))
    kinds = [type(only([attempt])) for attempt in attempts]
    assert kinds == [Delivered, TemporaryFailure, Delivered]
    assert len(server.messages) == 2


@pytest.mark.parametrize(
    ("piece", "kind"),
    [
        ("552 5.3.4 too much", PermanentFailure),
        ("452 4.3.1 disk full", TemporaryFailure),
        (CLOSE, TemporaryFailure),
    ],
)
def test_server_ends_it_in_the_midst_of_a_body(piece: str, kind: type[Outcome]) -> None:
    server = FakeServer(PIECE=piece)
    world = World(server, piece_octets=10_000)
    outcome = send(world, content=b"x" * 200_000 + b"\r\n")
    assert type(outcome) is kind
    assert sum(map(len, server.writes)) < 100_000
    assert server.messages == []


def test_bare_line_feed_never_leaves() -> None:
    server = FakeServer()
    outcome = send(World(server), content=b"Subject: x\r\n\r\na\n.\nMAIL FROM:<x@y>\r\n")
    assert isinstance(outcome, PermanentFailure)
    assert outcome.reply.enhanced == "5.6.0"
    assert server.messages == []


@pytest.mark.parametrize(
    "garbage",
    [
        "not smtp at all",
        "999 what",
        "250\x00 ok",
        "250-" + "x" * 100_000,
        "\r\n".join(["250-more"] * 2000) + "\r\n250 end",
        "250 ok\r\n250 ok\r\n250 ok\r\n250 ok\r\n250 ok",
    ],
)
@pytest.mark.parametrize("verb", ["MAIL", "END"])
def test_garbage_is_no_success_and_no_crash(verb: str, garbage: str) -> None:
    world = World(FakeServer(**{verb: garbage}))
    (attempt,) = run(world.send(world.job()))
    outcome = only([attempt])
    if verb == "MAIL":
        assert isinstance(outcome, (TemporaryFailure, PermanentFailure))
    assert len(words(attempt)) < 20_000


def test_lmtp_answers_for_each_recipient() -> None:
    said = iter(["250 2.0.0 ok", "452 4.2.2 full"])
    server = FakeServer("PIPELINING", END=lambda _: next(said), RCPT=lambda line: (
        "550 5.1.1 no" if "gone" in line else "250 ok"
    ))  # fmt: skip
    server.lmtp = True
    world = World(server, dns=ONE_MX, lmtp={"*": RelayHost("127.0.0.3", 24)})
    (attempt,) = run(
        world.send(world.job("b@receiver.test", "gone@receiver.test", "c@receiver.test"))
    )
    kinds = [type(outcome) for outcome in outcomes(attempt)]
    assert kinds == [Delivered, PermanentFailure, TemporaryFailure]
    assert server.commands[0].startswith("LHLO")
    assert world.network.tried == [("127.0.0.3", 24)]


def test_a_farewell_that_is_cut_off_closes_the_connection() -> None:
    class Forever(FakeStream):
        async def receive(self, timeout: float) -> bytes:
            if "QUIT" in self.server.commands:
                await asyncio.Event().wait()
            return await super().receive(timeout)

    async def scenario() -> None:
        world = World(FakeServer(QUIT=HANG))
        world.network.stream = Forever
        session = await world.deliverer.connect(await world.deliverer.route("receiver.test"))
        closing = asyncio.ensure_future(session.close())
        await asyncio.sleep(0)
        closing.cancel()
        await asyncio.gather(closing, return_exceptions=True)
        assert closing.cancelled()
        assert all(stream.closed for stream in world.network.streams)

    run(scenario())
