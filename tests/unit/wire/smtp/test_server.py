import pytest

from postroad.model import Address, Envelope, Recipient, Reply
from postroad.wire.smtp import (
    Closed,
    DataAborted,
    DataBegin,
    DataChunk,
    DataEnd,
    Hello,
    LocalProtocolError,
    Mail,
    Opened,
    Rcpt,
    Reset,
    SMTPServer,
    StartTls,
)
from tests.unit.wire.smtp.dialogue import Clerk, codes, config, say, serving

TO_DATA = b"EHLO x\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n"
TO_RCPT = TO_DATA.removesuffix(b"DATA\r\n")


class TestContract:
    def test_one_question_at_a_time(self) -> None:
        server = SMTPServer(config(), 0.0)
        assert server.next_event() == Opened()
        assert server.next_event() is None
        server.reply(Reply(220, "", "hello"))
        assert server.bytes_to_send() == b"220 mx.example hello\r\n"
        assert server.bytes_to_send() == b""
        server.receive_data(b"EHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\n", 1.0)
        assert server.next_event() == Hello("c.example", extended=True)
        assert server.next_event() is None
        server.reply(Reply(250, "", "hi"))
        assert server.next_event() == Mail(Envelope(None))
        assert server.next_event() is None
        assert server.buffered == len(b"RCPT TO:<a@b>\r\n")
        server.reply(Reply(250, "2.1.0", "OK"))
        assert server.next_event() == Rcpt(Recipient(Address("a", "b")))
        server.reply(Reply(550, "5.1.1", "No"))
        assert server.next_event() is None
        assert server.envelope == Envelope(None)
        assert codes(server.bytes_to_send()) == ["250", "250 2.1.0", "550 5.1.1"]

    def test_reply_without_question(self) -> None:
        clerk = serving()
        with pytest.raises(LocalProtocolError):
            clerk.server.reply(Reply(250, "", "x"))

    @pytest.mark.parametrize("code", [354, 334])
    def test_reply_that_is_no_answer(self, code: int) -> None:
        server = SMTPServer(config(), 0.0)
        with pytest.raises(LocalProtocolError):
            server.reply(Reply(code, "", "x"))
        server.reply(Reply(220, "", "x"))  # it is still asked

    def test_granting_data_with_2xx_is_no_answer(self) -> None:
        server = SMTPServer(config(), 0.0)
        server.reply(Reply(220, "", "x"))
        server.receive_data(TO_DATA, 0.0)
        while not isinstance(server.next_event(), DataBegin):
            if server._asked is not None:
                server.reply(Reply(250, "", "x"))
        with pytest.raises(LocalProtocolError):
            server.reply(Reply(250, "", "x"))

    def test_whole_body_is_one_chunk(self) -> None:
        clerk = serving()
        assert codes(say(clerk, TO_DATA)) == ["250", "250 2.1.0", "250 2.1.5", "354"]
        clerk.events.clear()
        body = b"Subject: x\r\n\r\n..a\r\n" * 100
        assert codes(say(clerk, body + b".\r\n")) == ["250 2.0.0"]
        stored = body.replace(b"\r\n..", b"\r\n.")
        assert clerk.events == [DataChunk(stored), DataEnd(len(stored), plain=False)]
        assert clerk.server.envelope is None

    def test_envelope_lists_the_accepted(self) -> None:
        clerk = serving()
        say(clerk, TO_RCPT + b"RCPT TO:<nobody@d.example>\r\nRCPT TO:<e@d.example>\r\n")
        envelope = clerk.server.envelope
        assert envelope is not None
        assert [str(each.address) for each in envelope.recipients] == [
            "c@d.example",
            "e@d.example",
        ]

    def test_closed_is_told_once(self) -> None:
        clerk = serving()
        assert codes(say(clerk, b"QUIT\r\nNOOP\r\n")) == ["221 2.0.0"]
        assert clerk.events == [Closed("quit")]
        assert clerk.server.closing
        assert say(clerk, b"NOOP\r\n") == b""
        clerk.server.reply(Reply(250, "", "nobody hears"))
        assert clerk.server.next_event() is None

    def test_eof(self) -> None:
        clerk = serving()
        clerk.server.receive_data(TO_RCPT + b"DATA", 1.0)
        clerk.server.receive_eof()
        clerk.work()
        assert codes(clerk.server.bytes_to_send()) == ["250", "250 2.1.0", "250 2.1.5"]
        assert clerk.events[-1] == Closed("eof")

    def test_eof_in_body(self) -> None:
        clerk = serving()
        say(clerk, TO_DATA)
        clerk.server.receive_data(b"half a message\r\n", 1.0)
        clerk.server.receive_eof()
        clerk.work()
        assert clerk.messages == []
        assert clerk.events[-1] == Closed("eof")


class TestGreeting:
    @pytest.mark.parametrize("greeting", [Reply(220, "", "hi"), Reply(554, "", "no")])
    def test_early_talker(self, greeting: Reply) -> None:
        server = SMTPServer(config(), 0.0)
        clerk = Clerk(server, greeting=greeting)
        server.receive_data(b"EHLO spam\r\nMAIL FROM:<a@b>\r\n", 0.1)
        assert server.buffered == 0
        clerk.work()
        assert server.bytes_to_send().startswith(b"554 ")
        assert clerk.events == [Opened(), Closed("talked before the greeting")]

    def test_refused_service_waits_for_quit(self) -> None:
        clerk = Clerk(SMTPServer(config(), 0.0), greeting=Reply(554, "", "No service"))
        clerk.work()
        assert clerk.server.bytes_to_send() == b"554 mx.example No service\r\n"
        assert codes(say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\n")) == ["503", "503 5.5.1"]
        assert codes(say(clerk, b"QUIT\r\n")) == ["221 2.0.0"]

    def test_421_closes(self) -> None:
        clerk = Clerk(SMTPServer(config(), 0.0), greeting=Reply(421, "4.3.2", "Too busy"))
        clerk.work()
        assert codes(clerk.server.bytes_to_send()) == ["421 4.3.2"]
        assert clerk.server.closing


class TestTls:
    def test_plaintext_behind_starttls_is_dropped(self) -> None:
        clerk = serving(starttls=True, auth=("PLAIN",))
        answer = say(clerk, b"EHLO x\r\n")
        assert b"250-STARTTLS\r\n" in answer
        assert b"AUTH" not in answer
        injected = b"STARTTLS\r\nEHLO evil\r\nMAIL FROM:<evil@x>\r\n"
        assert codes(say(clerk, injected)) == ["220 2.0.0"]
        assert clerk.events[-1] == StartTls()
        assert say(clerk, b"RCPT TO:<more@x>\r\n") == b""
        clerk.server.tls_started(2.0)
        clerk.work()
        assert clerk.server.bytes_to_send() == b""
        assert clerk.server.secure
        assert (clerk.server.hello_name, clerk.server.extended) == ("", False)
        # all is forgotten: EHLO comes first again
        assert codes(say(clerk, b"MAIL FROM:<a@b>\r\n")) == ["503 5.5.1"]
        answer = say(clerk, b"EHLO y\r\nSTARTTLS\r\n")
        assert b"250-STARTTLS" not in answer
        assert b"AUTH PLAIN" in answer
        assert codes(answer) == ["250", "502 5.5.1"]

    def test_authentication_is_forgotten(self) -> None:
        clerk = serving(starttls=True, auth=("PLAIN",), auth_without_tls=True)
        say(clerk, b"EHLO x\r\nAUTH PLAIN AHVzZXIAc2VjcmV0\r\nSTARTTLS\r\n")
        clerk.server.tls_started(2.0)
        assert not clerk.server.authenticated

    def test_refused_handshake_leaves_all_as_it_was(self) -> None:
        clerk = serving(starttls=True)
        clerk.tls = False
        assert codes(say(clerk, b"EHLO x\r\nSTARTTLS\r\nMAIL FROM:<>\r\n")) == [
            "250",
            "454 4.7.0",
            "250 2.1.0",
        ]

    def test_tls_started_without_starttls(self) -> None:
        with pytest.raises(LocalProtocolError):
            serving().server.tls_started(0.0)

    def test_tls_required(self) -> None:
        clerk = serving(starttls=True, tls_required=True)
        assert codes(say(clerk, b"EHLO x\r\nNOOP\r\nMAIL FROM:<>\r\nVRFY a\r\nHELO x\r\n")) == [
            "250",
            "250 2.0.0",
            "530 5.7.0",
            "530 5.7.0",
            "530",  # answers to HELO and EHLO have no enhanced code, RFC 2034
        ]

    def test_timeout_in_the_handshake_says_nothing(self) -> None:
        clerk = serving(starttls=True)
        say(clerk, b"EHLO x\r\nSTARTTLS\r\n")
        clerk.server.time_out(1000.0)
        assert clerk.server.bytes_to_send() == b""
        assert clerk.server.closing


class TestTime:
    def test_command_deadline_counts_from_the_last_whole_command(self) -> None:
        clerk = serving(command_seconds=300.0)
        say(clerk, b"NOOP\r\n", now=10.0)
        assert clerk.server.deadline() == 310.0
        for second in range(20, 300, 20):
            say(clerk, b"N", now=float(second))
        assert clerk.server.deadline() == 310.0

    def test_body_deadlines(self) -> None:
        clerk = serving(data_idle_seconds=60.0, data_total_seconds=100.0)
        say(clerk, TO_DATA, now=10.0)
        assert clerk.server.deadline() == 70.0
        say(clerk, b"x", now=20.0)
        assert clerk.server.deadline() == 80.0
        say(clerk, b"x", now=60.0)
        assert clerk.server.deadline() == 110.0

    def test_chunk_that_never_ends(self) -> None:
        clerk = serving(data_idle_seconds=60.0, data_total_seconds=100.0)
        say(clerk, TO_RCPT + b"BDAT 1000000 LAST\r\n", now=10.0)
        for second in range(10, 110, 10):
            say(clerk, b"x", now=float(second))
        assert clerk.server.deadline() == 110.0

    def test_session_deadline(self) -> None:
        clerk = serving(session_total_seconds=500.0)
        say(clerk, b"NOOP\r\n", now=490.0)
        assert clerk.server.deadline() == 500.0

    def test_no_deadline_while_the_driver_thinks(self) -> None:
        clerk = serving()
        clerk.server.receive_data(b"EHLO x\r\n", 5.0)
        clerk.server.next_event()
        assert clerk.server.deadline() is None
        clerk.server.reply(Reply(250, "", "x"), 400.0)
        assert clerk.server.deadline() == 700.0

    def test_time_out(self) -> None:
        clerk = serving()
        say(clerk, TO_DATA)
        clerk.server.time_out(1000.0)
        clerk.server.time_out(1001.0)
        assert clerk.server.bytes_to_send() == b"421 4.4.2 mx.example Timeout; closing\r\n"
        assert clerk.server.next_event() == Closed("timeout")
        assert clerk.server.deadline() is None


class TestShutDown:
    def test_when_idle(self) -> None:
        clerk = serving()
        clerk.server.shut_down()
        assert codes(clerk.server.bytes_to_send()) == ["421 4.3.2"]
        assert clerk.server.next_event() == Closed("shutting down")

    def test_between_commands_of_a_transaction(self) -> None:
        clerk = serving()
        clerk.server.receive_data(TO_RCPT, 1.0)
        assert clerk.server.next_event() == Hello("x", extended=True)
        clerk.server.shut_down()
        clerk.server.reply(Reply(250, "", "x"))
        assert clerk.server.next_event() == Closed("shutting down")
        assert codes(clerk.server.bytes_to_send()) == ["250", "421 4.3.2"]

    @pytest.mark.parametrize("begin", [b"DATA\r\n", b"BDAT 3\r\nab\r"])
    def test_a_message_under_way_may_finish(self, begin: bytes) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        say(clerk, begin)
        clerk.server.shut_down()
        end = b"ab\r\n.\r\n" if begin.startswith(b"DATA") else b"BDAT 1 LAST\r\n\n"
        assert codes(say(clerk, end)) == ["250 2.0.0", "421 4.3.2"]
        assert clerk.messages[0].body == b"ab\r\n"

    def test_before_the_greeting(self) -> None:
        server = SMTPServer(config(), 0.0)
        server.shut_down()
        server.reply(Reply(220, "", "x"))
        assert codes(server.bytes_to_send()) == ["421 4.3.2"]


class TestLmtp:
    def test_one_reply_for_each_accepted_recipient(self) -> None:
        clerk = serving(lmtp=True)
        answer = say(
            clerk,
            b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<nobody@b>\r\n"
            b"RCPT TO:<full@b>\r\nDATA\r\n",
        )
        assert codes(answer)[-1] == "354"
        assert codes(say(clerk, b"x\r\n.\r\n")) == ["250 2.0.0", "452 4.2.2"]

    @pytest.mark.parametrize("body", [b"a\nb\r\n.\r\n", b"virus\r\n.\r\n"])
    def test_also_when_the_message_is_refused(self, body: bytes) -> None:
        clerk = serving(lmtp=True)
        say(clerk, b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\nDATA\r\n")
        assert [code[:3] for code in codes(say(clerk, body))] == ["550", "550"]

    def test_chunking(self) -> None:
        clerk = serving(lmtp=True)
        say(clerk, b"LHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nRCPT TO:<c@b>\r\n")
        assert codes(say(clerk, b"BDAT 1\r\nxBDAT 2 LAST\r\n\r\n")) == ["250 2.0.0"] * 3

    @pytest.mark.parametrize("verb", [b"EHLO", b"HELO"])
    def test_ehlo_is_unknown(self, verb: bytes) -> None:
        assert codes(say(serving(lmtp=True), verb + b" x\r\n")) == ["500 5.5.1"]

    def test_wrong_number_of_replies(self) -> None:
        server = serving(lmtp=True).server
        server.receive_data(b"LHLO x\r\n", 1.0)
        server.next_event()
        with pytest.raises(LocalProtocolError):
            server.reply_each([])


class TestBodies:
    def test_message_too_big_is_read_to_its_end(self) -> None:
        clerk = serving(max_message_octets=1000)
        say(clerk, TO_DATA)
        clerk.events.clear()
        for _ in range(100):
            assert say(clerk, b"x" * 98 + b"\r\n") == b""
        assert clerk.server.buffered < 8
        assert clerk.events[-1] == DataAborted(
            Reply(552, "5.3.4", "Message is larger than SIZE allows")
        )
        assert sum(isinstance(event, DataChunk) for event in clerk.events) == 10
        assert codes(say(clerk, b".\r\nNOOP\r\n")) == ["552 5.3.4", "250 2.0.0"]
        assert clerk.messages == []

    def test_limit_counts_the_message_without_dots(self) -> None:
        clerk = serving(max_message_octets=6)
        say(clerk, TO_DATA)
        assert codes(say(clerk, b"..1\r\n..\r\n.\r\n")) == ["552 5.3.4"]
        say(clerk, TO_DATA)
        assert codes(say(clerk, b"...\r\n..\r\n.\r\n")) == ["552 5.3.4"]
        say(clerk, TO_DATA)
        assert codes(say(clerk, b"..123\r\n.\r\n")) == ["250 2.0.0"]
        say(clerk, TO_DATA)
        assert codes(say(clerk, b"..12\r\n.\r\n")) == ["250 2.0.0"]

    def test_nul_is_refused(self) -> None:
        clerk = serving()
        say(clerk, TO_DATA)
        assert codes(say(clerk, b"a\0b\r\n.\r\n")) == ["550 5.6.0"]

    def test_refusal_of_data_by_the_driver(self) -> None:
        clerk = serving()
        clerk.data_reply = Reply(451, "4.3.0", "Not now")
        assert codes(say(clerk, TO_DATA))[-1] == "451 4.3.0"
        assert clerk.server.envelope is not None

    @pytest.mark.parametrize("refusal", [Reply(354, "", "x"), Reply(451, "4.3.0", "Not now")])
    def test_body_before_the_answer_to_data(self, refusal: Reply) -> None:
        """ATTACKS: whatever the driver says, no line of the body is obeyed and nothing is queued."""
        evil = b"Subject: x\r\n.\r\nMAIL FROM:<evil@x>\r\n"
        clerk = serving()
        clerk.data_reply = refusal
        assert codes(say(clerk, TO_DATA + evil))[-1] == "503 5.5.1"
        assert clerk.server.closing
        # and the same where the body comes while the driver thinks
        clerk = serving()
        say(clerk, TO_RCPT)
        clerk.server.receive_data(b"DATA\r\n", 1.0)
        assert clerk.server.next_event() == DataBegin(chunking=False)
        clerk.server.receive_data(evil, 1.0)
        clerk.server.reply(refusal)
        clerk.work()
        assert codes(clerk.server.bytes_to_send()) == ["503 5.5.1"]
        assert clerk.server.closing
        assert clerk.messages == []

    @pytest.mark.parametrize("begin", [b"", b"EHLO x\r\n", b"EHLO x\r\nMAIL FROM:<>\r\n"])
    def test_body_behind_a_data_out_of_order(self, begin: bytes) -> None:
        clerk = serving()
        say(clerk, begin)
        assert codes(say(clerk, b"DATA\r\nRSET\r\n")) == ["503 5.5.1"]
        assert clerk.server.closing


class TestChunking:
    def test_chunks(self) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        clerk.events.clear()
        answer = say(clerk, b"BDAT 4\r\na\r\n.BDAT 0\r\nBDAT 5 LAST\r\n\r\n.\r\n")
        assert codes(answer) == ["250 2.0.0"] * 3
        assert clerk.messages[0].body == b"a\r\n.\r\n.\r\n"
        assert clerk.events[0] == DataBegin(chunking=True)
        assert sum(isinstance(event, DataBegin) for event in clerk.events) == 1

    @pytest.mark.parametrize("last", [b"BDAT 5 LAST\r\nnoend", b"BDAT 5\r\nnoendBDAT 0 LAST\r\n"])
    def test_a_last_line_without_an_end_gets_one(self, last: bytes) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        assert codes(say(clerk, last))[-1] == "250 2.0.0"
        assert clerk.messages[0].body == b"noend\r\n"

    def test_empty_message(self) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        assert codes(say(clerk, b"BDAT 0 LAST\r\n")) == ["250 2.0.0"]
        assert clerk.messages[0].body == b""

    @pytest.mark.parametrize("begin", [b"", b"EHLO x\r\n"])
    def test_refused_chunk_is_swallowed(self, begin: bytes) -> None:
        clerk = serving()
        say(clerk, begin)
        assert codes(say(clerk, b"BDAT 6\r\nQUIT\r\nNOOP\r\n")) == ["503 5.5.1", "250 2.0.0"]

    def test_without_recipient(self) -> None:
        clerk = serving()
        say(clerk, b"EHLO x\r\nMAIL FROM:<>\r\n")
        assert codes(say(clerk, b"BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")) == ["554 5.5.1", "250 2.0.0"]

    def test_driver_refuses(self) -> None:
        clerk = serving()
        clerk.data_reply = Reply(451, "4.3.0", "Not now")
        say(clerk, TO_RCPT)
        answer = say(clerk, b"BDAT 6\r\nQUIT\r\nBDAT 6 LAST\r\nQUIT\r\nMAIL FROM:<>\r\n")
        assert codes(answer) == ["451 4.3.0", "503 5.5.1", "250 2.1.0"]
        assert clerk.messages == []

    def test_too_big_at_once(self) -> None:
        clerk = serving(max_message_octets=10)
        say(clerk, TO_RCPT)
        clerk.events.clear()
        assert codes(say(clerk, b"BDAT 11 LAST\r\nQUIT\r\nQUIT\nNOOP\r\n")) == [
            "552 5.3.4",
            "250 2.0.0",
        ]
        assert clerk.events == []

    def test_too_big_together(self) -> None:
        clerk = serving(max_message_octets=10)
        say(clerk, TO_RCPT)
        answer = say(clerk, b"BDAT 6\r\n123456BDAT 6\r\nQUIT\r\nBDAT 2 LAST\r\n\r\n")
        assert codes(answer) == ["250 2.0.0", "552 5.3.4", "503 5.5.1"]
        assert any(isinstance(event, DataAborted) for event in clerk.events)
        assert clerk.messages == []

    @pytest.mark.parametrize(
        "chunks",
        [
            b"BDAT 3 LAST\r\na\nb",
            b"BDAT 3 LAST\r\na\rb",
            b"BDAT 2\r\na\rBDAT 2 LAST\r\nb\n",
            b"BDAT 3 LAST\r\nab\r",
            b"BDAT 7 LAST\r\na\n.\r\nb\n",
        ],
    )
    def test_bare_line_breaks(self, chunks: bytes) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        assert codes(say(clerk, chunks))[-1] == "550 5.6.11"
        assert clerk.messages == []
        assert codes(say(clerk, b"NOOP\r\n")) == ["250 2.0.0"]

    def test_without_a_size_nobody_knows_where_to_go_on(self) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        assert codes(say(clerk, b"BDAT LAST\r\nQUIT\r\n")) == ["501 5.5.4"]
        assert clerk.server.closing

    def test_other_commands_between_chunks(self) -> None:
        clerk = serving()
        say(clerk, TO_RCPT)
        answer = say(clerk, b"BDAT 1\r\nxDATA\r\n")
        assert codes(answer) == ["250 2.0.0", "503 5.5.1"]
        assert codes(say(clerk, b"RCPT TO:<a@b>\r\nMAIL FROM:<>\r\nRSET\r\n")) == [
            "503 5.5.1",
            "503 5.5.1",
            "250 2.0.0",
        ]
        assert clerk.events[-1] == Reset()

    def test_no_message_without_last(self) -> None:
        clerk = serving()
        say(clerk, TO_RCPT + b"BDAT 3\r\nx\r\nQUIT\r\n")
        assert clerk.messages == []
