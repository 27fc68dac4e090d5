import pytest

from postroad.model import Reply
from postroad.wire.smtp import (
    ClientTimeouts,
    EndDone,
    LocalProtocolError,
    Lost,
    MailDone,
    Phase,
    RcptDone,
    SMTPClient,
    TransactionFailed,
)
from tests.unit.wire.smtp.dialogue import envelope, recipients
from tests.unit.wire.smtp.test_client import Talk

BYE = Reply(421, "4.3.2", "bye")


def lost(talk: Talk) -> Lost:
    talk.client.receive_eof()
    event = talk.events()[-1]
    assert isinstance(event, Lost)
    assert talk.client.closing
    assert talk.events() == []
    return event


def in_body(*offers: str) -> Talk:
    talk = Talk(*offers)
    talk.mail("a@b")
    for reply in ("250 OK", "250 OK", "354 go"):
        talk.said()
        talk.hear(f"{reply}\r\n")
    return talk


class TestLost:
    def test_greeting(self) -> None:
        client = SMTPClient("x", 0.0)
        client.receive_eof()
        assert client.next_event() == Lost(Phase.GREETING, "the server closed the connection")

    def test_idle(self) -> None:
        assert lost(Talk()).phase is Phase.IDLE

    def test_envelope(self) -> None:
        for offers in ((), ("PIPELINING",)):
            talk = Talk(*offers)
            talk.mail("a@b")
            talk.said()
            assert lost(talk).phase is Phase.ENVELOPE

    def test_body(self) -> None:
        talk = in_body()
        talk.client.body(b"x\r\n", 1.0)
        assert lost(talk).phase is Phase.BODY

    def test_end_not_taken_for_sending(self) -> None:
        talk = in_body()
        talk.client.end(1.0)
        assert lost(talk).phase is Phase.BODY

    @pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
    def test_end_sent(self, offers: tuple[str, ...]) -> None:
        talk = in_body(*offers)
        talk.client.end(1.0)
        talk.said()
        assert lost(talk).phase is Phase.END

    def test_end_sent_and_another_envelope_behind_it(self) -> None:
        talk = in_body("PIPELINING")
        talk.client.end(1.0)
        talk.mail("c@d")
        talk.said()
        assert lost(talk).phase is Phase.END

    def test_answered_before_the_end_of_the_connection(self) -> None:
        talk = in_body("PIPELINING")
        talk.client.end(1.0)
        talk.mail("c@d")
        talk.said()
        talk.client.receive_data(b"250 OK\r\n", 1.0)
        talk.client.receive_eof()
        events = talk.events()
        assert events[0] == EndDone(Reply(250, "", "OK"))
        assert isinstance(events[1], Lost)
        assert events[1].phase is Phase.ENVELOPE

    def test_quit(self) -> None:
        talk = Talk()
        talk.client.quit(1.0)
        assert lost(talk).phase is Phase.QUIT


class TestNonsense:
    @pytest.mark.parametrize(
        "text",
        ["250 unasked\r\n", "421 bye\r\n", "hello\r\n", "250-a\r\n251 b\r\n", "x" * 5000 + "\r\n"],
    )
    def test_while_idle(self, text: str) -> None:
        [event] = Talk().hear(text)
        assert isinstance(event, Lost)
        assert event.phase is Phase.IDLE

    @pytest.mark.parametrize("reply", ["354 what", "334 what"])
    def test_reply_that_is_no_answer(self, reply: str) -> None:
        talk = Talk()
        talk.mail("a@b")
        [event] = talk.hear(f"{reply}\r\n")
        assert isinstance(event, Lost)

    def test_2xx_to_data_is_no_leave_to_send(self) -> None:
        talk = Talk()
        talk.mail("a@b")
        talk.hear("250 OK\r\n")
        talk.hear("250 OK\r\n")
        [event] = talk.hear("250 OK\r\n")
        assert isinstance(event, Lost)
        assert event.phase is Phase.ENVELOPE

    def test_no_answer_to_the_end(self) -> None:
        talk = in_body()
        talk.client.end(1.0)
        talk.said()
        [event] = talk.hear("354 go\r\n")
        assert isinstance(event, Lost)
        assert event.phase is Phase.END


class Test421:
    def test_in_the_envelope(self) -> None:
        talk = Talk("PIPELINING")
        talk.mail("a@b", "c@d")
        assert talk.hear("250 OK\r\n421 4.3.2 bye\r\n")[1:] == [
            RcptDone(0, BYE),
            TransactionFailed(BYE),
        ]
        assert talk.client.closing

    @pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
    def test_to_mail(self, offers: tuple[str, ...]) -> None:
        talk = Talk(*offers)
        talk.mail("a@b")
        assert talk.hear("421 4.3.2 bye\r\n") == [MailDone(BYE), TransactionFailed(BYE)]

    def test_to_the_end_with_an_envelope_behind_it(self) -> None:
        talk = in_body("PIPELINING")
        talk.client.end(1.0)
        talk.mail("c@d")
        assert talk.hear("421 4.3.2 bye\r\n") == [EndDone(BYE), TransactionFailed(BYE)]

    def test_in_the_body(self) -> None:
        talk = in_body()
        assert talk.hear("421 4.3.2 bye\r\n") == [EndDone(BYE)]
        assert talk.client.closing


class TestTime:
    def test_each_answer_has_its_time(self) -> None:
        times = ClientTimeouts(
            greeting_seconds=1, hello_seconds=2, mail_seconds=3, rcpt_seconds=4, data_seconds=5,
            block_seconds=6, end_seconds=7,
        )  # fmt: skip
        client = SMTPClient("x", 100.0, timeouts=times)
        assert client.deadline() == 101.0
        client.receive_data(b"220 hi\r\n", 200.0)
        client.next_event()
        assert client.deadline() is None
        client.hello(300.0)
        assert client.deadline() == 302.0
        client.receive_data(b"250 hi\r\n", 300.0)
        client.next_event()
        client.mail(envelope(), recipients("a@b"), 1, 400.0)
        assert client.deadline() == 403.0
        for at, reply, following in ((500.0, b"250", 4), (600.0, b"250", 5), (700.0, b"354", 6)):
            client.receive_data(reply + b" OK\r\n", at)
            while client.next_event() is not None:
                pass
            assert client.deadline() == at + following
        client.body(b"x", 800.0)
        assert client.deadline() == 806.0
        client.end(900.0)
        assert client.deadline() == 907.0

    def test_an_octet_now_and_then_gains_nothing(self) -> None:
        client = SMTPClient("x", 0.0)
        for second in range(0, 290, 10):
            client.receive_data(b"2", float(second))
            client.next_event()
        assert client.deadline() == 300.0

    def test_time_out(self) -> None:
        talk = in_body()
        talk.client.end(1.0)
        talk.said()
        talk.client.time_out(700.0)
        [event] = talk.events()
        assert isinstance(event, Lost)
        assert event.phase is Phase.END
        assert "timed out after 699 s" in event.reason
        assert talk.client.deadline() is None
        talk.client.time_out(701.0)
        assert talk.events() == []


class TestOrder:
    def test_one_thing_at_a_time(self) -> None:
        talk = Talk("AUTH PLAIN", "STARTTLS")
        talk.client.reset(1.0)
        for call in (
            talk.client.quit,
            talk.client.reset,
            talk.client.hello,
            talk.client.starttls,
            lambda now: talk.client.auth("u", "p", now, allow_plaintext=True),
            lambda now: talk.mail("a@b"),
        ):
            with pytest.raises(LocalProtocolError):
                call(1.0)

    def test_nothing_after_the_end(self) -> None:
        talk = Talk()
        lost(talk)
        with pytest.raises(LocalProtocolError):
            talk.client.quit(1.0)

    def test_mail_before_hello(self) -> None:
        client = SMTPClient("x", 0.0)
        with pytest.raises(LocalProtocolError):
            client.mail(envelope(), recipients("a@b"), 1, 0.0)
